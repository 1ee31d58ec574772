//! Model checks. They walk every history up to a depth, some millions: [`sessions`] those of one session in a store,
//! [`clients`] the schedules of clients and their server. `cargo xtask test` compiles them with the profile `model`.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "everything here runs inside tests, where a panic is a failure"
)]

pub mod clients;
pub mod report;
pub mod sessions;
pub mod token;
