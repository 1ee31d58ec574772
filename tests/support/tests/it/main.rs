//! The tests of the test servers, as one program.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod cluster;
mod proxy;
mod redis_server;
mod sentinels;
