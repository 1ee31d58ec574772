//! Deleting what has expired.
//!
//! `statement_timestamp()` does not change within a statement, and the order is that of an index, so that
//! no statement reads a whole table while it holds a lock.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::Rows;
use super::connection::{Connections, Parameter};

/// The number of rows that are deleted at a time.
const BATCH: i64 = 500;

const PRUNE_USERS: &str = "
    WITH gone AS (DELETE FROM regrant_users WHERE subject IN (SELECT subject FROM regrant_users
        WHERE expires_at <= coalesce($2, (extract(epoch FROM statement_timestamp()) * 1000)::int8)
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING 1)
    SELECT count(*) FROM gone";

const PRUNE_FAILURES: &str = "
    WITH gone AS (DELETE FROM regrant_failures WHERE key IN (SELECT key FROM regrant_failures
        WHERE ends_at <= coalesce($2, (extract(epoch FROM statement_timestamp()) * 1000)::int8)
        ORDER BY ends_at LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING 1)
    SELECT count(*) FROM gone";

const PRUNE_FEED: &str = "
    WITH state AS (SELECT first_place FROM regrant_feed_state LIMIT 1 FOR UPDATE),
    gone AS (DELETE FROM regrant_feed WHERE place IN (
        (SELECT place FROM regrant_feed
            WHERE expires_at <= coalesce($2, (extract(epoch FROM statement_timestamp()) * 1000)::int8)
            ORDER BY expires_at LIMIT $1)
        UNION ALL
        (SELECT place FROM regrant_feed WHERE place < (SELECT first_place FROM state)
            ORDER BY place LIMIT $1)) RETURNING place, octet_length(entry) AS size),
    updated AS (UPDATE regrant_feed_state SET bytes = bytes - (SELECT coalesce(sum(size), 0)
        FROM gone, state WHERE place >= state.first_place))
    SELECT count(*) FROM gone";

impl Rows {
    /// Deletes some of what has expired: at most once a minute, and with the next write if there may be more.
    /// In the background, because it may be slow and the write is committed. A failure is only logged: nothing
    /// depends on it.
    pub(super) fn prune(&self) {
        if self.connections.is_prune_due() {
            tokio::spawn(delete_expired(Arc::clone(&self.connections), self.injected_now()));
        }
    }
}

async fn delete_expired(connections: Arc<Connections>, now: Option<i64>) {
    for sql in [PRUNE_USERS, PRUNE_FAILURES, PRUNE_FEED] {
        let parameters: [Parameter<'_>; 2] = [(&BATCH, Type::INT8), (&now, Type::INT8)];
        match connections.query_one(sql, &parameters).await {
            Ok(row) if row.try_get(0).is_ok_and(|count: i64| count >= BATCH) => {
                connections.prune_again();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(target: "regrant::store", %error, "expired rows could not be deleted");
            }
        }
    }
}
