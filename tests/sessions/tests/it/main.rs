//! The tests of the session engine, as one program: it is linked once, and a test is named by its file.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod contract;
mod differential;
mod feed;
mod kills;
mod moving;
mod moving_histories;
mod postgres;
mod postgres_servers;
mod redis;
mod redis_address;
mod redis_cluster;
mod redis_full;
mod redis_health;
mod redis_late;
mod redis_memory;
mod redis_sentinel;
mod redis_tls;
mod redis_without;
mod secrets;
