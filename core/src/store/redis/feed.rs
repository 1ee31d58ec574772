//! The feed of revocations, as a Redis stream.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::client::{Client, Request};
use super::script::{Arguments, CLOCK_MARGIN, FeedScripts};
use crate::error::Result;
use crate::revocation::{
    FeedCursor, FeedPage, Revocation, RevocationFeed, cutoff_entry, feed_entry,
};
use crate::types::{Clock, SystemClock, Timestamp};

/// The number of entries in one page.
const PAGE: usize = 512;

/// The id before the first entry of a stream.
const BEGINNING: &str = "0-0";

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
            .text(cutoff_entry(until, now, None)?);
        for revocation in revocations {
            // The entry needs no publication time: its id has it.
            arguments = arguments.text(feed_entry(revocation, None)?);
        }
        self.client.run::<u64>(&self.scripts.publish, &self.key, arguments).await?;
        Ok(())
    }

    /// The position is that of the last entry that was read. A stream without that entry is another one,
    /// or has lost it: it is read from its beginning, because its entries may have lower ids. Reading an
    /// entry twice does no harm.
    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let last = if cursor.0.is_empty() { BEGINNING } else { cursor.0.as_str() };
        let has = Request::Script(&self.scripts.has, Arguments::new().text(last));
        let (has_last, checked): (bool, _) =
            self.reader.query(&self.key, &has, Duration::ZERO).await?;
        if !has_last && last != BEGINNING {
            tracing::info!(target: "regrant::store", "the revocation feed was reset or has lost entries; reading it from its beginning");
        }
        let from = if has_last { last } else { BEGINNING };
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(PAGE);
        // A timeout of 0 would block forever.
        read.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        read.arg("STREAMS").arg(&self.key).arg(from);
        let (reply, connection): (Reply, _) =
            self.reader.query(&self.key, &Request::Command(&read), wait).await?;
        let entries: Vec<_> =
            reply.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        // Another server may have answered than the one that was asked for the last entry.
        let is_checked = connection.number == checked.number;
        let next = match entries.last() {
            _ if !is_checked => last,
            Some((id, _)) => id.as_str(),
            None => from,
        };
        let mut page = FeedPage {
            next: FeedCursor(next.to_owned()),
            complete: is_checked && entries.len() < PAGE,
            ..FeedPage::default()
        };
        for (id, (_, entry)) in &entries {
            // An entry that is read again says nothing about how long entries take to arrive.
            let is_new = parse_id(id) > parse_id(last);
            page.push(entry, published_at(id).filter(|_| is_new));
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
