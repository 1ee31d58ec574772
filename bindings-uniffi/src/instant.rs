//! Instants: milliseconds in the core, `java.time.Instant` and `Date` outside.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regrant::types::Timestamp;

/// 9999-12-31T23:59:59Z: what the clock of every platform can show.
const LAST_SECOND: u64 = 253_402_300_799;

/// The instant for other languages. One that the platform cannot hold becomes the last second of
/// the year 9999, or the epoch.
pub(crate) fn system_time(instant: Timestamp) -> SystemTime {
    let ms = instant.as_millis();
    let span = Duration::from_millis(ms.unsigned_abs());
    if ms < 0 {
        UNIX_EPOCH.checked_sub(span).unwrap_or(UNIX_EPOCH)
    } else {
        UNIX_EPOCH.checked_add(span).unwrap_or(UNIX_EPOCH + Duration::from_secs(LAST_SECOND))
    }
}

/// The instant for the core, rounded to the millisecond before it.
pub(crate) fn timestamp(instant: SystemTime) -> Timestamp {
    match instant.duration_since(UNIX_EPOCH) {
        Ok(span) => Timestamp::EPOCH.plus(span),
        // Rounding up what is subtracted rounds the instant down.
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
