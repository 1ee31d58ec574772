//! When an issuer's JWK Set is fetched: the configured times, and the state machine that applies
//! them, without I/O and clock.

use std::ops::Range;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::types::Timestamp;

/// The longest time that a set is fresh because its response says so.
const MAX_MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// The longest time that can be configured.
const MAX_TIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// A clock that was set back by no more than this is an adjustment, which happens now and then.
const CLOCK_ADJUSTMENT: Duration = Duration::from_secs(60);

/// How often JWK Sets are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksSchedule {
    refetch_cooldown: Duration,
    max_age: Duration,
    max_stale: Duration,
    timeout: Duration,
}

impl JwksSchedule {
    /// A builder with the defaults.
    pub fn builder() -> JwksScheduleBuilder {
        JwksScheduleBuilder(Self::default())
    }

    /// The shortest time between two fetches, whatever tokens say.
    pub const fn refetch_cooldown(&self) -> Duration {
        self.refetch_cooldown
    }

    /// How long a set is fresh whose response has no `Cache-Control: max-age`.
    pub const fn max_age(&self) -> Duration {
        self.max_age
    }

    /// How long a set may be used after that while the issuer cannot be reached.
    pub const fn max_stale(&self) -> Duration {
        self.max_stale
    }

    /// The timeout of a fetch.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Default for JwksSchedule {
    fn default() -> Self {
        Self {
            refetch_cooldown: Duration::from_secs(30),
            max_age: Duration::from_secs(10 * 60),
            max_stale: Duration::from_secs(3600),
            timeout: Duration::from_secs(5),
        }
    }
}

/// Builds a [`JwksSchedule`].
#[derive(Clone, Copy, Debug)]
pub struct JwksScheduleBuilder(JwksSchedule);

impl JwksScheduleBuilder {
    /// The shortest time between two fetches. A token with an unknown `kid` triggers a fetch, so
    /// this limits what forged tokens can cause. 1 second to 30 days; default 30 seconds.
    #[must_use]
    pub const fn refetch_cooldown(mut self, refetch_cooldown: Duration) -> Self {
        self.0.refetch_cooldown = refetch_cooldown;
        self
    }

    /// How long a set is fresh whose response has no `Cache-Control: max-age`. A `max-age` counts
    /// from the refetch cooldown up to a day. A key that the issuer has withdrawn is accepted for
    /// this long at most. Up to 30 days; default 10 minutes.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.0.max_age = max_age;
        self
    }

    /// How long a set may be used after that while the issuer cannot be reached. 0 to 30 days;
    /// default one hour.
    #[must_use]
    pub const fn max_stale(mut self, max_stale: Duration) -> Self {
        self.0.max_stale = max_stale;
        self
    }

    /// The timeout of a fetch. Default 5 seconds.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }

    /// Checks the times and builds the schedule.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `keySets.refetchCooldown`, `keySets.maxAge`, `keySets.maxStale` or
    /// `keySets.timeout`.
    pub fn build(self) -> Result<JwksSchedule> {
        let schedule = self.0;
        let check = |value: Duration, min: Duration, field: &str| {
            if (min..=MAX_TIME).contains(&value) {
                return Ok(());
            }
            let (min, max) = (min.as_secs_f64(), MAX_TIME.as_secs());
            Err(Error::config(field, format!("must be from {min} to {max} seconds")))
        };
        check(schedule.refetch_cooldown, Duration::from_secs(1), "keySets.refetchCooldown")?;
        check(schedule.max_age, schedule.refetch_cooldown, "keySets.maxAge")?;
        check(schedule.max_stale, Duration::ZERO, "keySets.maxStale")?;
        check(schedule.timeout, Duration::from_millis(1), "keySets.timeout")?;
        Ok(schedule)
    }
}

/// Decides when to fetch, given what happened and when.
///
/// - A fresh set is used. A stale one is used for a while and refetched in the background, so that
///   no request waits for an issuer or fails because the issuer is briefly down.
/// - A token with an unknown key triggers a fetch, but not before the refetch cooldown has passed:
///   forged tokens cannot cause a storm of fetches.
/// - One fetch at a time. After consecutive failures the delay doubles, up to the cooldown.
#[derive(Clone, Debug)]
pub(super) struct FetchScheduler {
    schedule: JwksSchedule,
    set: Option<FetchedSet>,
    /// When the last fetch started.
    started_at: Option<Timestamp>,
    is_fetching: bool,
    /// Consecutive failures.
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
struct FetchedSet {
    fetched_at: Timestamp,
    fresh_for: Duration,
}

/// What to do before verifying a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchDecision {
    /// Use the cached set.
    Use,
    /// Use the cached set, and start a fetch.
    UseAndFetch,
    /// Start a fetch and wait for it.
    Fetch,
    /// Wait for the fetch in progress.
    Wait,
    /// Do not fetch now.
    BackOff,
}

impl FetchScheduler {
    pub(super) const fn new(schedule: JwksSchedule) -> Self {
        Self { schedule, set: None, started_at: None, is_fetching: false, failures: 0 }
    }

    /// A token is to be verified. After [`FetchDecision::Fetch`] and
    /// [`FetchDecision::UseAndFetch`] the caller must report [`succeeded`](Self::succeeded) or
    /// [`failed`](Self::failed).
    pub(super) fn for_token(&mut self, now: Timestamp) -> FetchDecision {
        if let Some(set) = self.set {
            let age = elapsed(set.fetched_at, now);
            if age < set.fresh_for {
                return FetchDecision::Use;
            }
            if age < set.fresh_for.saturating_add(self.schedule.max_stale) {
                return match self.request(now, self.retry_delay(), FetchDecision::UseAndFetch) {
                    FetchDecision::UseAndFetch => FetchDecision::UseAndFetch,
                    _ => FetchDecision::Use,
                };
            }
        }
        self.request(now, self.retry_delay(), FetchDecision::Fetch)
    }

    /// The cached set may be used, but does not contain the key that the token names.
    pub(super) fn for_unknown_key(&mut self, now: Timestamp) -> FetchDecision {
        let delay = self.retry_delay().max(self.schedule.refetch_cooldown);
        self.request(now, delay, FetchDecision::Fetch)
    }

    /// A fetch succeeded. `fresh_for` is how long its response says that it may be cached.
    pub(super) fn succeeded(&mut self, now: Timestamp, fresh_for: Option<Duration>) {
        let min = self.schedule.refetch_cooldown;
        let fresh_for = match fresh_for {
            Some(fresh_for) => fresh_for.clamp(min, MAX_MAX_AGE.max(min)),
            None => self.schedule.max_age,
        };
        self.set = Some(FetchedSet { fetched_at: now, fresh_for });
        (self.is_fetching, self.failures) = (false, 0);
    }

    /// A fetch failed.
    pub(super) fn failed(&mut self) {
        self.is_fetching = false;
        self.failures = self.failures.saturating_add(1);
    }

    /// When [`for_token`](Self::for_token) returns [`FetchDecision::Use`]; `None` without a set.
    pub(super) fn fresh(&self) -> Option<Range<Timestamp>> {
        let set = self.set?;
        // Before that, the clock was set back.
        Some(set.fetched_at.minus(CLOCK_ADJUSTMENT)..set.fetched_at.plus(set.fresh_for))
    }

    /// `decision`, unless a fetch is in progress or the last one started less than `delay` ago.
    fn request(
        &mut self,
        now: Timestamp,
        delay: Duration,
        decision: FetchDecision,
    ) -> FetchDecision {
        if self.is_fetching {
            return FetchDecision::Wait;
        }
        if self.started_at.is_some_and(|started_at| elapsed(started_at, now) < delay) {
            return FetchDecision::BackOff;
        }
        (self.started_at, self.is_fetching) = (Some(now), true);
        decision
    }

    /// The delay after consecutive failures: 1 second, 2, 4, … up to the cooldown.
    fn retry_delay(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        Duration::from_secs(seconds).min(self.schedule.refetch_cooldown)
    }
}

/// The time since `since`. A clock that was set back by more than an adjustment says nothing: it
/// counts as long ago.
fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    if since > now.plus(CLOCK_ADJUSTMENT) { Duration::MAX } else { now.since(since) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: u64 = 30;
    const MAX_AGE: u64 = 600;
    const MAX_STALE: u64 = 3600;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).plus(Duration::from_secs(seconds))
    }

    fn scheduler() -> FetchScheduler {
        FetchScheduler::new(JwksSchedule::default())
    }

    fn with_set() -> FetchScheduler {
        let mut scheduler = scheduler();
        assert_eq!(scheduler.for_token(at(0)), FetchDecision::Fetch);
        scheduler.succeeded(at(0), None);
        scheduler
    }

    #[test]
    fn the_first_token_fetches_and_others_wait() {
        let mut scheduler = scheduler();
        assert_eq!(scheduler.for_token(at(0)), FetchDecision::Fetch);
        assert_eq!(scheduler.for_token(at(0)), FetchDecision::Wait);
        assert_eq!(scheduler.for_unknown_key(at(1)), FetchDecision::Wait);
        scheduler.succeeded(at(1), None);
        assert_eq!(scheduler.for_token(at(1)), FetchDecision::Use);
        assert_eq!(scheduler.fresh().unwrap().end, at(1 + MAX_AGE));
    }

    #[test]
    fn fetches_back_off_while_the_issuer_is_down() {
        let mut scheduler = scheduler();
        let mut started = Vec::new();
        for second in 0..200 {
            match scheduler.for_token(at(second)) {
                FetchDecision::Fetch => {
                    started.push(second);
                    scheduler.failed();
                }
                decision => assert_eq!(decision, FetchDecision::BackOff),
            }
        }
        assert_eq!(started, [0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181]);
    }

    #[test]
    fn a_stale_set_is_used_while_it_is_refetched() {
        let mut scheduler = with_set();
        assert_eq!(scheduler.for_token(at(MAX_AGE - 1)), FetchDecision::Use);
        assert_eq!(scheduler.for_token(at(MAX_AGE)), FetchDecision::UseAndFetch);
        assert_eq!(scheduler.for_token(at(MAX_AGE)), FetchDecision::Use);
        scheduler.failed();
        assert_eq!(scheduler.for_token(at(MAX_AGE)), FetchDecision::Use);
        assert_eq!(scheduler.for_token(at(MAX_AGE + 1)), FetchDecision::UseAndFetch);
        scheduler.failed();
        let end = MAX_AGE + MAX_STALE;
        assert_eq!(scheduler.for_token(at(end - 1)), FetchDecision::UseAndFetch);
        scheduler.failed();
        assert_eq!(scheduler.for_token(at(end)), FetchDecision::BackOff);
        assert_eq!(scheduler.for_token(at(end + 3)), FetchDecision::Fetch);
        scheduler.succeeded(at(end + 3), None);
        assert_eq!(scheduler.for_token(at(end + 4)), FetchDecision::Use);
    }

    #[test]
    fn forged_key_ids_cannot_cause_a_storm_of_fetches() {
        let mut scheduler = with_set();
        let mut fetches = 0;
        for second in 0..300 {
            for _ in 0..100 {
                if scheduler.for_unknown_key(at(second)) == FetchDecision::Fetch {
                    fetches += 1;
                    scheduler.succeeded(at(second), None);
                }
            }
        }
        assert_eq!(fetches, 299 / COOLDOWN);
    }

    #[test]
    fn max_age_of_the_response_counts_within_bounds() {
        for (max_age, fresh_for) in
            [(0, COOLDOWN), (5, COOLDOWN), (120, 120), (10_000_000, 24 * 3600)]
        {
            let mut scheduler = scheduler();
            scheduler.for_token(at(0));
            scheduler.succeeded(at(0), Some(Duration::from_secs(max_age)));
            assert_eq!(scheduler.fresh().unwrap().end, at(fresh_for), "{max_age}");
        }
    }

    #[test]
    fn a_small_clock_adjustment_changes_nothing() {
        let mut scheduler = with_set();
        scheduler.for_unknown_key(at(100));
        scheduler.succeeded(at(100), None);
        assert_eq!(scheduler.for_token(at(50)), FetchDecision::Use);
        assert_eq!(scheduler.for_unknown_key(at(50)), FetchDecision::BackOff);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_a_set_for_ever() {
        let mut scheduler = FetchScheduler::new(JwksSchedule::default());
        scheduler.for_token(at(1_000_000));
        scheduler.succeeded(at(1_000_000), None);
        assert_eq!(scheduler.for_token(at(0)), FetchDecision::Fetch);
        scheduler.failed();
        assert_eq!(scheduler.for_token(at(1)), FetchDecision::Fetch);
    }
}
