//! The tables, and deleting what has expired.

use tokio_postgres::types::Type;

use super::Rows;
use super::connection::Parameter;

/// `regrant_feed_state` has one row. Whoever publishes locks it, so that entries become visible in the
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
pub(super) const EXISTS: &str = "
    SELECT to_regclass('regrant_users') IS NOT NULL AND to_regclass('regrant_failures') IS NOT NULL
        AND to_regclass('regrant_feed') IS NOT NULL
        AND to_regclass('regrant_feed_state') IS NOT NULL";

/// Serialises the processes that create the tables: an advisory lock, whose number is arbitrary.
pub(super) const CREATE_LOCK: &str = "SELECT pg_advisory_xact_lock(7234017283807667300);";

/// The number of rows that are deleted at a time.
const BATCH: i64 = 500;

const PRUNE_USERS: &str = "
    DELETE FROM regrant_users WHERE subject IN (SELECT subject FROM regrant_users
        WHERE expires_at <= coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8)
        LIMIT $1 FOR UPDATE SKIP LOCKED)";

const PRUNE_FAILURES: &str = "
    DELETE FROM regrant_failures WHERE key IN (SELECT key FROM regrant_failures
        WHERE ends_at <= coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8)
        LIMIT $1 FOR UPDATE SKIP LOCKED)";

const PRUNE_FEED: &str = "
    WITH state AS (SELECT first_place FROM regrant_feed_state FOR UPDATE),
    gone AS (DELETE FROM regrant_feed WHERE place IN (SELECT place FROM regrant_feed, state
        WHERE expires_at <= coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8)
            OR place < first_place LIMIT $1) RETURNING place, octet_length(entry) AS size)
    UPDATE regrant_feed_state SET bytes = bytes - (SELECT coalesce(sum(size), 0) FROM gone, state
        WHERE place >= state.first_place)";

impl Rows {
    /// Deletes some of what has expired, at most once a minute. A failure is only logged: nothing depends on it.
    pub(super) async fn prune(&self) {
        if !self.connections.is_prune_due() {
            return;
        }
        let now = self.injected_now();
        for sql in [PRUNE_USERS, PRUNE_FAILURES, PRUNE_FEED] {
            let parameters: [Parameter<'_>; 2] = [(&BATCH, Type::INT8), (&now, Type::INT8)];
            if let Err(error) = self.connections.query(sql, &parameters).await {
                tracing::warn!(target: "regrant::store", %error, "expired rows could not be deleted");
            }
        }
    }
}
