//! Failures in a row, and how long they make the next attempt wait.

use std::time::Duration;

use super::reason::{Refusal, Trouble};
use super::settings::Settings;

/// A server's wish to be left alone is heeded up to here.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// Random numbers without I/O: SplitMix64. They spread load and protect nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any span up to `most`.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let fraction = u128::from(bits >> 32);
        let ms = most.as_millis().saturating_mul(fraction) >> 32;
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

/// The wait after the `failures`th failure in a row: half of it certain, half of it random.
pub(super) fn delay(settings: &Settings, failures: u32, jitter: &mut Jitter) -> Duration {
    let doubled = settings.backoff.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let half = doubled.min(settings.longest_backoff) / 2;
    half + jitter.up_to(half)
}

/// The failures since something last went well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Failures {
    count: u32,
    last: Option<(Trouble, Duration)>,
}

impl Failures {
    /// Takes note of one; `wish` is how long the server asked to be left alone.
    pub(super) fn add(
        &mut self,
        settings: &Settings,
        jitter: &mut Jitter,
        trouble: Trouble,
        wish: Option<Duration>,
        now: Duration,
    ) {
        self.count = self.count.saturating_add(1);
        let delay = delay(settings, self.count, jitter);
        let delay = delay.max(wish.unwrap_or_default().min(LONGEST_WISH));
        self.last = Some((trouble, now.saturating_add(delay)));
    }

    /// The next attempt is not made before this.
    pub(super) fn not_before(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |(_, until)| until)
    }

    /// Whether callers are to be told at once.
    pub(super) fn is_open(&self, settings: &Settings, now: Duration) -> bool {
        self.count >= settings.failures_to_open && now < self.not_before()
    }

    /// What callers are told.
    pub(super) fn refusal(&self, now: Duration) -> Refusal {
        let (trouble, until) = self.last.unwrap_or((Trouble::Slow, now));
        Refusal::TryLater { trouble, retry_after: until.saturating_sub(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_are_half_random() {
        let settings = Settings::default();
        let mut jitter = Jitter::new(7);
        let mut seen = std::collections::BTreeSet::new();
        for failures in 1..40 {
            let whole = settings.backoff * 2u32.pow((failures - 1).min(16));
            let whole = whole.min(settings.longest_backoff);
            for _ in 0..100 {
                let delay = delay(&settings, failures, &mut jitter);
                assert!(whole / 2 <= delay && delay <= whole, "{failures}: {delay:?}");
                seen.insert(delay);
            }
        }
        assert!(seen.len() > 1000, "{}", seen.len());
        assert_ne!(
            Jitter::new(1).up_to(Duration::from_secs(9)),
            Jitter::new(2).up_to(Duration::from_secs(9))
        );
    }

    #[test]
    fn a_servers_wish_is_heeded_within_reason() {
        let settings = Settings::default();
        let mut failures = Failures::default();
        let mut add = |wish| {
            let mut jitter = Jitter::new(0);
            let now = Duration::from_secs(100);
            failures.add(&settings, &mut jitter, Trouble::Network, Some(wish), now);
            failures.not_before() - now
        };
        assert_eq!(add(Duration::from_secs(77)), Duration::from_secs(77));
        assert_eq!(add(Duration::from_secs(7777)), LONGEST_WISH);
    }
}
