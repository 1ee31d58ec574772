//! The device's two clocks, and an estimate of the server's clock.

use std::time::Duration;

use crate::types::Timestamp;

/// The current time on both clocks of the device.
///
/// The wall clock may be wrong by any amount and may be set at any moment. The monotonic clock
/// never jumps, but on many systems it stops while the device sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceTime {
    /// Time since an instant that is fixed for the lifetime of the process.
    pub monotonic: Duration,
    /// The wall clock.
    pub wall: Timestamp,
}

/// An estimate of the server's clock, from one of its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ServerClock {
    server: Timestamp,
    at: DeviceTime,
}

impl ServerClock {
    /// The server's clock showed `server` at `at`.
    pub(super) fn observed(server: Timestamp, at: DeviceTime) -> Self {
        Self { server, at }
    }

    /// Restores an estimate from the stored skew: the server was ahead of the wall clock by
    /// `skew_ms`.
    pub(super) fn from_skew(skew_ms: i64, now: DeviceTime) -> Self {
        let server = now.wall.as_millis().saturating_add(skew_ms);
        Self { server: Timestamp::from_millis(server), at: now }
    }

    /// The server's time at `now`. If the device's clocks disagree about the elapsed time, the
    /// longer one counts: renewing a token too early does no harm.
    pub(super) fn now(&self, now: DeviceTime) -> Timestamp {
        let monotonic = now.monotonic.saturating_sub(self.at.monotonic);
        self.server.plus(monotonic.max(now.wall.since(self.at.wall)))
    }

    /// By how many milliseconds the server was ahead of the wall clock.
    pub(super) fn skew_ms(&self) -> i64 {
        self.server.as_millis().saturating_sub(self.at.wall.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device_time(monotonic: u64, wall: i64) -> DeviceTime {
        DeviceTime {
            monotonic: Duration::from_secs(monotonic),
            wall: Timestamp::from_seconds(wall),
        }
    }

    #[test]
    fn setting_the_wall_clock_does_not_turn_the_server_clock_back() {
        let clock = ServerClock::observed(Timestamp::from_seconds(1_000), device_time(5, 400));
        assert_eq!(clock.skew_ms(), 600_000);
        assert_eq!(clock.now(device_time(15, 410)), Timestamp::from_seconds(1_010));
        // Set back by ten minutes, and forward; asleep for an hour.
        assert_eq!(clock.now(device_time(15, -190)), Timestamp::from_seconds(1_010));
        assert_eq!(clock.now(device_time(15, 1_010)), Timestamp::from_seconds(1_610));
        assert_eq!(clock.now(device_time(15, 4_010)), Timestamp::from_seconds(4_610));
    }

    #[test]
    fn the_skew_restores_the_server_clock_after_a_restart() {
        let clock = ServerClock::from_skew(600_000, device_time(0, 400));
        assert_eq!(clock.now(device_time(10, 410)), Timestamp::from_seconds(1_010));
    }
}
