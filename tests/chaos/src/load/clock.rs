//! The clock of all processes, which a scenario sets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use regrant::types::{Clock, SystemClock, Timestamp};

/// The clock of the operating system, set forward or back.
#[derive(Debug, Default)]
pub(crate) struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    /// Sets the clock this many milliseconds ahead of the right time.
    pub(crate) fn shift(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let shift = self.0.load(Ordering::Relaxed);
        Timestamp::from_millis(SystemClock.now().as_millis() + shift)
    }

    fn elapsed(&self) -> Option<Duration> {
        SystemClock.elapsed()
    }
}
