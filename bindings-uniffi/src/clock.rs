//! The clock, injected from Kotlin or Swift.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use regrant::types::{SystemClock, Timestamp};

use crate::instant;

/// Where "now" comes from. Implement it in tests, so that expiry needs no waiting.
#[uniffi::export(with_foreign)]
pub trait Clock: Send + Sync {
    /// The present instant. Called by many threads at once; it must not throw.
    fn now(&self) -> SystemTime;
}

/// The clock for the core: the given one, else the system's.
pub(crate) fn of(given: Option<Arc<dyn Clock>>) -> Arc<dyn regrant::types::Clock> {
    match given {
        Some(clock) => Arc::new(Foreign(clock)),
        None => Arc::new(SystemClock),
    }
}

/// The clock for a session, whose task would end where a clock throws: then it is the system's.
pub(crate) fn steady(given: Option<Arc<dyn Clock>>) -> Arc<dyn regrant::types::Clock> {
    Arc::new(Steady(of(given)))
}

#[derive(Debug)]
struct Steady(Arc<dyn regrant::types::Clock>);

impl regrant::types::Clock for Steady {
    fn now(&self) -> Timestamp {
        let given = AssertUnwindSafe(|| self.0.now());
        catch_unwind(given).unwrap_or_else(|_| SystemClock.now())
    }
}

struct Foreign(Arc<dyn Clock>);

impl regrant::types::Clock for Foreign {
    fn now(&self) -> Timestamp {
        instant::timestamp(self.0.now())
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}
