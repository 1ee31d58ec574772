//! Sessions in a file of this machine: durable, shared by several processes, without a server.
//!
//! SQLite in WAL mode. One thread per store owns the connection and runs all operations that have
//! arrived in one transaction (group commit). Logins and revocations are acknowledged once they
//! are on disk. Rotations are acknowledged once they survive a crash of the process; if the
//! machine crashes and loses them, the signed tokens heal the record
//! ([`decide_refresh`](crate::session::decide_refresh)).

mod identity;
mod schema;
mod writer;

pub use self::schema::{FileOptions, FileReport};

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::time::{Instant, sleep};

use self::schema::{OpenedFile, unavailable};
use self::writer::Writer;
use super::limits::Window;
use super::operations::{Durability, LocalStore, UserSessions};
use super::{FailureCounter, FailureKey, Failures, StoredSession, UserCursor, UserPage};
use crate::error::{Error, Result};
use crate::revocation::{
    FeedCursor, FeedPage, MAX_FEED_BYTES, MAX_FEED_ENTRIES, Revocation, RevocationFeed,
    cutoff_entry, feed_entry,
};
use crate::session::{Record, SessionNotes};
use crate::types::{SessionId, Subject, Timestamp};

/// Sessions in a file.
pub struct FileStore {
    writer: Writer,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens the store at `path`, or creates it if there is no file yet, readable and writable by its
    /// owner only. Reads a file of up to 8 MiB, to find damage now and not during a login; a larger
    /// one is read by a background thread, and if it is damaged, every later operation fails.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store` when the file is not a store of regrant, is damaged,
    /// was written by a newer version, cannot be opened, or is in a folder to which any user of the
    /// machine may write. Such a file is not changed.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        let OpenedFile { connection, identity, damage } =
            schema::open(path.as_ref(), options.timeout)?;
        Ok(Self { writer: Writer::start(connection, options.clock, identity, damage)? })
    }
}

impl LocalStore for FileStore {
    const KIND: &'static str = "file";

    async fn write<T: Send + 'static>(
        &self,
        subject: &Subject,
        durability: fn(&T) -> Durability,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let subject = subject.clone();
        let run = move |connection: &Connection, now| {
            operation(&mut Rows { connection, subject: subject.as_str() }, now)
        };
        self.writer.write(durability, run).await
    }

    async fn read<T: Send + 'static>(
        &self,
        subject: &Subject,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let subject = subject.clone();
        let run = move |connection: &Connection, now| {
            operation(&mut Rows { connection, subject: subject.as_str() }, now)
        };
        self.writer.read(run).await
    }

    async fn list_users(&self, cursor: &UserCursor) -> Result<UserPage> {
        let (after, limit) = (cursor.0.clone(), UserPage::LENGTH as i64);
        let list = move |connection: &Connection, _| {
            let sql = "SELECT DISTINCT subject FROM sessions WHERE subject > ?1 ORDER BY subject LIMIT ?2";
            let mut select = connection.prepare_cached(sql).map_err(unavailable)?;
            let rows = select.query_map(params![after, limit], |row| row.get(0));
            rows.and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>).map_err(unavailable)
        };
        UserPage::sorted(self.writer.read(list).await?)
    }

    fn revocation_feed(&self) -> Option<&dyn RevocationFeed> {
        Some(self)
    }

    fn failure_counter(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }
}

/// The rows of one user, within the current transaction.
struct Rows<'c> {
    connection: &'c Connection,
    subject: &'c str,
}

impl UserSessions for Rows<'_> {
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>> {
        let sql = "SELECT record, device, notes FROM sessions WHERE subject = ?1 AND session = ?2";
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let row: Option<(Vec<u8>, String, String)> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut select| {
                select.query_row(params![self.subject, session.as_bytes()], columns).optional()
            })
            .map_err(unavailable)?;
        row.map(|(record, device, notes)| decode(&record, &device, &notes)).transpose()
    }

    fn put(&mut self, session: &SessionId, record: Record) -> Result<()> {
        let sql = "INSERT INTO sessions (subject, session, expires, record, device, notes)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT DO UPDATE SET expires = excluded.expires, record = excluded.record,
                   device = excluded.device, notes = excluded.notes";
        let (expires_at, device) = (record.expires_at.as_millis(), record.device.as_str());
        let (encoded, notes) = (record.encode(), record.notes.encode());
        let values = params![self.subject, session.as_bytes(), expires_at, encoded, device, notes];
        execute(self.connection, sql, values)
    }

    fn remove(&mut self, session: &SessionId) -> Result<()> {
        let sql = "DELETE FROM sessions WHERE subject = ?1 AND session = ?2";
        execute(self.connection, sql, params![self.subject, session.as_bytes()])
    }

    fn all(&mut self) -> Result<Vec<StoredSession>> {
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT session, record, device, notes FROM sessions WHERE subject = ?1",
            )
            .map_err(unavailable)?;
        let rows = select
            .query_map([self.subject], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .map_err(unavailable)?;
        rows.map(|row| {
            let (id, record, device, notes): (Vec<u8>, Vec<u8>, String, String) =
                row.map_err(unavailable)?;
            let id =
                id.try_into().map_err(|_| Error::internal("a stored session id is damaged"))?;
            let id = SessionId::from_bytes(id);
            Ok(StoredSession { id, record: decode(&record, &device, &notes)? })
        })
        .collect()
    }
}

fn decode(record: &[u8], device: &str, notes: &str) -> Result<Record> {
    Ok(Record { notes: SessionNotes::decode(notes)?, ..Record::decode(record, device)? })
}

fn execute(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<()> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(unavailable)?;
    Ok(())
}

#[async_trait]
impl FailureCounter for FileStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let key = *key;
        let run = move |connection: &Connection, now| count(connection, &key, window, now);
        self.writer.write(|_| Durability::Process, run).await
    }
}

fn count(
    connection: &Connection,
    key: &FailureKey,
    length: Duration,
    now: Timestamp,
) -> Result<Failures> {
    let window = |row: &Row<'_>| {
        Ok(Window { count: row.get(0)?, ends: Timestamp::from_millis(row.get(1)?) })
    };
    let before = connection
        .prepare_cached("SELECT count, ends FROM failures WHERE key = ?1")
        .and_then(|mut select| select.query_row([key.as_bytes()], window).optional())
        .map_err(unavailable)?;
    let window = Window::count(before, length, now);
    let sql = "INSERT OR REPLACE INTO failures (key, count, ends) VALUES (?1, ?2, ?3)";
    execute(connection, sql, params![key.as_bytes(), window.count, window.ends.as_millis()])?;
    Ok(window.failures(now))
}

/// How often a waiting reader polls the feed: SQLite cannot wake another process.
const FEED_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The number of entries in one page of the feed.
const FEED_PAGE: i64 = 512;

#[async_trait]
impl RevocationFeed for FileStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let revocations = revocations.to_vec();
        let run = move |connection: &Connection, now| publish(connection, &revocations, now);
        self.writer.write(|()| Durability::Disk, run).await
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let from: i64 = match cursor.0.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| Error::internal("a cursor of another store"))?,
        };
        let end = Instant::now() + wait;
        loop {
            let page = self.writer.read(move |connection, _| read_feed(connection, from)).await?;
            let left = end.saturating_duration_since(Instant::now());
            if page.next != FeedCursor(from.to_string()) || left.is_zero() {
                return Ok(page);
            }
            sleep(left.min(FEED_POLL_INTERVAL)).await;
        }
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        self.writer.read(|_, now| Ok(Some(now))).await
    }
}

fn publish(connection: &Connection, revocations: &[Revocation], now: Timestamp) -> Result<()> {
    let mut feed = FeedExtent::read(connection)?;
    for revocation in revocations {
        if feed.is_full() {
            let denied: Option<i64> = connection
                .query_row("SELECT max(until) FROM feed", [], |row| row.get(0))
                .map_err(unavailable)?;
            let published = revocations.iter().map(|it| it.expires_at);
            let until = published.chain(denied.map(Timestamp::from_millis)).max().unwrap_or(now);
            feed = feed.collapsed();
            feed.append(connection, until, &cutoff_entry(until, now, Some(now))?)?;
        }
        let entry = feed_entry(revocation, Some(now))?;
        feed.append(connection, revocation.expires_at, &entry)?;
    }
    Ok(())
}

/// The extent of the feed: its first entry and its last. An entry that was deleted between them counts
/// on.
///
/// When the feed is full, the entries so far are replaced by a cut-off time and deleted later, in small
/// batches ([`prune_feed`]). Each entry therefore ends with the place of the first entry that counts and
/// with the size of all from there up to it. Entries of earlier versions lack both and have no size.
#[derive(Clone, Copy, Debug, Default)]
struct FeedExtent {
    first: Entry,
    last: Entry,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    place: i64,
    /// The place of the first entry that counts.
    from: i64,
    /// The size of the entries from there up to this one.
    size: u64,
}

impl Entry {
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (place, json): (i64, String) = (row.get(0)?, row.get(1)?);
        let (from, size) = parse_extent(&json).unwrap_or_default();
        Ok(Self { place, from, size })
    }
}

/// The text that [`FeedExtent::append`] adds to an entry, read back.
fn parse_extent(json: &str) -> Option<(i64, u64)> {
    let (_, end) = json.rsplit_once(",\"from\":")?;
    let (from, size) = end.strip_suffix('}')?.split_once(",\"size\":")?;
    Some((from.parse().ok()?, size.parse().ok()?))
}

impl FeedExtent {
    fn read(connection: &Connection) -> Result<Self> {
        let read = |sql| {
            connection
                .prepare_cached(sql)
                .and_then(|mut select| select.query_row([], Entry::of_row).optional())
                .map_err(unavailable)
        };
        let Some(last) = read("SELECT place, entry FROM feed ORDER BY place DESC LIMIT 1")? else {
            return Ok(Self::default());
        };
        let first = read("SELECT place, entry FROM feed ORDER BY place LIMIT 1")?.unwrap_or(last);
        let first = match first.place < last.from {
            true => Entry { place: last.from, from: last.from, size: 0 },
            false => first,
        };
        Ok(Self { first, last })
    }

    fn is_full(&self) -> bool {
        let entries = self.last.place.saturating_sub(self.first.place).saturating_add(1);
        let bytes = self.last.size.saturating_sub(self.first.size);
        usize::try_from(entries).is_ok_and(|entries| entries >= MAX_FEED_ENTRIES)
            || usize::try_from(bytes).is_ok_and(|bytes| bytes >= MAX_FEED_BYTES)
    }

    /// Only later entries count.
    fn collapsed(&self) -> Self {
        let place = self.last.place.saturating_add(1);
        let first = Entry { place, from: place, size: 0 };
        Self { first, last: Entry { place: self.last.place, ..first } }
    }

    fn append(&mut self, connection: &Connection, until: Timestamp, entry: &str) -> Result<()> {
        let from = self.last.from;
        let size = self.last.size.saturating_add(u64::try_from(entry.len()).unwrap_or(u64::MAX));
        let open = entry.strip_suffix('}').unwrap_or(entry);
        let entry = format!("{open},\"from\":{from},\"size\":{size}}}");
        let sql = "INSERT INTO feed (until, entry) VALUES (?1, ?2)";
        execute(connection, sql, params![until.as_millis(), entry])?;
        let place = connection.last_insert_rowid();
        if self.first.place == 0 {
            self.first = Entry { place, from, size };
        }
        self.last = Entry { place, from, size };
        Ok(())
    }
}

/// Deletes at most `limit` entries that have expired or no longer count. Returns how many.
fn prune_feed(connection: &Connection, now: Timestamp, limit: usize) -> Result<usize> {
    let from = FeedExtent::read(connection)?.first.place;
    let sql = "DELETE FROM feed WHERE place IN
               (SELECT place FROM feed WHERE place < ?2 OR until <= ?1 LIMIT ?3)";
    connection
        .prepare_cached(sql)
        .and_then(|mut delete| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            delete.execute(params![now.as_millis(), from, limit])
        })
        .map_err(unavailable)
}

fn read_feed(connection: &Connection, from: i64) -> Result<FeedPage> {
    let first = FeedExtent::read(connection)?.first.place;
    let from = from.max(first.saturating_sub(1));
    let mut select = connection
        .prepare_cached("SELECT place, entry FROM feed WHERE place > ?1 ORDER BY place LIMIT ?2")
        .map_err(unavailable)?;
    let rows = select
        .query_map(params![from, FEED_PAGE], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .map_err(unavailable)?;
    let mut page =
        FeedPage { next: FeedCursor(from.to_string()), complete: true, ..FeedPage::default() };
    let mut left = FEED_PAGE;
    for row in rows {
        left -= 1;
        let (place, entry) = row.map_err(unavailable)?;
        page.next = FeedCursor(place.to_string());
        page.push(&entry, None);
    }
    page.complete = left > 0;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::session::{
        DeviceLabel, NewSession, PresentedToken, SessionPolicy, TokenId, TokenSecret,
    };
    use crate::store::SessionStore;
    use crate::types::{Clock, ManualClock};

    impl FileStore {
        /// Makes SQLite answer as on a full disk beyond the present number of pages, or no longer.
        async fn fill_disk(&self, full: bool) {
            let run = move |connection: &Connection, _| {
                let pages: i64 = connection
                    .query_row("PRAGMA page_count", [], |row| row.get(0))
                    .map_err(unavailable)?;
                let most = if full { pages } else { i64::from(u32::MAX - 1) };
                let set = format!("PRAGMA max_page_count = {most}");
                connection.query_row(&set, [], |_| Ok(())).map_err(unavailable)
            };
            self.writer.read(run).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_an_unavailable_store_and_signs_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
        let options = FileOptions { clock: clock as Arc<dyn Clock>, ..FileOptions::default() };
        let store = FileStore::open(folder.path().join("sessions.db"), options).unwrap();
        let policy = SessionPolicy::default();
        let secret = TokenSecret::from_bytes([7; 32]);
        let new = |id| NewSession {
            id,
            idle_ttl: policy.idle_ttl,
            absolute_ttl: policy.absolute_ttl,
            device: DeviceLabel::new("x".repeat(64)).unwrap(),
            max_sessions: None,
            legacy_login: None,
            client: None,
        };
        let login = async |number: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            let subject = Subject::new(format!("user-{number}")).unwrap();
            let new = new(TokenId::from_bytes(id));
            store.create(&subject, &SessionId::from_bytes(id), &new).await.map(drop)
        };
        let (alice, session) = (Subject::new("alice").unwrap(), SessionId::from_bytes([1; 16]));
        let record = store.create(&alice, &session, &new(secret.id())).await.unwrap().record;
        store.fill_disk(true).await;
        let mut failed = None;
        for number in 0..2_000 {
            failed = login(number).await.err();
            if failed.is_some() {
                break;
            }
        }
        let Some(Error::StoreUnavailable { source }) = failed else { panic!("{failed:?}") };
        assert!(source.to_string().contains("database or disk is full"), "{source}");

        let token = PresentedToken {
            generation: 0,
            branch: 0,
            id: secret.id(),
            parent: None,
            issued_at: record.created_at,
            expires_at: record.idle_deadline,
        };
        let refresh =
            async || store.refresh(&alice, &session, &token, &policy.for_refresh(None), None).await;
        // Granted or unavailable, but never a reason to sign in.
        assert!(!matches!(refresh().await, Ok(None)));
        store.fill_disk(false).await;
        login(2_001).await.unwrap();
        assert!(refresh().await.unwrap().is_some());
        assert!(store.health().await.reachable);
    }
}
