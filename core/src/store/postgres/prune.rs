//! Deleting what has expired.

use tokio_postgres::types::Type;

use super::Rows;
use super::connection::Parameter;

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
