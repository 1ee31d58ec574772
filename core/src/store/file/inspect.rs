//! A look at a file of sessions, for operators: nothing is written, not even what opening it as a
//! store would (its migration, the removal of what has expired).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::schema::{self, File};
use super::{FileOptions, rows};
use crate::error::{Error, Result};
use crate::session::SessionState;
use crate::types::Timestamp;

/// What a file of sessions holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FileReport {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes, what waits in its write-ahead log included.
    pub bytes: u64,
    /// The version of its schema.
    pub schema_version: usize,
    /// What SQLite found damaged (`PRAGMA quick_check`); `None` when the file is sound. Sessions
    /// are not counted in a damaged file.
    pub damage: Option<String>,
    /// Users with sessions.
    pub users: u64,
    /// Sessions that can be refreshed.
    pub live: u64,
    /// Sessions that were revoked; kept, with their reasons.
    pub ended: u64,
    /// Sessions past their lifetime, idle or absolute, which are removed by and by.
    pub expired: u64,
}

impl FileReport {
    /// Reads the whole file at `path`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store` when it is not a store of regrant, is of a newer
    /// version, or cannot be opened; [`Error::StoreUnavailable`] when reading fails.
    pub fn of(path: &Path, options: &FileOptions) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| connection.busy_timeout(options.timeout).map(|()| connection))
            .map_err(|error| schema::refused(&error))?;
        let File::Ours { version } = schema::recognise(&connection)? else {
            return Err(Error::config("store", "the file is empty: no process has used it yet"));
        };
        let mut report = Self {
            path: path.to_owned(),
            bytes: size(path),
            schema_version: version,
            damage: schema::damage(&connection).map_err(schema::unavailable)?,
            users: 0,
            live: 0,
            ended: 0,
            expired: 0,
        };
        if report.damage.is_none() {
            report.count(&connection, options.clock.now())?;
        }
        Ok(report)
    }

    fn count(&mut self, connection: &Connection, now: Timestamp) -> Result<()> {
        let mut last = String::new();
        rows::for_each(connection, |subject, record| {
            let place = match record.state {
                _ if now >= record.expires_at => &mut self.expired,
                SessionState::Revoked(_) => &mut self.ended,
                SessionState::Live if record.is_live(now) => &mut self.live,
                SessionState::Live => &mut self.expired,
            };
            *place += 1;
            // No subject is empty, and all sessions of one come together.
            if last != subject {
                self.users += 1;
                last = subject;
            }
        })
    }
}

/// The file and its write-ahead log, which is not there while no process has it open.
fn size(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    length(path) + length(Path::new(&log))
}
