//! The clock for tests.

use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use regrant::types::{Clock, ManualClock, SystemClock, Timestamp};

/// A clock that stands still until it is moved, so that tests of expiry need not wait. All numbers
/// are milliseconds, as in `Date`.
#[napi]
pub struct TestClock(Arc<ManualClock>);

#[napi]
impl TestClock {
    /// A clock that shows `now`, in milliseconds since 1970; by default the system time.
    #[napi(constructor, catch_unwind)]
    pub fn new(now: Option<f64>) -> Self {
        let now = now.map_or_else(|| SystemClock.now(), timestamp);
        Self(Arc::new(ManualClock::new(now)))
    }

    /// The time of the clock, in milliseconds since 1970.
    #[napi(catch_unwind)]
    pub fn now(&self) -> f64 {
        millis(self.0.now())
    }

    /// Sets the clock to `now`, in milliseconds since 1970.
    #[napi(catch_unwind)]
    pub fn set(&self, now: f64) {
        self.0.set(timestamp(now));
    }

    /// Moves the clock forward by `ms` milliseconds. A negative number does nothing.
    #[napi(catch_unwind)]
    pub fn advance(&self, ms: f64) {
        self.0.advance(Duration::from_millis(ms as u64));
    }
}

impl TestClock {
    /// The clock itself, shared.
    pub fn shared(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0) as Arc<dyn Clock>
    }
}

/// Casts saturate, and so does [`Timestamp`].
fn timestamp(ms: f64) -> Timestamp {
    Timestamp::from_millis(ms as i64)
}

/// Exact: a [`Timestamp`] stays within ±(2^53 − 1).
fn millis(now: Timestamp) -> f64 {
    now.as_millis() as f64
}
