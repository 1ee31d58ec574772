//! What the tests of several crates share: real servers on loopback, started and stopped on
//! demand, each with its own port and directory, and gone when the test is.
//!
//! Unix only: servers are paused with SIGSTOP and watched over by a shell.
#![forbid(unsafe_code)]

mod guard;
mod probe;
mod redis;

pub use redis::{RedisOptions, RedisServer};
