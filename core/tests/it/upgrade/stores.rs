//! Stores written by earlier versions; each test uses its own copy.

use std::sync::{Arc, Mutex};

use regrant::types::{Clock, ManualClock, Timestamp};
use regrant::{AuditEvent, Auth};
use regrant_test_support::RedisServer;
use serde_json::Value;
use tempfile::TempDir;

use super::{fixture, read_json};

/// A store fixture and its expected content.
pub struct Written {
    kind: StoreKind,
    pub expected: Value,
    /// The realm that the upgraded servers name.
    pub realm: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StoreKind {
    File,
    Redis,
}

impl Written {
    pub fn file() -> Self {
        Self { kind: StoreKind::File, expected: read_json("file/expected.json"), realm: None }
    }

    pub fn redis() -> Self {
        Self { kind: StoreKind::Redis, expected: read_json("redis/expected.json"), realm: None }
    }

    /// The same, with servers that name a realm after the upgrade.
    pub fn in_a_realm(self) -> Self {
        Self { realm: Some("an app"), ..self }
    }

    /// A fresh copy, with the clock at the end of the fixture's recording.
    pub fn copy(&self) -> StoreCopy {
        let redis = RedisServer::start().unwrap();
        let (store, folder) = match self.kind {
            StoreKind::File => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("sessions.db");
                std::fs::copy(fixture("file/sessions.db"), &path).unwrap();
                load(&redis, "file/legacy-redis.json");
                (format!("file:{}", path.display()), Some(folder))
            }
            StoreKind::Redis => {
                load(&redis, "redis/data.json");
                (redis.url(), None)
            }
        };
        let now = Timestamp::from_millis(self.expected["now"].as_i64().unwrap());
        StoreCopy {
            configs: self.expected["configs"].clone(),
            realm: self.realm,
            store,
            clock: Arc::new(ManualClock::new(now)),
            events: Arc::default(),
            redis,
            _folder: folder,
        }
    }
}

/// A copy of a store, removed when this value is dropped.
pub struct StoreCopy {
    configs: Value,
    pub realm: Option<&'static str>,
    store: String,
    pub clock: Arc<ManualClock>,
    pub events: Arc<Mutex<Vec<AuditEvent>>>,
    redis: RedisServer,
    _folder: Option<TempDir>,
}

impl StoreCopy {
    /// A server on the copy, with one of the fixtures' configurations.
    pub fn auth(&self, config: &str) -> Auth {
        let mut config = self.configs[config].clone();
        config["store"] = self.store.as_str().into();
        if let Some(realm) = self.realm {
            config["realm"] = realm.into();
        }
        if let Some(migrate) = config.get_mut("migrate") {
            migrate["store"] = self.redis.url().into();
        }
        let events = Arc::clone(&self.events);
        Auth::from_json(&config.to_string())
            .unwrap()
            .clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
            .on_event(move |event| events.lock().unwrap().push(event.clone()))
            .build()
            .unwrap()
    }
}

/// Runs the commands of a fixture, which restore the content of a Redis.
fn load(redis: &RedisServer, name: &str) {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    for words in read_json(name)["commands"].as_array().unwrap() {
        let mut command = redis::Cmd::new();
        for word in words.as_array().unwrap() {
            command.arg(bytes(word));
        }
        command.exec(&mut connection).unwrap();
    }
}

/// A word is text, or `{ "hex": … }`.
fn bytes(word: &Value) -> Vec<u8> {
    match word.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let hex = word["hex"].as_str().unwrap();
            (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect()
        }
    }
}
