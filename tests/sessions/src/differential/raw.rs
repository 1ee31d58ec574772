//! What Redis holds, byte for byte.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use regrant::session::Record;
use regrant::types::{SessionId, Subject};
use regrant_test_support::RedisServer;

/// The length of the name of a label's field: so much of the session id, from its end.
const LABEL_BYTES: usize = 8;

/// A session as it lies in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bytes of its record.
    pub record: Vec<u8>,
    /// The label of its device.
    pub label: String,
}

impl Packed {
    /// How a record should lie there.
    pub fn of(record: &Record) -> Self {
        Self { record: record.encode(), label: record.device.as_str().to_owned() }
    }

    /// The record.
    pub fn unpack(&self) -> regrant::Result<Record> {
        Record::decode(&self.record, &self.label)
    }
}

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

    /// The packed records of a user, each with its label. A label without a record is found out.
    pub async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Packed> {
        let key = self.key(subject);
        let mut fields: BTreeMap<Vec<u8>, Vec<u8>> =
            self.connection.hgetall(key).await.expect("Redis answers");
        let mut labels = fields.clone();
        labels.retain(|name, _| name.len() == LABEL_BYTES);
        fields.retain(|name, _| name.len() != LABEL_BYTES);
        let records = fields
            .into_iter()
            .map(|(name, record)| {
                let name: [u8; 16] = name.try_into().expect("a session id");
                let label = labels.remove(&name[LABEL_BYTES..]).unwrap_or_default();
                let label = String::from_utf8(label).expect("a text");
                (SessionId::from_bytes(name), Packed { record, label })
            })
            .collect();
        assert!(labels.is_empty(), "labels of no session: {labels:?}");
        records
    }

    /// Keeps the key of a user for long: Redis ends it by its own clock, and not by the test's.
    pub async fn keep(&mut self, subject: &Subject) {
        let key = self.key(subject);
        let _kept: bool = self.connection.pexpire(key, 1 << 47).await.expect("Redis answers");
    }

    /// Puts a session in the place of all that is there.
    pub async fn put(&mut self, subject: &Subject, session: &SessionId, packed: &Packed) {
        let key = self.key(subject);
        let mut pipe = redis::pipe();
        pipe.atomic().del(&key).hset(&key, session.as_bytes(), &packed.record);
        if !packed.label.is_empty() {
            pipe.hset(&key, &session.as_bytes()[LABEL_BYTES..], &packed.label);
        }
        let _counts: Vec<u32> =
            pipe.query_async(&mut self.connection).await.expect("Redis answers");
    }
}
