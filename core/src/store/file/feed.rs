//! The log of revocations as a table, which the processes of this machine look at several times
//! a second: SQLite cannot wake another process.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tokio::time::{Instant, sleep};

use super::schema::unavailable;
use super::{FileStore, durable};
use crate::error::{Error, Result};
use crate::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed, feed_entry};
use crate::types::Timestamp;

/// How often the table is looked at while nothing new is in it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Entries in one answer.
const PAGE: i64 = 512;

#[async_trait]
impl RevocationFeed for FileStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let revocations = revocations.to_vec();
        self.writer.write(durable, move |connection, now| add(connection, &revocations, now)).await
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let from: i64 = match cursor.0.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| Error::internal("a cursor of another store"))?,
        };
        let end = Instant::now() + wait;
        loop {
            let page = self.writer.read(move |connection, _| after(connection, from)).await?;
            let left = end.saturating_duration_since(Instant::now());
            if page.next != FeedCursor(from.to_string()) || left.is_zero() {
                return Ok(page);
            }
            sleep(left.min(LOOK_EVERY)).await;
        }
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        self.writer.read(|_, now| Ok(Some(now))).await
    }
}

fn add(connection: &Connection, revocations: &[Revocation], now: Timestamp) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM feed WHERE until <= ?1")
        .and_then(|mut delete| delete.execute([now.as_millis()]))
        .map_err(unavailable)?;
    let mut insert = connection
        .prepare_cached("INSERT INTO feed (until, entry) VALUES (?1, ?2)")
        .map_err(unavailable)?;
    for revocation in revocations {
        let entry = feed_entry(revocation, Some(now))?;
        insert.execute(params![revocation.expires_at.as_millis(), entry]).map_err(unavailable)?;
    }
    Ok(())
}

fn after(connection: &Connection, from: i64) -> Result<FeedPage> {
    let mut select = connection
        .prepare_cached("SELECT place, entry FROM feed WHERE place > ?1 ORDER BY place LIMIT ?2")
        .map_err(unavailable)?;
    let rows = select
        .query_map(params![from, PAGE], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .map_err(unavailable)?;
    let mut page =
        FeedPage { next: FeedCursor(from.to_string()), complete: true, ..FeedPage::default() };
    let mut left = PAGE;
    for row in rows {
        left -= 1;
        let (place, entry) = row.map_err(unavailable)?;
        page.next = FeedCursor(place.to_string());
        page.push(&entry, None);
    }
    page.complete = left > 0;
    Ok(page)
}
