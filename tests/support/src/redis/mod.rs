//! Real Redis servers: one alone, one with replicas under Sentinels, and a cluster.

mod cluster;
mod options;
mod sentinels;
mod server;

pub use cluster::{ClusterOptions, Migration, RedisCluster, Takeover};
pub use options::RedisOptions;
pub use sentinels::{RedisSentinels, SentinelOptions};
pub use server::RedisServer;
