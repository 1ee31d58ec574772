//! The bytes in Redis.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use regrant::session::{ClientDetails, Record, SessionNotes};
use regrant::types::{SessionId, Subject};
use regrant_test_support::RedisServer;

use crate::backends::PATIENCE;

/// The length of the name of a label's field: the last bytes of the session id.
const LABEL_BYTES: usize = 8;

/// What follows these bytes in the names of the fields for updated claims, and for the clients of the
/// login and the latest refresh.
const NOTES: [u8; 3] = *b"clr";

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The encoded record.
    pub record: Vec<u8>,
    /// The label of its device.
    pub label: String,
    /// The notes, in the order of [`NOTES`]; empty for none.
    notes: [String; 3],
}

impl Encoded {
    /// The correct encoding of a record.
    pub fn of(record: &Record) -> Self {
        let SessionNotes { claims, created_from, refreshed_from } = &record.notes;
        let client = |client: &Option<Box<ClientDetails>>| {
            let json = client.as_ref().map(serde_json::to_string);
            json.transpose().expect("texts").unwrap_or_default()
        };
        let claims = claims.as_ref().map(ToString::to_string).unwrap_or_default();
        let (login, mut refresh) = (client(created_from), client(refreshed_from));
        if !refresh.is_empty() && refresh == login {
            refresh = "=".to_owned();
        }
        let notes = [claims, login, refresh];
        Self { record: record.encode(), label: record.device.as_str().to_owned(), notes }
    }

    /// The record, without notes.
    pub fn decode(&self) -> regrant::Result<Record> {
        Record::decode(&self.record, &self.label)
    }
}

/// A separate connection to the store's Redis.
#[derive(Clone)]
pub struct Raw {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Raw {
    /// Connects to the keys of a store with this prefix.
    pub async fn connect(server: &RedisServer, prefix: &str) -> Self {
        let client = redis::Client::open(server.url()).expect("an address");
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = connection.expect("Redis answers");
        Self { connection, prefix: prefix.to_owned() }
    }

    fn key(&self, subject: &Subject) -> String {
        format!("{}u:{subject}", self.prefix)
    }

    /// The encoded records of a user, each with its label and notes. Fails for those without a record.
    pub async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Encoded> {
        let key = self.key(subject);
        let mut fields: BTreeMap<Vec<u8>, Vec<u8>> =
            self.connection.hgetall(key).await.expect("Redis answers");
        let mut texts = fields.clone();
        texts.retain(|name, _| name.len() < size_of::<SessionId>());
        fields.retain(|name, _| name.len() == size_of::<SessionId>());
        let records = fields
            .into_iter()
            .map(|(name, record)| {
                let name: [u8; 16] = name.try_into().expect("a session id");
                let mut text = |suffix: &[u8]| {
                    let name = [&name[LABEL_BYTES..], suffix].concat();
                    String::from_utf8(texts.remove(&name).unwrap_or_default()).expect("a text")
                };
                let (label, notes) = (text(b""), NOTES.map(|note| text(&[note])));
                (SessionId::from_bytes(name), Encoded { record, label, notes })
            })
            .collect();
        assert!(texts.is_empty(), "labels or notes of no session: {texts:?}");
        records
    }

    /// Extends the expiry of a user's key: Redis uses its own clock, not the test's.
    pub async fn keep(&mut self, subject: &Subject) {
        let key = self.key(subject);
        let _kept: bool = self.connection.pexpire(key, 1 << 47).await.expect("Redis answers");
    }

    /// Replaces all sessions of a user with this one.
    pub async fn put(&mut self, subject: &Subject, session: &SessionId, encoded: &Encoded) {
        let key = self.key(subject);
        let mut pipe = redis::pipe();
        pipe.atomic().del(&key).hset(&key, session.as_bytes(), &encoded.record);
        if !encoded.label.is_empty() {
            pipe.hset(&key, &session.as_bytes()[LABEL_BYTES..], &encoded.label);
        }
        let _counts: Vec<u32> =
            pipe.query_async(&mut self.connection).await.expect("Redis answers");
    }
}
