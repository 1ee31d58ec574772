//! Counts of a load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A count that many tasks add to.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn raise(&self, to: u64) {
        self.0.fetch_max(to, Ordering::Relaxed);
    }
}

/// The counts of one scenario.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Sessions of honest clients.
    pub(crate) honest: Count,
    /// Refreshes that returned tokens.
    pub(crate) refreshes: Count,
    /// Requests that were answered with "try again" (503).
    pub(crate) unavailable: Count,
    /// Requests that were answered with "try again with your newest token" (409).
    pub(crate) superseded: Count,
    /// Sessions of honest clients that were rejected. Must be 0.
    pub(crate) logged_out: Count,
    /// Sessions of honest clients that were lost with their server.
    pub(crate) lost: Count,
    /// Thefts.
    pub(crate) committed: Count,
    /// Thefts after which one of the two clients was rejected, as it must be.
    pub(crate) detected: Count,
    /// The most refreshes of both clients that it took.
    refreshes_to_detect: Count,
    /// Logouts that were acknowledged and reported to be on replicas, or on the only server.
    pub(crate) revoked_durably: Count,
    /// Logouts that were acknowledged without enough replicas.
    pub(crate) revoked_unreplicated: Count,
    /// Durable logouts whose tokens were accepted again. Must be 0.
    pub(crate) returned_durable: Count,
    /// Other logouts whose tokens were accepted again.
    pub(crate) returned_unreplicated: Count,
    /// Requests of clients that repeat them without end.
    pub(crate) endless: Count,
    /// The slowest recovery in milliseconds.
    recovery: Count,
}

impl Tally {
    /// A client had to retry for this long.
    pub(crate) fn recovered_after(&self, span: Duration) {
        self.recovery.raise(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }

    /// The longest time that a client had to retry until it got an answer.
    pub(crate) fn slowest_recovery(&self) -> Duration {
        Duration::from_millis(self.recovery.get())
    }

    /// A theft was detected by the refresh with this number, counted from 1.
    pub(crate) fn detected_after(&self, number: u64) {
        self.detected.add(1);
        self.refreshes_to_detect.raise(number);
    }

    /// Adds the counts of another scenario.
    pub(crate) fn include(&self, other: &Self) {
        for (sum, more) in [
            (&self.honest, &other.honest),
            (&self.refreshes, &other.refreshes),
            (&self.unavailable, &other.unavailable),
            (&self.superseded, &other.superseded),
            (&self.logged_out, &other.logged_out),
            (&self.lost, &other.lost),
            (&self.committed, &other.committed),
            (&self.detected, &other.detected),
            (&self.revoked_durably, &other.revoked_durably),
            (&self.revoked_unreplicated, &other.revoked_unreplicated),
            (&self.returned_durable, &other.returned_durable),
            (&self.returned_unreplicated, &other.returned_unreplicated),
            (&self.endless, &other.endless),
        ] {
            sum.add(more.get());
        }
        self.refreshes_to_detect.raise(other.refreshes_to_detect.get());
        self.recovery.raise(other.recovery.get());
    }

    /// The most refreshes that it took to detect a theft.
    pub(crate) fn most_refreshes(&self) -> u64 {
        self.refreshes_to_detect.get()
    }
}
