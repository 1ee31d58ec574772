//! Time: instants, lifetimes, and the clock that is always handed in.

mod clock;
mod span;

pub use clock::{Clock, ManualClock, SystemClock};
pub use span::{format_span, parse_span, span_seconds_or_text};

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// All arithmetic saturates, and every value stays within ±(2^53 − 1), so that Lua, JavaScript
/// and JSON hold it exactly.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

const LIMIT: i64 = (1 << 53) - 1;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// `ms` milliseconds since the epoch, clamped to ±(2^53 − 1).
    pub const fn from_millis(ms: i64) -> Self {
        Self(if ms > LIMIT {
            LIMIT
        } else if ms < -LIMIT {
            -LIMIT
        } else {
            ms
        })
    }

    /// `seconds` seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: a NumericDate (RFC 7519 §2).
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant and `span` more.
    pub fn plus(self, span: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(span)))
    }

    /// This instant less `span`.
    pub fn minus(self, span: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(millis(span)))
    }

    /// The time from `earlier` to this instant; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(LIMIT)
}
