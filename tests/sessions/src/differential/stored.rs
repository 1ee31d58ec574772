//! The stores that are compared with the Rust functions, and the bytes in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use regrant::session::{ClientDetails, Record, SessionNotes};
use regrant::store::postgres::{PostgresOptions, PostgresStore};
use regrant::store::{KeyValueStore, SessionStore};
use regrant::types::{Clock, ManualClock, SessionId, Subject, Timestamp};
use regrant_test_support::{PostgresServer, RedisServer};
use sha2::{Digest as _, Sha256};

use crate::backends::{PATIENCE, custom_store, patient_store};
use crate::key_value::MemoryKeyValues;
use crate::node_database::NodeKeys;

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The encoded record.
    pub record: Vec<u8>,
    /// The label of its device.
    pub label: String,
    /// The notes, of which each store has an encoding of its own.
    pub notes: SessionNotes,
}

impl Encoded {
    /// The correct encoding of a record.
    pub fn of(record: &Record) -> Self {
        let label = record.device.as_str().to_owned();
        Self { record: record.encode(), label, notes: record.notes.clone() }
    }

    /// The record.
    pub fn decode(&self) -> regrant::Result<Record> {
        let record = Record::decode(&self.record, &self.label)?;
        Ok(Record { notes: self.notes.clone(), ..record })
    }
}

/// What a store has written, read and written without it.
#[async_trait]
pub trait StoredBytes: Send {
    /// The encoded records of a user, each with its label and notes. Fails where these are not encoded
    /// as they must be.
    async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Encoded>;

    /// Replaces all sessions of a user with this one.
    async fn put(&mut self, subject: &Subject, session: &SessionId, encoded: &Encoded);

    /// Extends the expiry of a user where the database uses a clock of its own, not the test's.
    async fn keep(&mut self, _: &Subject) {}
}

/// An empty store that is compared with the Rust functions.
pub struct Tested {
    /// The store.
    pub store: Arc<dyn SessionStore>,
    /// Its bytes.
    pub stored: Box<dyn StoredBytes>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Whether a run goes on until every outcome has occurred.
    pub covers_all: bool,
}

impl Tested {
    /// A Redis store, which decides in Lua.
    pub async fn redis(server: &RedisServer, prefix: &str) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let store = patient_store(server, prefix, Some(Arc::clone(&clock) as Arc<dyn Clock>));
        let stored = Box::new(RedisBytes::connect(server, prefix).await);
        Self { store, stored, clock, covers_all: true }
    }

    /// A PostgreSQL store.
    pub async fn postgres(server: &PostgresServer) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let mut options = PostgresOptions::default();
        options.clock = Some(Arc::clone(&clock) as Arc<dyn Clock>);
        options.timeout = PATIENCE;
        let store = PostgresStore::new(&server.url(), options).expect("an address");
        server.sql(PostgresStore::SCHEMA).expect("tables");
        let (client, connection) =
            tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.expect("a server");
        tokio::spawn(connection);
        let stored = Box::new(PostgresBytes(client));
        Self { store: Arc::new(store), stored, clock, covers_all: true }
    }

    /// A custom store over a map of this process.
    pub fn custom() -> Self {
        let database = Arc::new(MemoryKeyValues::default());
        Self::custom_over(Arc::clone(&database) as _, database)
    }

    /// A custom store that Node.js reads and writes, and its bytes as another process of the app does. Only what is
    /// stored and read again differs from the store over a map.
    pub fn custom_node(keys: NodeKeys) -> Self {
        let another = keys.again().database();
        Self { covers_all: false, ..Self::custom_over(keys.database(), another) }
    }

    fn custom_over(database: Arc<dyn KeyValueStore>, another: Arc<dyn KeyValueStore>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let store = custom_store(database, &clock);
        Self { store, stored: Box::new(CustomBytes(another)), clock, covers_all: true }
    }
}

/// The length of the name of a label's field in Redis: the last bytes of the session id.
const LABEL_BYTES: usize = 8;

/// What follows these bytes in the names of the fields for updated claims, and for the clients of the
/// login and the latest refresh.
const NOTES: [u8; 3] = *b"clr";

/// A separate connection to the store's Redis.
struct RedisBytes {
    connection: MultiplexedConnection,
    prefix: String,
}

impl RedisBytes {
    async fn connect(server: &RedisServer, prefix: &str) -> Self {
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
}

#[async_trait]
impl StoredBytes for RedisBytes {
    /// Fails for labels and notes without a record too.
    async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Encoded> {
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
                    let text = texts.remove(&[&name[LABEL_BYTES..], suffix].concat());
                    text.map(|text| String::from_utf8(text).expect("a text"))
                };
                let label = text(b"").unwrap_or_default();
                let notes = from_texts(NOTES.map(|note| text(&[note])));
                (SessionId::from_bytes(name), Encoded { record, label, notes })
            })
            .collect();
        assert!(texts.is_empty(), "labels or notes of no session: {texts:?}");
        records
    }

    async fn keep(&mut self, subject: &Subject) {
        let key = self.key(subject);
        let _kept: bool = self.connection.pexpire(key, 1 << 47).await.expect("Redis answers");
    }

    async fn put(&mut self, subject: &Subject, session: &SessionId, encoded: &Encoded) {
        let key = self.key(subject);
        let mut pipe = redis::pipe();
        pipe.atomic().del(&key).hset(&key, session.as_bytes(), &encoded.record);
        if !encoded.label.is_empty() {
            pipe.hset(&key, &session.as_bytes()[LABEL_BYTES..], &encoded.label);
        }
        for (note, text) in NOTES.into_iter().zip(to_texts(&encoded.notes)) {
            if let Some(text) = text {
                pipe.hset(&key, [&session.as_bytes()[LABEL_BYTES..], &[note]].concat(), text);
            }
        }
        let _counts: Vec<u32> =
            pipe.query_async(&mut self.connection).await.expect("Redis answers");
    }
}

/// The notes as Redis keeps them, in the order of [`NOTES`]. For the client of the latest refresh `=`
/// is the same as that of the login.
fn to_texts(notes: &SessionNotes) -> [Option<String>; 3] {
    let SessionNotes { claims, created_from, refreshed_from, .. } = notes;
    let client = |client: &ClientDetails| serde_json::to_string(client).expect("texts");
    let refreshed_from = refreshed_from.as_deref().map(|from| match created_from.as_deref() {
        Some(same) if same == from => "=".to_owned(),
        _ => client(from),
    });
    let claims = claims.as_ref().map(ToString::to_string);
    [claims, created_from.as_deref().map(client), refreshed_from]
}

fn from_texts(texts: [Option<String>; 3]) -> SessionNotes {
    let [claims, login, refresh] = &texts;
    let client = |text: &String| Box::new(serde_json::from_str(text).expect("a client"));
    let refresh = if refresh.as_deref() == Some("=") { login } else { refresh };
    let notes = SessionNotes {
        claims: claims.as_ref().map(|text| Box::new(text.parse().expect("claims"))),
        created_from: login.as_ref().map(client),
        refreshed_from: refresh.as_ref().map(client),
        ..SessionNotes::default()
    };
    assert_eq!(to_texts(&notes), texts);
    notes
}

/// A separate connection to the store's PostgreSQL.
struct PostgresBytes(tokio_postgres::Client);

#[async_trait]
impl StoredBytes for PostgresBytes {
    async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Encoded> {
        let sql = "SELECT sessions FROM regrant_users WHERE subject = $1";
        let row = self.0.query_opt(sql, &[&subject.as_str()]).await.expect("PostgreSQL answers");
        row.map_or_else(BTreeMap::new, |row| from_value(row.get(0)))
    }

    async fn put(&mut self, subject: &Subject, session: &SessionId, encoded: &Encoded) {
        let sql = "INSERT INTO regrant_users AS old (subject, sessions, version, expires_at)
            VALUES ($1, $2, 1, 1::int8 << 60)
            ON CONFLICT (subject) DO UPDATE SET sessions = $2, version = old.version + 1";
        let value = to_value(session, encoded);
        self.0.execute(sql, &[&subject.as_str(), &value]).await.expect("PostgreSQL answers");
    }
}

/// The database of a custom store.
struct CustomBytes(Arc<dyn KeyValueStore>);

impl CustomBytes {
    fn key(subject: &Subject) -> String {
        let mut key = "user:".to_owned();
        for byte in Sha256::digest(subject.as_str()) {
            write!(key, "{byte:02x}").expect("written to a string");
        }
        key
    }
}

#[async_trait]
impl StoredBytes for CustomBytes {
    async fn records(&mut self, subject: &Subject) -> BTreeMap<SessionId, Encoded> {
        let current = self.0.get(&Self::key(subject)).await.expect("the database answers");
        current.map_or_else(BTreeMap::new, |current| from_value(&current.value))
    }

    async fn put(&mut self, subject: &Subject, session: &SessionId, encoded: &Encoded) {
        let key = Self::key(subject);
        let version = self.0.get(&key).await.expect("the database answers").map(|it| it.version);
        let value = to_value(session, encoded);
        let put = self.0.put(&key, &value, version.as_deref(), Record::MAX_TIMESTAMP).await;
        assert!(put.expect("the database answers"));
    }
}

/// All sessions of a user as one value: 1, then of each session its id, the length of its label, the
/// label, the length of its record, and the record. If a session has notes, the value begins with 2, and of
/// each session the length of its notes, in two bytes, and the notes follow.
fn to_value(session: &SessionId, Encoded { record, label, notes }: &Encoded) -> Vec<u8> {
    let length = |part: &[u8]| [u8::try_from(part.len()).expect("a short part")];
    let (label, notes) = (label.as_bytes(), to_text(notes));
    let sessions =
        [&session.as_bytes()[..], &length(label), label, &length(record), record].concat();
    if notes.is_empty() {
        return [&[1], &sessions[..]].concat();
    }
    let length = u16::try_from(notes.len()).expect("short notes").to_be_bytes();
    [&[2], &sessions[..], &length, notes.as_bytes()].concat()
}

fn from_value(value: &[u8]) -> BTreeMap<SessionId, Encoded> {
    let (version, mut rest) = value.split_first().expect("a version");
    let mut take = |count: usize| rest.split_off(..count);
    let mut records = BTreeMap::new();
    while let Some(id) = take(16) {
        let mut part = |length_bytes: usize| {
            let length = take(length_bytes).expect("a length");
            let length = length.iter().fold(0, |high, low| high << 8 | usize::from(*low));
            take(length).expect("as long as its length says").to_vec()
        };
        let (label, record) = (part(1), part(1));
        let notes = if *version == 1 { Vec::new() } else { part(2) };
        let text = |part| String::from_utf8(part).expect("a text");
        let encoded = Encoded { label: text(label), record, notes: from_text(&text(notes)) };
        let id = SessionId::from_bytes(id.try_into().expect("16 bytes"));
        assert_eq!(records.insert(id, encoded), None, "a session is stored twice");
    }
    assert!(rest.is_empty(), "bytes are left");
    let has_notes = records.values().any(|encoded| encoded.notes != SessionNotes::default());
    assert_eq!(*version, if has_notes { 2 } else { 1 });
    records
}

/// Notes in a value: JSON, or nothing.
fn to_text(notes: &SessionNotes) -> String {
    if *notes == SessionNotes::default() {
        return String::new();
    }
    serde_json::to_string(notes).expect("texts and numbers")
}

fn from_text(text: &str) -> SessionNotes {
    let notes = if text.is_empty() {
        SessionNotes::default()
    } else {
        serde_json::from_str(text).expect("notes")
    };
    assert_eq!(to_text(&notes), text);
    notes
}
