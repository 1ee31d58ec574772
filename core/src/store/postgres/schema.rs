//! The tables, and who creates them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use deadpool_postgres::Client;
use tokio::sync::Mutex;
use tokio_postgres::Error as PostgresError;

use crate::error::Result;
use crate::store::optimistic::late;

/// `regrant_feed_state` has one row. A publishing process locks it, so that entries become visible in the
/// order of their places.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS regrant_users (
    subject text COLLATE \"C\" PRIMARY KEY,
    sessions bytea NOT NULL,
    version int8 NOT NULL,
    expires_at int8 NOT NULL -- milliseconds since 1970
);
CREATE INDEX IF NOT EXISTS regrant_users_expiry ON regrant_users (expires_at);
CREATE TABLE IF NOT EXISTS regrant_failures (
    key bytea PRIMARY KEY,
    count int4 NOT NULL,
    ends_at int8 NOT NULL
);
CREATE INDEX IF NOT EXISTS regrant_failures_expiry ON regrant_failures (ends_at);
CREATE TABLE IF NOT EXISTS regrant_feed (
    place int8 PRIMARY KEY,
    expires_at int8 NOT NULL,
    entry text NOT NULL
);
CREATE INDEX IF NOT EXISTS regrant_feed_expiry ON regrant_feed (expires_at);
CREATE TABLE IF NOT EXISTS regrant_feed_state (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    id text NOT NULL DEFAULT md5(random()::text || clock_timestamp()::text),
    first_place int8 NOT NULL DEFAULT 1, -- of the entries that count
    last_place int8 NOT NULL DEFAULT 0,
    bytes int8 NOT NULL DEFAULT 0 -- of the entries that count
);
INSERT INTO regrant_feed_state DEFAULT VALUES ON CONFLICT DO NOTHING;
";

/// Whether all tables exist.
const EXISTS: &str = "
    SELECT to_regclass('regrant_users') IS NOT NULL AND to_regclass('regrant_failures') IS NOT NULL
        AND to_regclass('regrant_feed') IS NOT NULL
        AND to_regclass('regrant_feed_state') IS NOT NULL";

/// Serialises the processes that create the tables: an advisory lock, whose number is arbitrary.
const CREATE_LOCK: &str = "SELECT pg_advisory_xact_lock(7234017283807667300);";

/// Whether this process has seen the tables.
#[derive(Default)]
pub(super) struct Tables {
    exist: AtomicBool,
    creating: Mutex<()>,
    failures: AtomicU64,
}

impl Tables {
    /// Runs `create` unless the tables were there before. Those who wait for a failed attempt fail with it: one after
    /// the other, they would wait too long for a server that is down.
    pub(super) async fn ensure(&self, create: impl Future<Output = Result<()>>) -> Result<()> {
        if self.exist.load(Ordering::Acquire) {
            return Ok(());
        }
        let failures = self.failures.load(Ordering::Acquire);
        let _creating = self.creating.lock().await;
        if self.exist.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.failures.load(Ordering::Acquire) != failures {
            return Err(late());
        }
        match create.await {
            Ok(()) => self.exist.store(true, Ordering::Release),
            Err(error) => {
                self.failures.fetch_add(1, Ordering::AcqRel);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Whether the tables exist in this database.
pub(super) async fn exists(client: &Client) -> std::result::Result<bool, PostgresError> {
    client.query_typed_one(EXISTS, &[]).await?.try_get(0)
}

/// Creates them, after other processes that do the same.
pub(super) async fn create(client: &mut Client) -> std::result::Result<(), PostgresError> {
    // Rolled back when it is dropped.
    let transaction = client.transaction().await?;
    transaction.batch_execute(&format!("{CREATE_LOCK} {SCHEMA}")).await?;
    transaction.commit().await
}
