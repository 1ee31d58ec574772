//! An empty store of every backend, each with a clock of the test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use regrant::store::file::{FileOptions, FileStore};
use regrant::store::postgres::{PostgresOptions, PostgresStore};
use regrant::store::redis::{RedisOptions, RedisStore};
use regrant::store::{
    CustomStore, CustomStoreOptions, KeyValueStore, MemoryStore, MovingStore, SessionStore,
};
use regrant::types::{Clock, ManualClock, Timestamp};
use regrant_test_support::{
    PostgresServer, RedisCluster, RedisSentinels, RedisServer, SentinelOptions,
};

use crate::contract::Fixture;
use crate::key_value::MemoryKeyValues;

/// How long a server of the tests may take for one operation.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A manual clock, set to a day in 2027.
pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_123)))
}

/// A store in memory.
pub async fn memory() -> Fixture {
    let clock = clock();
    let store = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    Fixture::new(Arc::new(store), clock, ())
}

/// A store in a file in a folder of its own.
pub async fn file() -> Fixture {
    let clock = clock();
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = FileOptions::default();
    options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let store = FileStore::open(folder.path().join("sessions.db"), options).expect("a store");
    Fixture::new(Arc::new(store), clock, folder)
}

/// A store in a real Redis that the tests of a process share, under a prefix of its own.
pub async fn redis() -> Fixture {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    shared(&SERVER.get_or_init(|| RedisServer::start().expect("a redis-server")).url())
}

/// A store in a Redis with real Sentinels, shared likewise.
pub async fn sentinels() -> Fixture {
    static SENTINELS: OnceLock<RedisSentinels> = OnceLock::new();
    let options = SentinelOptions::new().replicas(1);
    shared(&SENTINELS.get_or_init(|| options.start().expect("Sentinels")).url())
}

/// A store in a real cluster, shared likewise.
pub async fn cluster() -> Fixture {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    shared(&CLUSTER.get_or_init(|| RedisCluster::start().expect("a cluster")).url())
}

/// A store in a real PostgreSQL that the tests of a process share, in a schema of its own.
pub async fn postgres() -> Fixture {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| PostgresServer::start().expect("a PostgreSQL server"));
    let clock = clock();
    let schema = format!("fixture_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    server.sql(&format!("CREATE SCHEMA {schema}")).expect("a schema");
    let mut options = PostgresOptions::default();
    options.clock = Some(Arc::clone(&clock) as Arc<dyn Clock>);
    options.timeout = Duration::from_secs(30);
    let url = format!("{}?options=-csearch_path%3D{schema}", server.url());
    let store = PostgresStore::new(&url, options).expect("an address");
    Fixture::new(Arc::new(store), clock, ())
}

/// A store over a map of this process.
pub async fn custom() -> Fixture {
    custom_over(Arc::new(MemoryKeyValues::default()))
}

/// A custom store over this database.
pub fn custom_over(database: Arc<dyn KeyValueStore>) -> Fixture {
    let clock = clock();
    let store = custom_store(database, &clock);
    Fixture::new(store, clock, ())
}

/// As the store of [`custom_over`], with this clock.
pub fn custom_store(
    database: Arc<dyn KeyValueStore>,
    clock: &Arc<ManualClock>,
) -> Arc<dyn SessionStore> {
    let mut options = CustomStoreOptions::default();
    options.clock = Arc::clone(clock) as Arc<dyn Clock>;
    options.timeout = PATIENCE;
    Arc::new(CustomStore::new(database, options))
}

/// A custom store to which sessions move from one in memory.
pub async fn moving() -> Fixture {
    let Fixture { store, clock, .. } = custom().await;
    let former = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let store = MovingStore::new(store, Arc::new(former), clock.now());
    Fixture::new(Arc::new(store), clock, ())
}

/// A store at this address, under a prefix of its own.
fn shared(url: &str) -> Fixture {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let clock = clock();
    let prefix = format!("fixture {}:", NUMBER.fetch_add(1, Ordering::SeqCst));
    let store = store_at(url, &prefix, Some(Arc::clone(&clock) as Arc<dyn Clock>), Some(PATIENCE));
    Fixture::new(store, clock, ())
}

/// A store in `server`, with the server's clock or with `clock`.
pub fn redis_store(
    server: &RedisServer,
    prefix: &str,
    clock: Option<Arc<dyn Clock>>,
) -> Arc<dyn SessionStore> {
    store_at(&server.url(), prefix, clock, None)
}

/// As [`redis_store`], for tests that do not depend on the speed of the machine.
pub fn patient_store(
    server: &RedisServer,
    prefix: &str,
    clock: Option<Arc<dyn Clock>>,
) -> Arc<dyn SessionStore> {
    store_at(&server.url(), prefix, clock, Some(PATIENCE))
}

fn store_at(
    url: &str,
    prefix: &str,
    clock: Option<Arc<dyn Clock>>,
    timeout: Option<Duration>,
) -> Arc<dyn SessionStore> {
    let mut options = RedisOptions::default();
    prefix.clone_into(&mut options.prefix);
    options.clock = clock;
    options.timeout = timeout.unwrap_or(options.timeout);
    Arc::new(RedisStore::new(url, options).expect("an address"))
}
