//! What is counted while the load runs.

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
    /// Refreshes that were answered with tokens.
    pub(crate) refreshes: Count,
    /// Requests that were answered with "try again" (503).
    pub(crate) unavailable: Count,
    /// Requests that were answered with "try again with your newest token" (409).
    pub(crate) superseded: Count,
    /// Sessions of honest clients that were refused. Must be none.
    pub(crate) logged_out: Count,
    /// Thefts planted.
    pub(crate) planted: Count,
    /// Those after which one of the holders was refused as he must be.
    pub(crate) caught: Count,
    /// The most acts of both holders that it took.
    acts: Count,
    /// Logouts acknowledged and told to be on replicas, or on the only server that there is.
    pub(crate) ended_for_good: Count,
    /// Logouts acknowledged without that.
    pub(crate) ended_unsurely: Count,
    /// Those of the former that were accepted again. Must be none.
    pub(crate) back_from_good: Count,
    /// Those of the latter that were accepted again.
    pub(crate) back_from_unsure: Count,
    /// In milliseconds.
    recovery: Count,
}

impl Tally {
    /// A client had to try for so long.
    pub(crate) fn recovered_after(&self, span: Duration) {
        self.recovery.raise(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }

    /// The longest that any client had to try until it had an answer.
    pub(crate) fn slowest_recovery(&self) -> Duration {
        Duration::from_millis(self.recovery.get())
    }

    /// A theft was caught at this act, counted from 1.
    pub(crate) fn caught_at(&self, act: u64) {
        self.caught.add(1);
        self.acts.raise(act);
    }

    /// Adds what another scenario counted.
    pub(crate) fn include(&self, other: &Self) {
        for (sum, more) in [
            (&self.honest, &other.honest),
            (&self.refreshes, &other.refreshes),
            (&self.unavailable, &other.unavailable),
            (&self.superseded, &other.superseded),
            (&self.logged_out, &other.logged_out),
            (&self.planted, &other.planted),
            (&self.caught, &other.caught),
            (&self.ended_for_good, &other.ended_for_good),
            (&self.ended_unsurely, &other.ended_unsurely),
            (&self.back_from_good, &other.back_from_good),
            (&self.back_from_unsure, &other.back_from_unsure),
        ] {
            sum.add(more.get());
        }
        self.acts.raise(other.acts.get());
        self.recovery.raise(other.recovery.get());
    }

    /// The most acts that it took to catch a theft.
    pub(crate) fn most_acts(&self) -> u64 {
        self.acts.get()
    }
}
