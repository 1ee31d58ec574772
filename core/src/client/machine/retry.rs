//! How a session retries: its settings, the backoff with jitter, and the circuit breaker.

use std::time::Duration;

use crate::client::error::{SessionError, TransientError};
use crate::keys::Thumbprint;

/// The longest `Retry-After` that is honoured.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Timing of refreshes. Start from [`SessionSettings::default`] and change single fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SessionSettings {
    /// An access token with less remaining lifetime than this is refreshed before use, if possible.
    /// Default 30 seconds; capped at a third of the token's lifetime.
    pub min_ttl: Duration,
    /// How long a caller waits before it receives [`TransientError::Timeout`] or the last failure.
    /// A refresh continues; a sign-in or sign-out that has not started is dropped. Default 30 seconds.
    pub wait_timeout: Duration,
    /// The delay after the first failure. It doubles with each further failure; half of it is
    /// random. Default 500 ms.
    pub initial_backoff: Duration,
    /// The longest such delay. Default one minute.
    pub max_backoff: Duration,
    /// After this many consecutive failures the circuit breaker opens: callers fail at once until
    /// the next attempt is due. Default 3.
    pub failure_threshold: u32,
    /// How long to retry a failed write, holding the lock, before giving up. Default 5 seconds:
    /// shorter than the server's grace period, so that a process without a lock never overwrites a
    /// newer pair with a discarded one.
    pub persist_timeout: Duration,
    /// If a server rejects an access token that has just replaced a rejected one, wait this long
    /// before renewing again. Default 5 seconds; capped at half of the token's lifetime.
    pub renew_cooldown: Duration,
    /// The seed of the random numbers. It must differ between processes.
    pub seed: u64,
    /// The thumbprint of the session's DPoP key (RFC 9449). Tokens that are bound to another key
    /// are unusable. `SessionBuilder::proof_key` sets it; set it yourself only if the transport
    /// adds the proofs.
    pub key: Option<Thumbprint>,
    /// Whether a sign-out asks the server to revoke the session.
    /// [`RefreshEndpoint::logout`](crate::client::RefreshEndpoint::logout) sets it; set it yourself
    /// only if you drive the machine.
    pub revoke_on_sign_out: bool,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(30),
            wait_timeout: Duration::from_secs(30),
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(60),
            failure_threshold: 3,
            persist_timeout: Duration::from_secs(5),
            renew_cooldown: Duration::from_secs(5),
            seed: 0,
            key: None,
            revoke_on_sign_out: false,
        }
    }
}

/// Random numbers without I/O (SplitMix64). They spread load and are not used for security.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A random duration from zero to `max`.
    pub(super) fn up_to(&mut self, max: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let fraction = u128::from(bits >> 32);
        let ms = max.as_millis().saturating_mul(fraction) >> 32;
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

/// The delay after the `failures`th consecutive failure. Half of it is random.
pub(super) fn backoff(settings: &SessionSettings, failures: u32, jitter: &mut Jitter) -> Duration {
    let doubled = settings.initial_backoff.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let half = doubled.min(settings.max_backoff) / 2;
    half + jitter.up_to(half)
}

/// The consecutive failures since the last success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Failures {
    count: u32,
    /// The last failure, and the monotonic time of the next attempt.
    last: Option<(TransientError, Duration)>,
}

impl Failures {
    /// Records a failure. `retry_after` is the server's `Retry-After`.
    pub(super) fn record(
        &mut self,
        settings: &SessionSettings,
        jitter: &mut Jitter,
        cause: TransientError,
        retry_after: Option<Duration>,
        now: Duration,
    ) {
        self.count = self.count.saturating_add(1);
        let delay = backoff(settings, self.count, jitter);
        let delay = delay.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        self.last = Some((cause, now.saturating_add(delay)));
    }

    /// The monotonic time before which there is no further attempt.
    pub(super) fn retry_at(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |(_, retry_at)| retry_at)
    }

    /// Whether the circuit breaker is open. A server that has superseded a token works, and gives another one
    /// after its grace: callers wait for that.
    pub(super) fn is_open(&self, settings: &SessionSettings, now: Duration) -> bool {
        let works = matches!(self.last, Some((TransientError::Superseded, _)));
        self.count >= settings.failure_threshold && now < self.retry_at() && !works
    }

    /// The error for callers.
    pub(super) fn error(&self, now: Duration) -> SessionError {
        let (cause, retry_at) = self.last.unwrap_or((TransientError::Timeout, now));
        SessionError::Retry { cause, retry_after: retry_at.saturating_sub(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_maximum_and_half_of_it_is_random() {
        let settings = SessionSettings::default();
        let mut jitter = Jitter::new(7);
        let mut seen = std::collections::BTreeSet::new();
        for failures in 1..40 {
            let whole = settings.initial_backoff * 2u32.pow((failures - 1).min(16));
            let whole = whole.min(settings.max_backoff);
            for _ in 0..100 {
                let delay = backoff(&settings, failures, &mut jitter);
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
    fn retry_after_is_honoured_up_to_a_maximum() {
        let settings = SessionSettings::default();
        let mut failures = Failures::default();
        let mut record = |retry_after| {
            let mut jitter = Jitter::new(0);
            let now = Duration::from_secs(100);
            let cause = TransientError::Network;
            failures.record(&settings, &mut jitter, cause, Some(retry_after), now);
            failures.retry_at() - now
        };
        assert_eq!(record(Duration::from_secs(77)), Duration::from_secs(77));
        assert_eq!(record(Duration::from_secs(7777)), MAX_RETRY_AFTER);
    }
}
