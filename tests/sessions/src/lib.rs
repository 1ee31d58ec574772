//! Tests of sessions in every store: one contract for all (`contract`), and differential tests of the stores against the
//! Rust functions (`differential`).
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "everything here runs inside tests, where a panic is a failure"
)]

pub mod backends;
pub mod contract;
pub mod device;
pub mod differential;
pub mod key_value;
pub mod node_database;
