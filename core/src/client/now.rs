//! Two clocks of a device, neither of which is right, and what they tell of the server's.

use std::time::Duration;

use crate::types::Timestamp;

/// The present as a device tells it.
///
/// The wall clock may be wrong by any amount and be set at any moment. The monotonic clock never
/// jumps, but on many systems it stands still while the device sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// The time since some instant that stays the same while the process lives.
    pub monotonic: Duration,
    /// What the wall clock shows.
    pub wall: Timestamp,
}

/// The server's clock, as learnt from one of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ServerClock {
    server: Timestamp,
    at: Now,
}

impl ServerClock {
    /// The server's clock showed `server` at `at`.
    pub(super) fn learnt(server: Timestamp, at: Now) -> Self {
        Self { server, at }
    }

    /// The server was ahead of the wall clock by `skew_ms` when it was last heard of.
    pub(super) fn remembered(skew_ms: i64, now: Now) -> Self {
        let server = now.wall.as_millis().saturating_add(skew_ms);
        Self { server: Timestamp::from_millis(server), at: now }
    }

    /// What the server's clock shows now. Where the two clocks disagree about the time that has
    /// passed, the longer one counts: a token that is renewed too early does no harm.
    pub(super) fn now(&self, now: Now) -> Timestamp {
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

    fn now(monotonic: u64, wall: i64) -> Now {
        Now { monotonic: Duration::from_secs(monotonic), wall: Timestamp::from_seconds(wall) }
    }

    #[test]
    fn a_wall_clock_that_is_set_does_not_turn_the_servers_back() {
        let clock = ServerClock::learnt(Timestamp::from_seconds(1_000), now(5, 400));
        assert_eq!(clock.skew_ms(), 600_000);
        assert_eq!(clock.now(now(15, 410)), Timestamp::from_seconds(1_010));
        // Set back by ten minutes, and forward; asleep for an hour.
        assert_eq!(clock.now(now(15, -190)), Timestamp::from_seconds(1_010));
        assert_eq!(clock.now(now(15, 1_010)), Timestamp::from_seconds(1_610));
        assert_eq!(clock.now(now(15, 4_010)), Timestamp::from_seconds(4_610));
    }

    #[test]
    fn what_was_learnt_outlives_the_process() {
        let clock = ServerClock::remembered(600_000, now(0, 400));
        assert_eq!(clock.now(now(10, 410)), Timestamp::from_seconds(1_010));
    }
}
