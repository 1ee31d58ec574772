//! The database file: its schema and migrations, the checks when it is opened, and a read-only
//! inspection for operators.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use serde::Serialize;

use super::identity::{FileIdentity, is_in_public_folder};
use crate::error::{Error, Result};
use crate::session::{Record, SessionState};
use crate::store::OPENING;
use crate::types::{Clock, SystemClock, Timestamp};

/// The options of a file store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// How long an operation waits for another process that has locked the file. Default 2
    /// seconds. Opening the file waits longer, because other processes may just be creating it.
    pub timeout: Duration,
    /// The clock that decides what has expired. Default: the system's.
    pub clock: Arc<dyn Clock>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), clock: Arc::new(SystemClock) }
    }
}

/// `rgnt`, the `application_id` by which `file(1)` and regrant recognise a store.
const APPLICATION_ID: i32 = 0x7267_6e74;

/// Each migration takes the file from the version of its index to the next one.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE sessions (
        subject TEXT NOT NULL,
        session BLOB NOT NULL,
        expires INTEGER NOT NULL,
        record BLOB NOT NULL,
        device TEXT NOT NULL,
        PRIMARY KEY (subject, session)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX sessions_by_expiry ON sessions (expires);
    CREATE TABLE syncs (only INTEGER PRIMARY KEY CHECK (only = 1), count INTEGER NOT NULL) STRICT;
    INSERT INTO syncs VALUES (1, 0);
    CREATE TABLE feed (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        until INTEGER NOT NULL,
        entry TEXT NOT NULL
    ) STRICT;
    CREATE INDEX feed_by_end ON feed (until);
",
    "
    CREATE TABLE failures (
        key BLOB PRIMARY KEY,
        count INTEGER NOT NULL,
        ends INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX failures_by_end ON failures (ends);
",
    "
    ALTER TABLE sessions ADD COLUMN notes TEXT NOT NULL DEFAULT '';
",
];

/// The version that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// The largest file that is checked for damage before it is used, in bytes. Checking it takes some
/// 10 ms; a larger one would block the caller for too long.
const MAX_CHECKED_AT_ONCE: u64 = 8 << 20;

/// An open file.
pub(super) struct OpenedFile {
    pub(super) connection: Connection,
    pub(super) identity: FileIdentity,
    /// Set by a background thread if it finds damage.
    pub(super) damage: Arc<OnceLock<String>>,
}

/// Opens and checks the file at `path`; creates or migrates it if needed.
pub(super) fn open(path: &Path, timeout: Duration) -> Result<OpenedFile> {
    if path.as_os_str().as_encoded_bytes().starts_with(b":") {
        return Err(problem("expected the path of a file; for sessions in memory, use memory:"));
    }
    if is_in_public_folder(path) {
        return Err(problem(&format!(
            "any user of this machine may write to the folder of {}; take that permission away \
             (chmod o-w)",
            path.display()
        )));
    }
    let identity = FileIdentity::open_or_create(path).map_err(|error| {
        problem(&format!("{} cannot be opened, created or written: {error}", path.display()))
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = identity.path();
    let unusable = |error: rusqlite::Error| unusable(path, &error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
    connection.busy_timeout(timeout.max(OPENING)).map_err(unusable)?;
    // Write nothing before the file is known to be ours.
    if recognise(path, &connection)? == Origin::Empty {
        // Takes effect only in an empty file; harmless if another process was faster.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").map_err(unusable)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(unusable)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(unusable)?;
    migrate(path, &mut connection)?;
    let damage = Arc::default();
    if size_on_disk(path) <= MAX_CHECKED_AT_ONCE {
        if quick_check(&connection).map_err(unusable)?.is_some() {
            return Err(problem("the file is damaged"));
        }
    } else {
        check_in_background(path, &damage)?;
    }
    connection.busy_timeout(timeout).map_err(unusable)?;
    Ok(OpenedFile { connection, identity, damage })
}

/// Looks for damage in a file on a thread and a connection of its own.
fn check_in_background(path: &Path, damage: &Arc<OnceLock<String>>) -> Result<()> {
    let (path, damage) = (path.to_owned(), Arc::clone(damage));
    let check = move || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let found = Connection::open_with_flags(path, flags).and_then(|file| quick_check(&file));
        match found {
            Ok(None) => {}
            Ok(Some(found)) => {
                tracing::error!(target: "regrant::store", found, "the store's file is damaged");
                // Set once.
                drop(damage.set(found));
            }
            Err(error) => {
                tracing::warn!(target: "regrant::store", %error, "the store's file could not be checked for damage");
            }
        }
    };
    let thread = thread::Builder::new().name("regrant-check".to_owned()).spawn(check);
    thread.map(drop).map_err(|_| problem("no thread could be started"))
}

/// Which program a file belongs to.
#[derive(PartialEq, Eq)]
enum Origin {
    Empty,
    Regrant { version: usize },
}

fn recognise(path: &Path, connection: &Connection) -> Result<Origin> {
    let unusable = |error: rusqlite::Error| unusable(path, &error);
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(unusable)?;
    let application = number("PRAGMA application_id").map_err(unusable)?;
    let version = number("PRAGMA user_version").map_err(unusable)?;
    if tables == 0 && application == 0 && version == 0 {
        return Ok(Origin::Empty);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(problem("the file is a database of another program"));
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(problem("the file was written by a newer version of regrant"));
    }
    Ok(Origin::Regrant { version })
}

/// Runs the migrations that the file lacks, in one transaction.
fn migrate(path: &Path, connection: &mut Connection) -> Result<()> {
    let unusable = |error: rusqlite::Error| unusable(path, &error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unusable)?;
    let from = match recognise(path, &transaction)? {
        Origin::Empty => 0,
        Origin::Regrant { version } => version,
    };
    for migration in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(migration).map_err(unusable)?;
    }
    if from < MIGRATIONS.len() {
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .and_then(|()| transaction.pragma_update(None, "user_version", VERSION))
            .map_err(unusable)?;
    }
    transaction.commit().map_err(unusable)
}

/// Reads the whole file and returns the first damage that SQLite finds, if any.
fn quick_check(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(verdict) => Ok(Some(verdict).filter(|verdict| verdict != "ok")),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(Some(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

fn problem(text: &str) -> Error {
    Error::config("store", text)
}

/// Why the file cannot be opened.
fn unusable(path: &Path, error: &rusqlite::Error) -> Error {
    let name = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => problem("the file is not a store of regrant"),
        Some(ErrorCode::DatabaseCorrupt) => problem("the file is damaged"),
        Some(ErrorCode::CannotOpen) => {
            problem(&format!("{name} cannot be opened or created: {error}"))
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            problem(&format!("{name} cannot be written: {error}"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            problem("the file is locked by another process")
        }
        _ => problem(&format!("{name} cannot be used: {error}")),
    }
}

/// The failure of an operation on an open file. Logged unless the file was merely locked, because
/// anything else needs an operator.
pub(super) fn unavailable(error: rusqlite::Error) -> Error {
    if !matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy)) {
        tracing::error!(target: "regrant::store", %error, "an operation on the store's file failed");
    }
    Error::store(error)
}

/// What a store's file contains. Reading it writes nothing, not even a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FileReport {
    /// The path of the file.
    pub path: PathBuf,
    /// The size in bytes, including the write-ahead log.
    pub bytes: u64,
    /// The version of the schema.
    pub schema_version: usize,
    /// The damage that SQLite found (`PRAGMA quick_check`); `None` if the file is sound. The
    /// sessions of a damaged file are not counted.
    pub damage: Option<String>,
    /// The number of users with sessions.
    pub users: u64,
    /// The number of sessions that can be refreshed.
    pub live: u64,
    /// The number of revoked sessions, which are kept with their reasons.
    pub ended: u64,
    /// The number of sessions past their idle or absolute lifetime, which are removed over time.
    pub expired: u64,
}

impl FileReport {
    /// Reads the whole file at `path`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store` when it is not a store of regrant, was written by a
    /// newer version, or cannot be opened; [`Error::StoreUnavailable`] when reading fails.
    pub fn of(path: &Path, options: &FileOptions) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| connection.busy_timeout(options.timeout).map(|()| connection))
            .map_err(|error| unusable(path, &error))?;
        let Origin::Regrant { version } = recognise(path, &connection)? else {
            return Err(problem("the file is empty: no process has used it yet"));
        };
        let mut report = Self {
            path: path.to_owned(),
            bytes: size_on_disk(path),
            schema_version: version,
            damage: quick_check(&connection).map_err(unavailable)?,
            users: 0,
            live: 0,
            ended: 0,
            expired: 0,
        };
        if report.damage.is_none() {
            report.count_sessions(&connection, options.clock.now())?;
        }
        Ok(report)
    }

    fn count_sessions(&mut self, connection: &Connection, now: Timestamp) -> Result<()> {
        let mut select = connection
            .prepare("SELECT subject, record, device FROM sessions ORDER BY subject")
            .map_err(unavailable)?;
        let mut rows = select.query([]).map_err(unavailable)?;
        let mut last = String::new();
        while let Some(row) = rows.next().map_err(unavailable)? {
            let (subject, bytes, device): (String, Vec<u8>, String) = row
                .get(0)
                .and_then(|subject| Ok((subject, row.get(1)?, row.get(2)?)))
                .map_err(unavailable)?;
            let record = Record::decode(&bytes, &device)?;
            let counter = match record.state {
                _ if now >= record.expires_at => &mut self.expired,
                SessionState::Revoked(_) => &mut self.ended,
                SessionState::Live if record.is_live(now) => &mut self.live,
                SessionState::Live => &mut self.expired,
            };
            *counter += 1;
            // A subject is never empty, and the rows are ordered by it.
            if last != subject {
                self.users += 1;
                last = subject;
            }
        }
        Ok(())
    }
}

/// The file and its write-ahead log, which exists only while a process has the file open.
fn size_on_disk(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    length(path) + length(Path::new(&log))
}
