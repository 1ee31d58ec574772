//! Databases of an app behind the recipes of `bindings-node/docs/custom-stores.md`: `get` and `put` run in a process of
//! Node.js (`node/key-values.mjs`). On both sides the addon's own code converts what goes there and comes back.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use regrant::error::Cause;
use regrant::store::KeyValueStore;
use regrant_test_support::{Flush, MariadbServer, NodeProcess};
use serde_json::{Value, json};

use self::addon::{JsKeyValueStore, TextFunction};

#[path = "../../../bindings-node/native/key_value.rs"]
mod addon;

/// A database and the process that opens it. The tests of this program share them.
pub struct NodeDatabase {
    process: NodeProcess,
    /// How many tests have keys in it.
    tests: AtomicU32,
    _server: Option<MariadbServer>,
}

impl NodeDatabase {
    /// A real MariaDB behind the recipe for Sequelize.
    pub fn mariadb() -> &'static Self {
        static DATABASE: OnceLock<NodeDatabase> = OnceLock::new();
        DATABASE.get_or_init(|| {
            // What it has committed survives here, because the machine does not crash.
            let server = MariadbServer::start(Flush::EverySecond).expect("a MariaDB server");
            let config = json!({ "recipe": "Sequelize, MariaDB", "url": server.url() });
            Self::start(&config, Some(server))
        })
    }

    /// A file of SQLite behind the recipe for Knex.
    pub fn sqlite() -> &'static Self {
        static DATABASE: OnceLock<NodeDatabase> = OnceLock::new();
        DATABASE.get_or_init(|| Self::start(&json!({ "recipe": "Knex, SQLite" }), None))
    }

    fn start(config: &Value, server: Option<MariadbServer>) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/key-values.mjs");
        let process = NodeProcess::start(&program, config).expect("a process of Node.js");
        Self { process, tests: AtomicU32::new(0), _server: server }
    }

    /// Empty keys of a test: `store` as one process of the app opens it.
    pub fn keys(&'static self) -> NodeKeys {
        let number = self.tests.fetch_add(1, Ordering::Relaxed);
        NodeKeys { database: self, store: "first", prefix: format!("{number}:") }
    }
}

/// The keys of one test as JavaScript reads and writes them.
#[derive(Clone)]
pub struct NodeKeys {
    database: &'static NodeDatabase,
    store: &'static str,
    prefix: String,
}

impl NodeKeys {
    /// The same keys, opened once more, as by another process of the app.
    pub fn again(&self) -> Self {
        Self { store: "second", ..self.clone() }
    }

    /// The same keys through an adapter with a mistake: a name of `tests/support/node/defects.mjs`.
    pub fn defective(&self, defect: &'static str) -> Self {
        Self { store: defect, ..self.clone() }
    }

    /// The keys as the addon reads and writes them.
    pub fn database(self) -> Arc<dyn KeyValueStore> {
        Arc::new(JsKeyValueStore(self))
    }
}

impl TextFunction for NodeKeys {
    async fn invoke(&self, text: String) -> Result<String, Cause> {
        let Self { database, store, prefix } = self;
        let call = json!({ "store": store, "prefix": prefix, "text": text });
        let response = database.process.call(call).await.ok_or("Node.js has ended")?;
        Ok(response["text"].as_str().ok_or("no text")?.to_owned())
    }
}
