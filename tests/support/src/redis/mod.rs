//! Real Redis servers: standalone, with Sentinels, and as a cluster.

mod cluster;
mod options;
mod sentinels;
mod server;

pub use cluster::{ClusterOptions, Migration, RedisCluster, Takeover};
pub use options::RedisOptions;
pub use sentinels::{RedisSentinels, SentinelOptions};
pub use server::RedisServer;
