//! The revocation feed in PostgreSQL: a table with places in the order of publication.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Client;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Rows;
use super::connection::{Parameter, Transact};
use super::listener::{CHANNEL, NOTIFY};
use crate::error::{Error, Result};
use crate::revocation::{
    FeedCursor, FeedPage, MAX_FEED_BYTES, MAX_FEED_ENTRIES, Revocation, RevocationFeed,
    cutoff_entry, feed_entry,
};
use crate::types::Timestamp;

/// How often a waiting reader polls while notifications do not arrive, as behind a pooler.
const FEED_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How often a waiting reader looks although it was not notified.
const FEED_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The number of entries in one page.
const FEED_PAGE: i64 = 512;

const NOW: &str = "
    SELECT coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8)";

/// The lock of a host that vanishes in the transaction ends soon; without that, only when its TCP connection does.
const LOCK_STATE: &str = "
    SELECT coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8),
        first_place, last_place, bytes,
        set_config('idle_in_transaction_session_timeout', '5000', true)
    FROM regrant_feed_state FOR UPDATE";

const APPEND: &str = "
    INSERT INTO regrant_feed (place, expires_at, entry)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::text[])";

const LAST_EXPIRY: &str = "SELECT max(expires_at) FROM regrant_feed";

const SET_STATE: &str =
    "UPDATE regrant_feed_state SET first_place = $1, last_place = $2, bytes = $3";

/// Says how few rows there are: otherwise the planner, which has no statistics of a young table, compiles
/// the query (JIT) at every poll, for half a second.
const READ: &str = "
    SELECT state.id, known, pg_is_in_recovery(), feed.place, feed.expires_at, feed.entry
    FROM (SELECT id, first_place FROM regrant_feed_state LIMIT 1) AS state
    CROSS JOIN LATERAL (SELECT state.id = $1 AND EXISTS
        (SELECT FROM regrant_feed WHERE place = $2 AND expires_at = $3) AS known) AS cursor
    LEFT JOIN LATERAL (SELECT place, expires_at, entry FROM regrant_feed
        WHERE place >= greatest(state.first_place, CASE WHEN known THEN $2 + 1 END)
        ORDER BY place LIMIT $4) AS feed ON true
    ORDER BY feed.place";

#[async_trait]
impl RevocationFeed for Rows {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        self.connections.transact(&Append { revocations, now: self.injected_now() }).await?;
        self.prune();
        Ok(())
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let last = Position::from(cursor);
        let end = Instant::now() + wait;
        // What is read without waiting needs no connection of its own.
        let mut signal = (!wait.is_zero()).then(|| self.listener.subscribe(&self.connections));
        loop {
            // Marks the signal as seen before the table is read, so that what is published meanwhile wakes this reader.
            let is_listening =
                signal.as_mut().is_some_and(|signal| signal.borrow_and_update().is_listening);
            let parameters: [Parameter<'_>; 4] = [
                (&last.feed, Type::TEXT),
                (&last.place, Type::INT8),
                (&last.expires_at, Type::INT8),
                (&FEED_PAGE, Type::INT8),
            ];
            let page = page(&self.connections.query(READ, &parameters).await?, &last)?;
            let left = end.saturating_duration_since(Instant::now());
            if page.next != *cursor || left.is_zero() {
                return Ok(page);
            }
            let pause = if is_listening { FEED_CHECK_INTERVAL } else { FEED_POLL_INTERVAL };
            if let Some(signal) = &mut signal {
                // Late: read all the same.
                let _ = timeout(left.min(pause), signal.changed()).await;
            }
        }
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        let now = self.injected_now();
        let row = self.connections.query_one(NOW, &[(&now, Type::INT8)]).await?;
        Ok(Some(Timestamp::from_millis(row.try_get(0).map_err(Error::store)?)))
    }
}

/// Appends to the feed.
struct Append<'a> {
    revocations: &'a [Revocation],
    /// The time of the tests.
    now: Option<i64>,
}

impl Transact for Append<'_> {
    async fn run(&self, client: &mut Client) -> std::result::Result<(), tokio_postgres::Error> {
        let transaction = client.transaction().await?;
        let state = transaction.query_typed_one(LOCK_STATE, &[(&self.now, Type::INT8)]).await?;
        let mut appended = Appended::after(&state)?;
        if !appended.extend(self.revocations, None) {
            // The cut-off time expires with what it replaces. Read under the lock, so nothing is missing.
            let last: Option<i64> =
                transaction.query_typed_one(LAST_EXPIRY, &[]).await?.try_get(0)?;
            appended = Appended::after(&state)?;
            appended.extend(self.revocations, last.map(Timestamp::from_millis));
        }
        let parameters: [Parameter<'_>; 3] = [
            (&appended.places, Type::INT8_ARRAY),
            (&appended.expiries, Type::INT8_ARRAY),
            (&appended.entries, Type::TEXT_ARRAY),
        ];
        transaction.execute_typed(APPEND, &parameters).await?;
        let parameters: [Parameter<'_>; 3] = [
            (&appended.first_place, Type::INT8),
            (&appended.last_place, Type::INT8),
            (&appended.bytes, Type::INT8),
        ];
        transaction.execute_typed(SET_STATE, &parameters).await?;
        // Delivered when the transaction commits.
        transaction.query_typed(NOTIFY, &[(&CHANNEL, Type::TEXT)]).await?;
        transaction.commit().await
    }
}

/// New entries, and the state after them.
struct Appended {
    now: Timestamp,
    first_place: i64,
    last_place: i64,
    bytes: i64,
    places: Vec<i64>,
    expiries: Vec<i64>,
    entries: Vec<String>,
}

impl Appended {
    fn after(state: &Row) -> std::result::Result<Self, tokio_postgres::Error> {
        Ok(Self {
            now: Timestamp::from_millis(state.try_get(0)?),
            first_place: state.try_get(1)?,
            last_place: state.try_get(2)?,
            bytes: state.try_get(3)?,
            places: Vec::new(),
            expiries: Vec::new(),
            entries: Vec::new(),
        })
    }

    /// Appends entries. Where the feed is full, a cut-off time replaces those before, of which the last expires at
    /// `denied`. Returns whether there was room for all.
    fn extend(&mut self, revocations: &[Revocation], denied: Option<Timestamp>) -> bool {
        let mut has_room = true;
        let last = revocations.iter().map(|it| it.expires_at).chain(denied).max();
        let last = last.unwrap_or(self.now);
        for revocation in revocations {
            if self.is_full() {
                has_room = false;
                self.first_place = self.last_place.saturating_add(1);
                self.bytes = 0;
                self.push(last, cutoff_entry(last, self.now, Some(self.now)));
            }
            self.push(revocation.expires_at, feed_entry(revocation, Some(self.now)));
        }
        has_room
    }

    fn is_full(&self) -> bool {
        let entries = self.last_place.saturating_add(1).saturating_sub(self.first_place);
        usize::try_from(entries).is_ok_and(|entries| entries >= MAX_FEED_ENTRIES)
            || usize::try_from(self.bytes).is_ok_and(|bytes| bytes >= MAX_FEED_BYTES)
    }

    fn push(&mut self, expires_at: Timestamp, entry: Result<String>) {
        // Serializing a revocation does not fail.
        let Ok(entry) = entry else { return };
        let size = i64::try_from(entry.len()).unwrap_or(i64::MAX);
        self.bytes = self.bytes.saturating_add(size);
        self.last_place = self.last_place.saturating_add(1);
        self.places.push(self.last_place);
        self.expiries.push(expires_at.as_millis());
        self.entries.push(entry);
    }
}

/// The last entry that was read. A feed without it is another one, or has lost it in a failover or to a
/// backup, and gives its place to another entry: such a feed is read from its beginning.
#[derive(Debug, Default)]
struct Position {
    /// The id of the feed.
    feed: String,
    place: i64,
    /// When the entry expires: another entry at its place expires in another millisecond.
    expires_at: i64,
}

impl From<&FeedCursor> for Position {
    fn from(cursor: &FeedCursor) -> Self {
        let mut parts = cursor.0.split('.');
        let feed = parts.next().unwrap_or_default().to_owned();
        let mut number = || parts.next().and_then(|it| it.parse().ok()).unwrap_or_default();
        Self { feed, place: number(), expires_at: number() }
    }
}

impl From<Position> for FeedCursor {
    fn from(position: Position) -> Self {
        Self(format!("{}.{}.{}", position.feed, position.place, position.expires_at))
    }
}

fn page(rows: &[Row], last: &Position) -> Result<FeedPage> {
    let mut page = FeedPage::default();
    for row in rows {
        if row.try_get::<_, bool>(2).map_err(Error::store)? {
            return Err(Error::store("the server is a standby, not the primary"));
        }
        let feed: String = row.try_get(0).map_err(Error::store)?;
        let is_known: bool = row.try_get(1).map_err(Error::store)?;
        let entry = row.try_get::<_, Option<i64>>(3).map_err(Error::store)?.map(|place| {
            let expires_at: i64 = row.try_get(4).map_err(Error::store)?;
            let json: String = row.try_get(5).map_err(Error::store)?;
            Ok::<_, Error>((place, expires_at, json))
        });
        let next = match entry.transpose()? {
            Some((place, expires_at, json)) => {
                page.push(&json, None);
                Position { feed, place, expires_at }
            }
            None if is_known => Position { feed, ..*last },
            None => Position { feed, ..Position::default() },
        };
        page.next = next.into();
    }
    page.complete = i64::try_from(rows.len()).is_ok_and(|rows| rows < FEED_PAGE);
    Ok(page)
}
