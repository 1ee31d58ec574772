//! Sessions in a file of this machine: durable, shared by several processes, without a server.
//!
//! SQLite in WAL mode. One thread per store owns the connection and runs all operations that have
//! arrived in one transaction (group commit). Logins and revocations are acknowledged once they
//! are on disk. Rotations are acknowledged once they survive a crash of the process; if the
//! machine crashes and loses them, the signed tokens heal the record
//! ([`step`](crate::session::step)).

mod schema;
mod writer;

pub use self::schema::{FileOptions, FileReport};

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::time::{Instant, sleep};

use self::schema::unavailable;
use self::writer::Writer;
use super::limits::Window;
use super::operations::{Durability, LocalStore, UserSessions};
use super::{FailureCounter, FailureKey, Failures, StoredSession};
use crate::error::{Error, Result};
use crate::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed, feed_entry};
use crate::session::Record;
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
    /// Opens the store at `path`, or creates it if there is no file yet. Reads the whole file, to
    /// find damage now and not during a login.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store` when the file is not a store of regrant, is damaged,
    /// was written by a newer version, or cannot be opened. Such a file is not changed.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        let connection = schema::open(path.as_ref(), options.timeout)?;
        Ok(Self { writer: Writer::start(connection, options.clock)? })
    }
}

impl LocalStore for FileStore {
    const KIND: &'static str = "file";

    async fn write<T: Send + 'static>(
        &self,
        subject: &Subject,
        durability: fn(&T) -> Durability,
        operation: impl FnOnce(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + 'static,
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
        operation: impl FnOnce(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let subject = subject.clone();
        let run = move |connection: &Connection, now| {
            operation(&mut Rows { connection, subject: subject.as_str() }, now)
        };
        self.writer.read(run).await
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
        let sql = "SELECT record, device FROM sessions WHERE subject = ?1 AND session = ?2";
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let row: Option<(Vec<u8>, String)> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut select| {
                select.query_row(params![self.subject, session.as_bytes()], columns).optional()
            })
            .map_err(unavailable)?;
        row.map(|(record, device)| Record::decode(&record, &device)).transpose()
    }

    fn put(&mut self, session: &SessionId, record: Record) -> Result<()> {
        let sql = "INSERT INTO sessions (subject, session, expires, record, device)
                   VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET expires = excluded.expires, record = excluded.record,
                   device = excluded.device";
        let (expires_at, device) = (record.expires_at.as_millis(), record.device.as_str());
        let encoded = record.encode();
        let values = params![self.subject, session.as_bytes(), expires_at, encoded, device];
        execute(self.connection, sql, values)
    }

    fn remove(&mut self, session: &SessionId) -> Result<()> {
        let sql = "DELETE FROM sessions WHERE subject = ?1 AND session = ?2";
        execute(self.connection, sql, params![self.subject, session.as_bytes()])
    }

    fn all(&mut self) -> Result<Vec<StoredSession>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT session, record, device FROM sessions WHERE subject = ?1")
            .map_err(unavailable)?;
        let rows = select
            .query_map([self.subject], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .map_err(unavailable)?;
        rows.map(|row| {
            let (id, record, device): (Vec<u8>, Vec<u8>, String) = row.map_err(unavailable)?;
            let id =
                id.try_into().map_err(|_| Error::internal("a stored session id is damaged"))?;
            let id = SessionId::from_bytes(id);
            Ok(StoredSession { id, record: Record::decode(&record, &device)? })
        })
        .collect()
    }
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
    execute(connection, "DELETE FROM feed WHERE until <= ?1", [now.as_millis()])?;
    for revocation in revocations {
        let entry = feed_entry(revocation, Some(now))?;
        let sql = "INSERT INTO feed (until, entry) VALUES (?1, ?2)";
        execute(connection, sql, params![revocation.expires_at.as_millis(), entry])?;
    }
    Ok(())
}

fn read_feed(connection: &Connection, from: i64) -> Result<FeedPage> {
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
