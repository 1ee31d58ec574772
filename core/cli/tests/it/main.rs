//! The program `regrant`: its output and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod config;
mod copy;
mod health;
mod keys;
mod program;
mod sessions;
mod sweep;
mod token;

use program::Program;

/// A secret of the tests.
const SECRET: &str = "an access secret of at least 32 bytes";
