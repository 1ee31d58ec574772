//! The model checks, and the mutants that they must detect.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod clients;
mod histories;
mod mutants;
mod sessions;
