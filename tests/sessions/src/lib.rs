//! Tests of sessions in four parts: a model check of the state machine (`model`), a model check of
//! clients and server together (`clients`), one contract for all stores (`contract`), and
//! differential tests of the stores against the Rust functions (`differential`).
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "everything here runs inside tests, where a panic is a failure"
)]

pub mod backends;
pub mod clients;
pub mod contract;
pub mod device;
pub mod differential;
pub mod key_value;
pub mod model;
pub mod node_database;
pub mod report;
pub mod token;
