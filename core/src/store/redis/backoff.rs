//! How long to wait before the next attempt: exponential, with full jitter, so that many
//! processes that lost the same server at the same instant do not come back in step.

use std::time::Duration;

/// The longest wait after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(20);
/// No wait is longer: a server that is back is found within a fraction of a second.
const LONGEST: Duration = Duration::from_millis(400);

/// The waits between failures.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1).min(16);
        jitter(bound.min(LONGEST))
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Anything from nothing to `bound`.
pub(super) fn jitter(bound: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without randomness the longest wait is taken, which does no harm.
    let share = getrandom::fill(&mut bytes).map_or(u16::MAX, |()| u16::from_ne_bytes(bytes));
    bound * u32::from(share) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_differ() {
        let longest_of = |failures: u32| {
            let waits = (0..200).map(|_| Backoff { failures }.next());
            waits.max().unwrap()
        };
        assert!(longest_of(0) <= FIRST);
        assert!(longest_of(2) > FIRST * 2 && longest_of(2) <= FIRST * 4);
        assert!(longest_of(16) > LONGEST / 2 && longest_of(16) <= LONGEST);
        let mut waits: Vec<_> = (0..50).map(|_| jitter(LONGEST)).collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 40, "{waits:?}");
    }
}
