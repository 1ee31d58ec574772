//! Sessions in any database, through two operations that the app implements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::limits::Window;
use super::operations::{Durability, LocalStore, UserSessions};
use super::optimistic::{Loaded, Optimistic, Saved, UserValues, Write, backoff, late};
use super::{FailureCounter, FailureKey, Failures, UserCursor, UserPage};
use crate::error::{Error, Result};
use crate::revocation::{
    FeedCursor, FeedPage, Revocation, RevocationFeed, cutoff_entry, feed_entry,
};
use crate::types::{Clock, SessionId, Subject, SystemClock, Timestamp};

/// A database that can write a value if nobody else has written it since it was read.
///
/// Values are opaque. A write that was acknowledged must be durable, and every later
/// [`get`](Self::get) must see it: never read from a replica. The version of a value must change with
/// every write and must not come back, not even after the value was deleted; a counter that is
/// incremented with every write will do.
#[async_trait]
pub trait KeyValueStore: fmt::Debug + Send + Sync {
    /// Reads the value of a key: at most 70 characters, letters, digits and `:`. An expired value may
    /// be returned or not.
    ///
    /// # Errors
    /// [`Error::store`] with the cause.
    async fn get(&self, key: &str) -> Result<Option<VersionedValue>>;

    /// Writes the value of a key if its version is still `if_version`, or, with `None`, if the key
    /// has no value; in one step that no other write can come between. Returns whether it was
    /// written. The value may be deleted after `expires_at`, and must not be deleted before.
    ///
    /// # Errors
    /// [`Error::store`] with the cause. The value may have been written or not.
    async fn put(
        &self,
        key: &str,
        value: &[u8],
        if_version: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<bool>;
}

/// What [`KeyValueStore::get`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedValue {
    /// The value, as it was written.
    pub value: Vec<u8>,
    /// The version of this value: any text, which only the database interprets.
    pub version: String,
}

/// The options of a [`CustomStore`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CustomStoreOptions {
    /// How long one operation may take, with all its reads and writes. Default 2 seconds.
    pub timeout: Duration,
    /// The clock. Default: that of this machine. The clocks of all processes that share the database
    /// must agree to within a second or two.
    pub clock: Arc<dyn Clock>,
}

impl Default for CustomStoreOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), clock: Arc::new(SystemClock) }
    }
}

/// Sessions in a [`KeyValueStore`].
///
/// A user's sessions are one value, which grows with their number (up to some 140 bytes each). The
/// revocation feed is one value too, which every process polls twice a second. A refresh takes one read
/// and one write.
#[derive(Debug)]
pub struct CustomStore {
    entries: Entries,
    optimistic: Optimistic,
}

#[derive(Debug)]
struct Entries {
    database: Arc<dyn KeyValueStore>,
    options: CustomStoreOptions,
    /// Held while the feed is written.
    publishing: Mutex<()>,
}

impl CustomStore {
    /// Sessions in `database`.
    pub fn new(database: Arc<dyn KeyValueStore>, options: CustomStoreOptions) -> Self {
        let optimistic = Optimistic::new(options.timeout);
        Self { entries: Entries { database, options, publishing: Mutex::default() }, optimistic }
    }
}

impl LocalStore for CustomStore {
    const KIND: &'static str = "custom";

    async fn write<T: Send + 'static>(
        &self,
        subject: &Subject,
        _: fn(&T) -> Durability,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.optimistic.run(&self.entries, subject, operation).await
    }

    async fn read<T: Send + 'static>(
        &self,
        subject: &Subject,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.optimistic.run(&self.entries, subject, operation).await
    }

    async fn list_users(&self, _: &UserCursor) -> Result<UserPage> {
        Err(Error::config("store", "the keys of a custom store do not name its users"))
    }

    fn revocation_feed(&self) -> Option<&dyn RevocationFeed> {
        Some(&self.entries)
    }

    fn failure_counter(&self) -> Option<&dyn FailureCounter> {
        Some(&self.entries)
    }
}

/// The key of a user: a hash, because databases compare keys in different ways (without regard to case,
/// to accents, to spaces at the end) and limit their length.
fn user_key(subject: &Subject) -> String {
    use fmt::Write as _;
    let mut key = "user:".to_owned();
    for byte in Sha256::digest(subject.as_str()) {
        // Writing to a string does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

impl UserValues for Entries {
    async fn load(&self, subject: &Subject) -> Result<Loaded> {
        let current = self.database.get(&user_key(subject)).await?;
        let current = current.map(|current| (current.value, current.version));
        Ok(Loaded { current, now: self.options.clock.now() })
    }

    async fn save(&self, subject: &Subject, write: &Write) -> Result<Saved> {
        let Write { value, replaces, expires_at, .. } = write;
        let key = user_key(subject);
        let put = self.database.put(&key, value, replaces.as_deref(), *expires_at);
        Ok(if put.await? { Saved::Written(None) } else { Saved::Conflict })
    }
}

impl Entries {
    /// Replaces the value of `key` by what `change` makes of it, once more after each conflict.
    async fn update<T>(
        &self,
        key: &str,
        change: impl Fn(Option<&[u8]>, Timestamp) -> Result<Change<T>> + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
    {
        let run = async {
            for conflicts in 0.. {
                let current = self.database.get(key).await?;
                let (value, version) = current.map(|it| (it.value, it.version)).unzip();
                let change = change(value.as_deref(), self.options.clock.now())?;
                let put =
                    self.database.put(key, &change.value, version.as_deref(), change.expires_at);
                if put.await? {
                    return Ok(change.outcome);
                }
                sleep(backoff(conflicts)?).await;
            }
            Err(Error::store("too many concurrent writes to one value"))
        };
        timeout(self.options.timeout, run).await.map_err(|_| late())?
    }
}

struct Change<T> {
    value: Vec<u8>,
    expires_at: Timestamp,
    outcome: T,
}

/// The count of failures as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredWindow {
    count: u32,
    ends: Timestamp,
}

#[async_trait]
impl FailureCounter for Entries {
    async fn count(&self, key: &FailureKey, length: Duration) -> Result<Failures> {
        let key = format!("failures:{:032x}", u128::from_be_bytes(*key.as_bytes()));
        let count = move |value: Option<&[u8]>, now: Timestamp| {
            let before = value.and_then(|value| serde_json::from_slice::<StoredWindow>(value).ok());
            let before = before.map(|it| Window { count: it.count, ends: it.ends });
            let Window { count, ends } = Window::count(before, length, now);
            Ok(Change {
                value: json(&StoredWindow { count, ends })?,
                expires_at: ends,
                outcome: Window { count, ends }.failures(now),
            })
        };
        self.update(&key, count).await
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|_| Error::internal("a value did not serialize"))
}

/// The key of the feed.
const FEED_KEY: &str = "feed";

/// How often a waiting reader reads the feed.
const FEED_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The feed is written and read as a whole, so it is kept shorter than that of a store of its own: with more
/// entries, all of them are replaced by one cut-off time.
const MAX_FEED_ENTRIES: usize = 1_000;

/// As [`MAX_FEED_ENTRIES`], in bytes.
const MAX_FEED_BYTES: usize = 256 << 10;

/// The feed as it is stored.
#[derive(Serialize, Deserialize)]
struct Feed {
    /// Chosen when the feed begins: a cursor of another feed starts over.
    id: String,
    /// The number of entries that were ever appended.
    length: u64,
    /// The last of them, in the order in which they were published.
    entries: Vec<FeedItem>,
}

#[derive(Serialize, Deserialize)]
struct FeedItem {
    place: u64,
    until: Timestamp,
    entry: String,
}

impl Feed {
    fn parse(value: Option<&[u8]>) -> Result<Self> {
        match value {
            Some(value) => {
                serde_json::from_slice(value).map_err(|_| Error::internal("the feed is damaged"))
            }
            None => {
                Ok(Self { id: SessionId::random()?.to_string(), length: 0, entries: Vec::new() })
            }
        }
    }

    fn push(&mut self, until: Timestamp, entry: String) {
        self.length = self.length.saturating_add(1);
        self.entries.push(FeedItem { place: self.length, until, entry });
    }

    fn is_full(&self) -> bool {
        let bytes: usize = self.entries.iter().map(|item| item.entry.len()).sum();
        self.entries.len() >= MAX_FEED_ENTRIES || bytes >= MAX_FEED_BYTES
    }
}

#[async_trait]
impl RevocationFeed for Entries {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let publish = |value: Option<&[u8]>, now: Timestamp| {
            let mut feed = Feed::parse(value)?;
            feed.entries.retain(|item| now < item.until);
            for revocation in revocations {
                if feed.is_full() {
                    let denied = feed.entries.iter().map(|item| item.until);
                    let published = revocations.iter().map(|revocation| revocation.expires_at);
                    let until = denied.chain(published).max().unwrap_or(now);
                    feed.entries.clear();
                    feed.push(until, cutoff_entry(until, now, Some(now))?);
                }
                feed.push(revocation.expires_at, feed_entry(revocation, Some(now))?);
            }
            let last = feed.entries.iter().map(|item| item.until).max().unwrap_or(now);
            // Longer, so that the feed keeps its id while nothing is revoked.
            let expires_at = last.plus(Duration::from_secs(365 * 24 * 3600));
            Ok(Change { value: json(&feed)?, expires_at, outcome: () })
        };
        let publishing = async {
            // The others of this process would only cause conflicts.
            let _turn = self.publishing.lock().await;
            self.update(FEED_KEY, publish).await
        };
        timeout(self.options.timeout, publishing).await.map_err(|_| late())?
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let end = Instant::now() + wait;
        loop {
            let get = timeout(self.options.timeout, self.database.get(FEED_KEY));
            let value = get.await.map_err(|_| late())??.map(|current| current.value);
            let page = match value {
                Some(value) => page_after(&Feed::parse(Some(&value))?, cursor),
                None => FeedPage { complete: true, ..FeedPage::default() },
            };
            let left = end.saturating_duration_since(Instant::now());
            if page.next != *cursor || left.is_zero() {
                return Ok(page);
            }
            sleep(left.min(FEED_POLL_INTERVAL)).await;
            // The next read begins with a `get`.
            if Instant::now() >= end {
                return Ok(page);
            }
        }
    }

    fn max_entries(&self) -> usize {
        MAX_FEED_ENTRIES
    }

    fn max_bytes(&self) -> usize {
        MAX_FEED_BYTES
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        Ok(Some(self.options.clock.now()))
    }
}

/// The entries after the last one that was read, which `cursor` names by the id of the feed, its place, and
/// when it expires. A feed without it is read from its beginning: it is another one, or was set back and
/// gives its place to another entry, which expires in another millisecond.
fn page_after(feed: &Feed, cursor: &FeedCursor) -> FeedPage {
    let name = |item: &FeedItem| format!("{}.{}.{}", feed.id, item.place, item.until.as_millis());
    let last = feed.entries.iter().rposition(|item| name(item) == cursor.0);
    let new = &feed.entries[last.map_or(0, |last| last + 1)..];
    let mut page = FeedPage { complete: true, ..FeedPage::default() };
    for item in new {
        page.push(&item.entry, None);
    }
    page.next = match feed.entries.last() {
        Some(item) => FeedCursor(name(item)),
        None => FeedCursor(feed.id.clone()),
    };
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::RevocationTarget;

    #[test]
    fn a_feed_that_was_set_back_is_read_from_its_beginning() {
        let target = RevocationTarget::Session { session: SessionId::from_bytes([1; 16]) };
        let revocation =
            |until: i64| Revocation::new(target.clone(), Timestamp::from_millis(until));
        let item = |(place, until)| FeedItem {
            place,
            until: Timestamp::from_millis(until),
            entry: feed_entry(&revocation(until), None).unwrap(),
        };
        let feed = |entries: &[(u64, i64)]| Feed {
            id: "id".to_owned(),
            length: entries.last().map_or(0, |(place, _)| *place),
            entries: entries.iter().copied().map(item).collect(),
        };
        let read = |feed: &Feed, cursor: &FeedCursor| {
            let page = page_after(feed, cursor);
            let untils = page.revocations.iter().map(|it| it.expires_at.as_millis());
            (untils.collect::<Vec<_>>(), page.next)
        };
        let (all, cursor) = read(&feed(&[(1, 10), (2, 20), (3, 30)]), &FeedCursor::default());
        assert_eq!(all, [10, 20, 30]);
        let (new, _) = read(&feed(&[(2, 20), (3, 30), (4, 40)]), &cursor);
        assert_eq!(new, [40]);
        // From a backup, and then longer than before.
        let (again, cursor) = read(&feed(&[(1, 10), (2, 25), (3, 35), (4, 45)]), &cursor);
        assert_eq!(again, [10, 25, 35, 45]);
        // Everything has expired.
        let (none, cursor) = read(&feed(&[]), &cursor);
        assert!(none.is_empty());
        assert_eq!(read(&feed(&[(5, 55)]), &cursor).0, [55]);
    }
}
