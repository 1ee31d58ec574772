//! Time: clocks implemented in Kotlin or Swift, and the conversion of timestamps (milliseconds in the
//! core, `java.time.Instant` and `Date` outside).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regrant::types::{SystemClock, Timestamp};

/// The source of the current time. Implement it in tests to control expiry.
#[uniffi::export(with_foreign)]
pub trait Clock: Send + Sync {
    /// The current time. Called concurrently; it must not throw.
    fn now(&self) -> SystemTime;
}

/// `given` for the core, or the system clock.
pub(crate) fn clock(given: Option<Arc<dyn Clock>>) -> Arc<dyn regrant::types::Clock> {
    match given {
        Some(clock) => Arc::new(Foreign(clock)),
        None => Arc::new(SystemClock),
    }
}

/// As [`clock`]; if the clock throws, the system clock is used. A panic would end a session's task.
pub(crate) fn infallible_clock(given: Option<Arc<dyn Clock>>) -> Arc<dyn regrant::types::Clock> {
    Arc::new(Infallible(clock(given)))
}

#[derive(Debug)]
struct Infallible(Arc<dyn regrant::types::Clock>);

impl regrant::types::Clock for Infallible {
    fn now(&self) -> Timestamp {
        let given = AssertUnwindSafe(|| self.0.now());
        catch_unwind(given).unwrap_or_else(|_| SystemClock.now())
    }
}

struct Foreign(Arc<dyn Clock>);

impl regrant::types::Clock for Foreign {
    fn now(&self) -> Timestamp {
        timestamp(self.0.now())
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

/// 9999-12-31T23:59:59Z, which every platform can represent.
const LAST_SECOND: u64 = 253_402_300_799;

/// Converts to a `SystemTime`. A timestamp that the platform cannot represent becomes the last second
/// of the year 9999, or the epoch.
pub(crate) fn system_time(instant: Timestamp) -> SystemTime {
    let ms = instant.as_millis();
    let span = Duration::from_millis(ms.unsigned_abs());
    if ms < 0 {
        UNIX_EPOCH.checked_sub(span).unwrap_or(UNIX_EPOCH)
    } else {
        UNIX_EPOCH.checked_add(span).unwrap_or(UNIX_EPOCH + Duration::from_secs(LAST_SECOND))
    }
}

/// Converts from a `SystemTime`, rounding down to a millisecond.
pub(crate) fn timestamp(instant: SystemTime) -> Timestamp {
    match instant.duration_since(UNIX_EPOCH) {
        Ok(span) => Timestamp::EPOCH.plus(span),
        // Rounding the difference up rounds the timestamp down.
        Err(before) => Timestamp::EPOCH.minus(before.duration() + Duration::from_nanos(999_999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_round_trip_on_both_sides_of_the_epoch() {
        for ms in [0, 1, 999, 1000, 1_700_000_000_123, -1, -999, -1000, -1_700_000_000_123] {
            assert_eq!(timestamp(system_time(Timestamp::from_millis(ms))).as_millis(), ms);
        }
    }

    #[test]
    fn parts_of_a_millisecond_round_down() {
        let nanos = |nanos| Duration::from_nanos(nanos);
        assert_eq!(timestamp(UNIX_EPOCH + nanos(1_999_999)).as_millis(), 1);
        assert_eq!(timestamp(UNIX_EPOCH - nanos(1)).as_millis(), -1);
        assert_eq!(timestamp(UNIX_EPOCH - nanos(1_000_001)).as_millis(), -2);
    }

    #[test]
    fn the_largest_instant_does_not_panic() {
        let largest = Timestamp::from_millis(i64::MAX);
        assert!(system_time(largest) >= UNIX_EPOCH + Duration::from_secs(LAST_SECOND));
        assert!(system_time(Timestamp::from_millis(i64::MIN)) <= UNIX_EPOCH);
    }
}
