//! Proof of the session engine, in four parts: an exhaustive check of the state machine over
//! short histories (`model`), the same for clients and their server together (`clients`), one
//! contract for all stores (`contract`), and the Redis scripts against the Rust functions over
//! random histories (`differential`).
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "everything here runs inside tests, where giving up is how a failure is told"
)]

pub mod backends;
pub mod clients;
pub mod contract;
pub mod device;
pub mod differential;
pub mod model;
pub mod report;
pub mod token;
