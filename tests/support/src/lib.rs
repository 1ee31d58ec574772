//! Support for the tests of several crates: real servers on loopback, started and stopped on
//! demand, each with its own port and directory, and stopped when the test ends; a proxy that
//! breaks the connections to them; and processes of Node.js.
//!
//! All functions block: call them from threads, or from async tests that have nothing else to do.
//! Unix only: servers are paused with SIGSTOP and guarded by a shell.
#![forbid(unsafe_code)]

mod certificates;
mod deadline;
mod mariadb;
mod node;
mod own_process;
mod pgbouncer;
mod port;
mod postgres;
mod probe;
mod process;
mod proxy;
mod redis;

pub use self::redis::{
    ClusterOptions, Migration, RedisCluster, RedisOptions, RedisSentinels, RedisServer,
    SentinelOptions, Takeover,
};
pub use certificates::Certificates;
pub use mariadb::{Flush, MariadbServer};
pub use node::NodeProcess;
pub use own_process::in_own_process;
pub use pgbouncer::PgBouncer;
pub use postgres::PostgresServer;
pub use proxy::TcpProxy;
