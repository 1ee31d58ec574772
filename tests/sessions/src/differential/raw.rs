//! What Redis holds, byte for byte.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use regrant::identity::{SessionId, Subject};
use regrant_test_support::RedisServer;

/// A plain connection beside the store's.
#[derive(Clone)]
pub struct Raw {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Raw {
    /// Looks at the keys of a store with this prefix.
    pub async fn connect(server: &RedisServer, prefix: &str) -> Self {
        let client = redis::Client::open(server.url()).expect("an address");
        let connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        Self { connection, prefix: prefix.to_owned() }
    }

    fn key(&self, subject: &Subject) -> String {
        format!("{}u:{subject}", self.prefix)
    }

    /// The packed records of a user.
    pub async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Vec<u8>> {
        let key = self.key(subject);
        let fields: Vec<(String, Vec<u8>)> =
            self.connection.hgetall(key).await.expect("Redis answers");
        fields.into_iter().map(|(id, bytes)| (id.parse().expect("a session id"), bytes)).collect()
    }

    /// Keeps the key of a user for long: Redis ends it by its own clock, and not by the test's.
    pub async fn keep(&mut self, subject: &Subject) {
        let key = self.key(subject);
        let _kept: bool = self.connection.pexpire(key, 1 << 47).await.expect("Redis answers");
    }

    /// Puts a packed record in the place of what is there.
    pub async fn put(&mut self, subject: &Subject, session: &SessionId, bytes: &[u8]) {
        let key = self.key(subject);
        let () =
            self.connection.hset(key, session.to_string(), bytes).await.expect("Redis answers");
    }
}
