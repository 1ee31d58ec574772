//! What the tests of several crates share: real servers on loopback, started and stopped on
//! demand, each with its own port and directory, and gone when the test is; and a proxy that
//! breaks the connections to them.
//!
//! Everything here blocks: it is for threads, or for async tests that have nothing else to do.
//! Unix only: servers are paused with SIGSTOP and watched over by a shell.
#![forbid(unsafe_code)]

mod certificates;
mod deadline;
mod own_process;
mod port;
mod probe;
mod process;
mod proxy;
mod redis;

pub use self::redis::{
    ClusterOptions, Migration, RedisCluster, RedisOptions, RedisSentinels, RedisServer,
    SentinelOptions, Takeover,
};
pub use certificates::Certificates;
pub use own_process::in_own_process;
pub use proxy::TcpProxy;
