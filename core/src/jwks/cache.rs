//! When the keys of an issuer are to be fetched, and how long they are good.

use std::time::Duration;

use super::schedule::{JwksSchedule, LONGEST_MAX_AGE};
use crate::types::Timestamp;

/// A machine without I/O and clock: it is told what happened and when, and says what to do.
///
/// - Keys that are fresh are used. Those that are not are used for a while yet, and fetched beside
///   it: no request waits for an issuer, and none fails because it is down for a moment.
/// - A token whose key is unknown makes the set be fetched once more, but never sooner than a
///   cool-down after the last time: forged names cannot make it a storm.
/// - One fetch at a time. After one that failed the next waits a little longer each time.
#[derive(Clone, Debug)]
pub struct JwksCache {
    schedule: JwksSchedule,
    keys: Option<Fetched>,
    /// When the last fetch was begun.
    asked: Option<Timestamp>,
    is_fetching: bool,
    /// Fetches that failed since one that did not.
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
struct Fetched {
    at: Timestamp,
    fresh_for: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The keys at hand are good.
    Use,
    /// The keys at hand are good yet; begin to fetch others.
    UseAndFetch,
    /// Begin to fetch, and wait for it.
    Fetch,
    /// Somebody is fetching: wait for that.
    Wait,
    /// There is nothing better to be had now.
    GiveUp,
}

impl JwksCache {
    /// Without keys.
    pub const fn new(schedule: JwksSchedule) -> Self {
        Self { schedule, keys: None, asked: None, is_fetching: false, failures: 0 }
    }

    /// A token is to be verified. After [`Step::Fetch`] and [`Step::UseAndFetch`] there is to be a
    /// call of [`fetched`](Self::fetched) or [`failed`](Self::failed).
    pub fn for_token(&mut self, now: Timestamp) -> Step {
        let Some(keys) = self.keys else { return self.ask(now, self.patience(), Step::Fetch) };
        let age = elapsed(keys.at, now);
        if age < keys.fresh_for {
            return Step::Use;
        }
        if age < keys.fresh_for.saturating_add(self.schedule.max_stale) {
            return match self.ask(now, self.patience(), Step::UseAndFetch) {
                Step::UseAndFetch => Step::UseAndFetch,
                _ => Step::Use,
            };
        }
        self.ask(now, self.patience(), Step::Fetch)
    }

    /// The keys at hand are good, but the one that a token names is not among them.
    pub fn for_unknown_key(&mut self, now: Timestamp) -> Step {
        self.ask(now, self.patience().max(self.schedule.cool_down), Step::Fetch)
    }

    /// A fetch brought keys. `max_age`: what its answer said of how long they are good.
    pub fn fetched(&mut self, now: Timestamp, max_age: Option<Duration>) {
        let least = self.schedule.cool_down;
        let fresh_for = match max_age {
            Some(max_age) => max_age.clamp(least, LONGEST_MAX_AGE.max(least)),
            None => self.schedule.max_age,
        };
        self.keys = Some(Fetched { at: now, fresh_for });
        (self.is_fetching, self.failures) = (false, 0);
    }

    /// A fetch brought none.
    pub fn failed(&mut self) {
        self.is_fetching = false;
        self.failures = self.failures.saturating_add(1);
    }

    /// Until when [`for_token`](Self::for_token) says [`Step::Use`]; `None` without keys.
    pub fn fresh_until(&self) -> Option<Timestamp> {
        self.keys.map(|keys| keys.at.plus(keys.fresh_for))
    }

    fn ask(&mut self, now: Timestamp, after: Duration, step: Step) -> Step {
        if self.is_fetching {
            return Step::Wait;
        }
        if self.asked.is_some_and(|asked| elapsed(asked, now) < after) {
            return Step::GiveUp;
        }
        (self.asked, self.is_fetching) = (Some(now), true);
        step
    }

    /// How long to leave the issuer alone: not at all after a success, then a second, two, four…
    fn patience(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        Duration::from_secs(seconds).min(self.schedule.cool_down)
    }
}

/// What clocks are put back by every now and then.
const ADJUSTMENT: Duration = Duration::from_secs(60);

/// A clock that was put back by more says nothing: as if it were long ago.
fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    if since > now.plus(ADJUSTMENT) { Duration::MAX } else { now.since(since) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL_DOWN: u64 = 30;
    const MAX_AGE: u64 = 600;
    const MAX_STALE: u64 = 3600;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).plus(Duration::from_secs(seconds))
    }

    fn cache() -> JwksCache {
        JwksCache::new(JwksSchedule::default())
    }

    fn with_keys() -> JwksCache {
        let mut cache = cache();
        assert_eq!(cache.for_token(at(0)), Step::Fetch);
        cache.fetched(at(0), None);
        cache
    }

    #[test]
    fn the_first_token_fetches_and_the_others_wait() {
        let mut cache = cache();
        assert_eq!(cache.for_token(at(0)), Step::Fetch);
        assert_eq!(cache.for_token(at(0)), Step::Wait);
        assert_eq!(cache.for_unknown_key(at(1)), Step::Wait);
        cache.fetched(at(1), None);
        assert_eq!(cache.for_token(at(1)), Step::Use);
        assert_eq!(cache.fresh_until(), Some(at(1 + MAX_AGE)));
    }

    #[test]
    fn an_issuer_that_is_down_is_asked_less_and_less() {
        let mut cache = cache();
        let mut asked = Vec::new();
        for second in 0..200 {
            match cache.for_token(at(second)) {
                Step::Fetch => {
                    asked.push(second);
                    cache.failed();
                }
                step => assert_eq!(step, Step::GiveUp),
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181]);
    }

    #[test]
    fn old_keys_are_used_while_new_ones_are_fetched() {
        let mut cache = with_keys();
        assert_eq!(cache.for_token(at(MAX_AGE - 1)), Step::Use);
        assert_eq!(cache.for_token(at(MAX_AGE)), Step::UseAndFetch);
        assert_eq!(cache.for_token(at(MAX_AGE)), Step::Use);
        cache.failed();
        assert_eq!(cache.for_token(at(MAX_AGE)), Step::Use);
        assert_eq!(cache.for_token(at(MAX_AGE + 1)), Step::UseAndFetch);
        cache.failed();
        let end = MAX_AGE + MAX_STALE;
        assert_eq!(cache.for_token(at(end - 1)), Step::UseAndFetch);
        cache.failed();
        assert_eq!(cache.for_token(at(end)), Step::GiveUp);
        assert_eq!(cache.for_token(at(end + 3)), Step::Fetch);
        cache.fetched(at(end + 3), None);
        assert_eq!(cache.for_token(at(end + 4)), Step::Use);
    }

    #[test]
    fn forged_names_cannot_make_a_storm() {
        let mut cache = with_keys();
        let mut fetches = 0;
        for second in 0..300 {
            for _ in 0..100 {
                if cache.for_unknown_key(at(second)) == Step::Fetch {
                    fetches += 1;
                    cache.fetched(at(second), None);
                }
            }
        }
        assert_eq!(fetches, 299 / COOL_DOWN);
    }

    #[test]
    fn the_answer_says_how_long_within_bounds() {
        for (said, kept) in [(0, COOL_DOWN), (5, COOL_DOWN), (120, 120), (10_000_000, 24 * 3600)] {
            let mut cache = cache();
            cache.for_token(at(0));
            cache.fetched(at(0), Some(Duration::from_secs(said)));
            assert_eq!(cache.fresh_until(), Some(at(kept)), "{said}");
        }
    }

    #[test]
    fn a_clock_that_is_adjusted_changes_nothing() {
        let mut cache = with_keys();
        cache.for_unknown_key(at(100));
        cache.fetched(at(100), None);
        assert_eq!(cache.for_token(at(50)), Step::Use);
        assert_eq!(cache.for_unknown_key(at(50)), Step::GiveUp);
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_keep_keys_for_ever() {
        let mut cache = JwksCache::new(JwksSchedule::default());
        cache.for_token(at(1_000_000));
        cache.fetched(at(1_000_000), None);
        assert_eq!(cache.for_token(at(0)), Step::Fetch);
        cache.failed();
        assert_eq!(cache.for_token(at(1)), Step::Fetch);
    }
}
