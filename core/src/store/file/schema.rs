//! The file: how it is recognised, made and brought to the present version.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::error::{Error, Result};

/// `rgnt`: what `file(1)` and we know a store by.
const APPLICATION_ID: i32 = 0x7267_6e74;

/// Each step takes the file from the version of its index to the next one.
const STEPS: &[&str] = &[
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
];

/// The version that this program writes.
const VERSION: i64 = STEPS.len() as i64;

/// Opens, checks, and where needed makes or migrates the file at `path`.
pub(super) fn open(path: &Path, timeout: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| refused(&e))?;
    connection.busy_timeout(timeout).map_err(|e| refused(&e))?;
    // Nothing is written before it is known whose file this is.
    if recognise(&connection)? == File::Fresh {
        // Only works while the file is empty; harmless where another process was faster.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").map_err(|e| refused(&e))?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(|e| refused(&e))?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(|e| refused(&e))?;
    migrate(&mut connection)?;
    check(&connection)?;
    Ok(connection)
}

/// Whose a file is.
#[derive(PartialEq, Eq)]
pub(super) enum File {
    Fresh,
    Ours { version: usize },
}

pub(super) fn recognise(connection: &Connection) -> Result<File> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(|e| refused(&e))?;
    let application = number("PRAGMA application_id").map_err(|e| refused(&e))?;
    let version = number("PRAGMA user_version").map_err(|e| refused(&e))?;
    if tables == 0 && application == 0 && version == 0 {
        return Ok(File::Fresh);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(problem("the file is a database of another program"));
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > STEPS.len() {
        return Err(problem("the file was written by a newer version of regrant"));
    }
    Ok(File::Ours { version })
}

/// Takes the steps that the file has not seen, all or none.
fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| refused(&e))?;
    let from = match recognise(&transaction)? {
        File::Fresh => 0,
        File::Ours { version } => version,
    };
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step).map_err(|e| refused(&e))?;
    }
    if from < STEPS.len() {
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .and_then(|()| transaction.pragma_update(None, "user_version", VERSION))
            .map_err(|e| refused(&e))?;
    }
    transaction.commit().map_err(|e| refused(&e))
}

/// Reads the whole file once: damage is to be found now and not in the middle of a login.
fn check(connection: &Connection) -> Result<()> {
    match damage(connection).map_err(|e| refused(&e))? {
        None => Ok(()),
        Some(_) => Err(problem("the file is damaged")),
    }
}

/// The first thing that SQLite finds damaged in the whole file, if any.
///
/// # Errors
/// When the file cannot be read for another reason.
pub(super) fn damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
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

/// Why the file cannot be used.
pub(super) fn refused(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => problem("the file is not a store of regrant"),
        Some(ErrorCode::DatabaseCorrupt) => problem("the file is damaged"),
        Some(ErrorCode::CannotOpen) => problem("the file cannot be opened or made"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            problem("the file cannot be written")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            problem("the file is locked by another process")
        }
        _ => problem(&format!("the file cannot be used: {error}")),
    }
}

/// A failure in the middle of operations. Nobody is signed out by it; what is not about waiting
/// for another process needs an operator, so it is also logged.
pub(super) fn unavailable(error: rusqlite::Error) -> Error {
    if !matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy)) {
        tracing::error!(target: "regrant::store", %error, "the store's file refused an operation");
    }
    Error::store(error)
}
