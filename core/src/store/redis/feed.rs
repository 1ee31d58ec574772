//! The feed of revocations, as a Redis stream.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::client::{Client, Request};
use super::script::{Arguments, FeedScripts};
use crate::error::Result;
use crate::revocation::{
    FeedCursor, FeedPage, Revocation, RevocationFeed, cutoff_entry, feed_entry,
};
use crate::types::{Clock, SystemClock, Timestamp};

/// How far the clocks of processes and server may differ before entries are dropped too early.
const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// The number of entries in one page.
const PAGE: usize = 512;

/// The id before the first entry of a stream.
const BEGINNING: &str = "0-0";

/// How far back a new connection reads again, in milliseconds. After a failover the server may
/// lack entries that were already read, and give new ones lower ids. Reading an entry twice does
/// no harm.
const OVERLAP: u64 = 60_000;

/// The reply to `XREAD`: streams with their entries; nothing if the wait timed out.
type Reply = Option<Vec<(String, Vec<(String, (String, String))>)>>;

/// The feed of a store.
pub(super) struct Feed {
    client: Arc<Client>,
    /// A client of its own, because reading blocks its connection for seconds.
    reader: Client,
    key: Vec<u8>,
    scripts: FeedScripts,
    clock: Option<Arc<dyn Clock>>,
}

impl Feed {
    /// The feed under this prefix. `reader` is used by no other.
    pub(super) fn new(
        client: Arc<Client>,
        reader: Client,
        prefix: &str,
        clock: Option<Arc<dyn Clock>>,
    ) -> Self {
        let key = [prefix.as_bytes(), b"feed"].concat();
        Self { client, reader, key, scripts: FeedScripts::new(), clock }
    }
}

#[async_trait]
impl RevocationFeed for Feed {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let now = self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock.now());
        let Some(until) = revocations.iter().map(|revocation| revocation.expires_at).max() else {
            return Ok(());
        };
        let mut arguments = Arguments::new()
            .duration(until.since(now) + CLOCK_MARGIN)
            .instant(Some(now))
            .text(cutoff_entry(revocations, now, None)?);
        for revocation in revocations {
            // The entry needs no publication time: its id has it.
            arguments = arguments.text(feed_entry(revocation, None)?);
        }
        self.client.run::<u64>(&self.scripts.publish, &self.key, arguments).await?;
        Ok(())
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let end: String = self
            .reader
            .query(&self.key, &Request::Script(&self.scripts.end, Arguments::new()), Duration::ZERO)
            .await?
            .0;
        let before = Position::from(cursor);
        let position = before.clone().within(&end);
        if position != before {
            tracing::warn!(target: "regrant::store", "Redis has lost the revocation feed; reading it from its beginning");
        }
        let command = |connection| {
            let mut read = cmd("XREAD");
            read.arg("COUNT").arg(PAGE);
            // A timeout of 0 would block forever.
            read.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
            read.arg("STREAMS").arg(&self.key).arg(position.for_connection(connection));
            read
        };
        let (reply, connection): (Reply, _) =
            self.reader.query(&self.key, &Request::PerConnection(&command), wait).await?;
        let entries: Vec<_> =
            reply.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        let last = entries
            .last()
            .map_or_else(|| position.for_connection(connection.number), |(id, _)| id.clone());
        let mut page = FeedPage {
            next: Position { last, connection: connection.number }.into(),
            complete: entries.len() < PAGE,
            ..FeedPage::default()
        };
        for (id, (_, entry)) in entries {
            // An entry that is read again says nothing about how long entries take to arrive.
            let is_new = parse_id(&id) > parse_id(&before.last);
            page.push(&entry, published_at(&id).filter(|_| is_new));
        }
        Ok(page)
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        let now: i64 = self.client.run(&self.scripts.now, &self.key, Arguments::new()).await?;
        Ok(Some(Timestamp::from_millis(now)))
    }
}

/// The two parts of an entry's id: the server's time in milliseconds and a sequence number.
fn parse_id(id: &str) -> Option<(u64, u64)> {
    let (millis, number) = id.split_once('-')?;
    Some((millis.parse().ok()?, number.parse().ok()?))
}

fn published_at(id: &str) -> Option<Timestamp> {
    let (millis, _) = parse_id(id)?;
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// How far the stream was read, and over which connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// The id of an entry: `MILLISECONDS-NUMBER`.
    last: String,
    connection: u64,
}

impl Position {
    /// The same position, or the beginning if the last entry of the stream is before it: the stream
    /// is then another one than was read so far, and the clock of its server may be behind, so that
    /// this position would be reached only later.
    fn within(self, end: &str) -> Self {
        let is_ahead = parse_id(&self.last) > Some(parse_id(end).unwrap_or_default());
        if is_ahead { Self { last: BEGINNING.to_owned(), ..self } } else { self }
    }

    /// The id after which to read on over this connection.
    fn for_connection(&self, connection: u64) -> String {
        if connection == self.connection {
            return self.last.clone();
        }
        let (millis, _) = parse_id(&self.last).unwrap_or_default();
        format!("{}-0", millis.saturating_sub(OVERLAP))
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
        assert_eq!(position.for_connection(7), "100000-3");
        assert_eq!(position.for_connection(8), "40000-0");
        let beginning = Position::from(&FeedCursor::default());
        assert_eq!(beginning.for_connection(8), BEGINNING);
        let early = Position { last: "5-1".to_owned(), connection: 7 };
        assert_eq!(early.for_connection(8), BEGINNING);
    }

    #[test]
    fn a_position_behind_the_end_of_the_stream_is_reset() {
        let position = Position { last: "100000-3".to_owned(), connection: 7 };
        for end in ["100000-3", "100000-4", "200000-0"] {
            assert_eq!(position.clone().within(end), position, "{end}");
        }
        for end in ["", "100000-2", "99999-9"] {
            assert_eq!(position.clone().within(end).last, BEGINNING, "{end}");
        }
        let beginning = Position::from(&FeedCursor::default());
        assert_eq!(beginning.clone().within(""), beginning);
    }
}
