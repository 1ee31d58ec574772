//! The log of revocations as a stream.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::RedisStore;
use super::connection::Question;
use super::script::Arguments;
use crate::error::Result;
use crate::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed, feed_entry};
use crate::types::{Clock, SystemClock, Timestamp};

/// How far the clocks of processes and server may differ before entries are dropped too early.
const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// Entries in one answer.
const PAGE: usize = 512;

/// The beginning of a stream.
const BEGINNING: &str = "0-0";

/// So far back a new connection reads again, in milliseconds. After a failover the server may
/// lack entries that were read already, and give new ones lower ids than those had. To read an
/// entry twice does no harm.
const OVERLAP: u64 = 60_000;

/// The answer to `XREAD`: streams with their entries; nothing when the wait ran out.
type Answer = Option<Vec<(String, Vec<(String, (String, String))>)>>;

impl RedisStore {
    fn feed_key(&self) -> Vec<u8> {
        [self.prefix.as_bytes(), b"feed"].concat()
    }
}

#[async_trait]
impl RevocationFeed for RedisStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let now = self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock.now());
        let Some(until) = revocations.iter().map(|revocation| revocation.expires_at).max() else {
            return Ok(());
        };
        let mut arguments = Arguments::new().span(until.since(now) + CLOCK_MARGIN);
        for revocation in revocations {
            // When it was told is in the id that Redis gives it.
            arguments = arguments.text(feed_entry(revocation, None)?);
        }
        self.connection.run::<u64>(&self.scripts.tell, &self.feed_key(), arguments).await?;
        Ok(())
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let position = Position::from(cursor);
        let key = self.feed_key();
        let command = |connection| {
            let mut read = cmd("XREAD");
            read.arg("COUNT").arg(PAGE);
            // To Redis a wait of 0 is one without end.
            read.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
            read.arg("STREAMS").arg(&key).arg(position.on(connection));
            read
        };
        let (answer, live): (Answer, _) =
            self.feed_connection.ask(&key, &Question::By(&command), wait).await?;
        let entries: Vec<_> =
            answer.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        let last = entries.last().map_or_else(|| position.on(live.number), |(id, _)| id.clone());
        let mut page = FeedPage {
            next: Position { last, connection: live.number }.into(),
            complete: entries.len() < PAGE,
            ..FeedPage::default()
        };
        for (id, (_, entry)) in entries {
            // One that is read again says nothing about how long news take.
            let is_news = id_of(&id) > id_of(&position.last);
            page.push(&entry, told_at(&id).filter(|_| is_news));
        }
        Ok(page)
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        let now: i64 =
            self.connection.run(&self.scripts.now, &self.feed_key(), Arguments::new()).await?;
        Ok(Some(Timestamp::from_millis(now)))
    }
}

/// The server's time in ms, and the number of the entry among those of this instant.
fn id_of(id: &str) -> Option<(u64, u64)> {
    let (ms, number) = id.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

fn told_at(id: &str) -> Option<Timestamp> {
    let (ms, _) = id_of(id)?;
    i64::try_from(ms).ok().map(Timestamp::from_millis)
}

/// How far the stream was read, and over which connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// The id of an entry: `MILLISECONDS-NUMBER`.
    last: String,
    connection: u64,
}

impl Position {
    /// The id after which to read on.
    fn on(&self, connection: u64) -> String {
        if connection == self.connection {
            return self.last.clone();
        }
        let (ms, _) = id_of(&self.last).unwrap_or_default();
        format!("{}-0", ms.saturating_sub(OVERLAP))
    }
}

impl From<&FeedCursor> for Position {
    fn from(cursor: &FeedCursor) -> Self {
        let (last, connection) = cursor.0.split_once('@').unwrap_or((BEGINNING, ""));
        Self { last: last.to_owned(), connection: connection.parse().unwrap_or(0) }
    }
}

impl From<Position> for FeedCursor {
    fn from(position: Position) -> Self {
        Self(format!("{}@{}", position.last, position.connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_connection_reads_the_last_minute_again() {
        let position = Position { last: "100000-3".to_owned(), connection: 7 };
        assert_eq!(Position::from(&FeedCursor::from(position.clone())), position);
        assert_eq!(position.on(7), "100000-3");
        assert_eq!(position.on(8), "40000-0");
        let beginning = Position::from(&FeedCursor::default());
        assert_eq!(beginning.on(8), BEGINNING);
        let early = Position { last: "5-1".to_owned(), connection: 7 };
        assert_eq!(early.on(8), BEGINNING);
    }
}
