//! The Rust client end to end: an app on the testbed in `tests/clients/testbed`.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

mod app;
mod fatal;
mod testbed;

use std::fmt::Display;
use std::io::Write as _;

pub use app::App;
pub use fatal::{FatalStorage, FatalTransport, Moment};
pub use testbed::{Counts, FaultProxy};

/// The number in an environment variable; `fallback` if it is not set.
///
/// # Panics
/// The value is not a number.
#[must_use]
pub fn number(name: &str, fallback: u32) -> u32 {
    std::env::var(name).map_or(fallback, |text| text.parse().expect("a number"))
}

/// The number of expiries to cover.
#[must_use]
pub fn expiries() -> u32 {
    number("REGRANT_E2E_EXPIRIES", 2)
}

/// Prints counters past the harness, which captures the output of tests.
///
/// # Panics
/// Standard error is closed.
pub fn report(line: impl Display) {
    writeln!(std::io::stderr(), "e2e: rust: {line}").expect("standard error takes a line");
}
