//! The Rust client end to end: an app over the testbed of `tests/clients/bed`.
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

/// A number of the environment; `fallback` where it is absent.
///
/// # Panics
/// It is no number.
#[must_use]
pub fn number(name: &str, fallback: u32) -> u32 {
    std::env::var(name).map_or(fallback, |text| text.parse().expect("a number"))
}

/// Over how many expiries to go.
#[must_use]
pub fn expiries() -> u32 {
    number("REGRANT_E2E_EXPIRIES", 2)
}

/// Says what was counted, although the harness hides what tests print.
///
/// # Panics
/// Standard error is closed.
pub fn report(line: impl Display) {
    writeln!(std::io::stderr(), "e2e: rust: {line}").expect("standard error takes a line");
}
