//! What a server says about itself (`INFO`, which is allowed where `CONFIG` is not).

use std::collections::HashMap;

use redis::{ErrorKind, RedisResult, ServerErrorKind, cmd};
use tokio::time::Instant;

use super::link::Live;

/// What is known of a server. Nothing, where the access list forbids to ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Server(HashMap<String, String>);

impl Server {
    pub(super) async fn ask(live: &Live, deadline: Instant) -> RedisResult<Self> {
        match live.send::<String>(&cmd("INFO"), false, deadline).await {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
                Ok(Self::default())
            }
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.get("redis_version")
    }

    /// Of this life of the server: another one after each start.
    pub(super) fn run_id(&self) -> Option<&str> {
        self.get("run_id")
    }

    /// Its clock, in milliseconds since 1970; Redis says so from 7.0 on.
    pub(super) fn millis(&self) -> Option<i64> {
        self.get("server_time_usec")?.parse::<i64>().ok().map(|micros| micros / 1_000)
    }

    /// `master` or `slave`.
    pub(super) fn role(&self) -> Option<&str> {
        self.get("role")
    }

    /// Whether its data is still being read from disk.
    pub(super) fn is_loading(&self) -> bool {
        self.get("loading") == Some("1")
    }

    /// How many replicas are connected to it.
    pub(super) fn replicas(&self) -> Option<u32> {
        self.get("connected_slaves")?.parse().ok()
    }

    pub(super) fn appends_to_file(&self) -> Option<bool> {
        self.get("aof_enabled").map(|enabled| enabled == "1")
    }

    pub(super) fn eviction_policy(&self) -> Option<&str> {
        self.get("maxmemory_policy")
    }

    /// The policy, where it may evict what has not expired.
    pub(super) fn evicting_policy(&self) -> Option<&str> {
        self.eviction_policy().filter(|policy| *policy != "noeviction")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\n# Memory\r\n\
                    maxmemory_policy:allkeys-lru\r\n# Replication\r\nrole:master\r\n\
                    server_time_usec:1795475327564250\r\nconnected_slaves:2\r\nslave0:ip=127.0.0.1,port=1\r\n";
        let server = Server::parse(text);
        assert_eq!(server.version(), Some("7.0.15"));
        assert_eq!(server.role(), Some("master"));
        assert_eq!(server.millis(), Some(1_795_475_327_564));
        assert_eq!(server.replicas(), Some(2));
        assert_eq!(server.evicting_policy(), Some("allkeys-lru"));
        assert!(!server.is_loading());
        assert_eq!(Server::parse("maxmemory_policy:noeviction").evicting_policy(), None);
        assert_eq!(Server::default().evicting_policy(), None);
    }
}
