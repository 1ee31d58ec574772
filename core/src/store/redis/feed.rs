//! The log of revocations as a stream.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::RedisStore;
use super::connection::Question;
use super::script::Arguments;
use crate::error::Result;
use crate::revocation::{Cursor, Page, Revocation, RevocationFeed, feed_entry};
use crate::time::{Clock, SystemClock, Timestamp};

/// How far the clocks of processes and server may differ before entries are dropped too early.
const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// Entries in one answer.
const PAGE: usize = 512;

/// The beginning of a stream.
const BEGINNING: &str = "0-0";

/// The answer to `XREAD`: streams with their entries; nothing when the wait ran out.
type Answer = Option<Vec<(String, Vec<(String, (String, String))>)>>;

impl RedisStore {
    fn feed_key(&self) -> Vec<u8> {
        [self.prefix.as_bytes(), b"feed"].concat()
    }
}

#[async_trait]
impl RevocationFeed for RedisStore {
    async fn tell(&self, revocations: &[Revocation]) -> Result<()> {
        let now = self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock.now());
        let Some(until) = revocations.iter().map(|revocation| revocation.until).max() else {
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

    async fn read(&self, cursor: &Cursor, wait: Duration) -> Result<Page> {
        let from = if cursor.0.is_empty() { BEGINNING } else { &cursor.0 };
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(PAGE);
        // To Redis a wait of 0 is one without end.
        read.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        read.arg("STREAMS").arg(self.feed_key()).arg(from);
        let question = Question::Command(&read);
        let (answer, _): (Answer, _) =
            self.feed_connection.ask(&self.feed_key(), &question, wait).await?;
        let entries: Vec<_> =
            answer.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        let mut page = Page {
            next: Cursor(from.to_owned()),
            complete: entries.len() < PAGE,
            ..Page::default()
        };
        for (id, (_, entry)) in entries {
            page.push(&entry, told_at(&id));
            page.next = Cursor(id);
        }
        Ok(page)
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        let now: i64 =
            self.connection.run(&self.scripts.now, &self.feed_key(), Arguments::new()).await?;
        Ok(Some(Timestamp::from_millis(now)))
    }
}

/// The id of an entry begins with the server's time in ms.
fn told_at(id: &str) -> Option<Timestamp> {
    let (ms, _) = id.split_once('-')?;
    ms.parse().ok().map(Timestamp::from_millis)
}
