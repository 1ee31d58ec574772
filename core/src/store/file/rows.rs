//! The sessions of one user as rows.

use rusqlite::{Connection, OptionalExtension, params};

use super::schema::unavailable;
use crate::error::{Error, Result};
use crate::session::Record;
use crate::store::StoredSession;
use crate::store::operations::UserSessions;
use crate::types::{SessionId, Subject, Timestamp};

/// The sessions of one user, within the transaction that is under way.
pub(super) struct Rows<'c> {
    connection: &'c Connection,
    subject: &'c str,
}

impl<'c> Rows<'c> {
    pub(super) fn new(connection: &'c Connection, subject: &'c Subject) -> Self {
        Self { connection, subject: subject.as_str() }
    }
}

impl UserSessions for Rows<'_> {
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>> {
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT record, device FROM sessions WHERE subject = ?1 AND session = ?2",
            )
            .map_err(unavailable)?;
        let found: Option<(Vec<u8>, String)> = select
            .query_row(params![self.subject, session.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(unavailable)?;
        found.map(|(record, device)| Record::decode(&record, &device)).transpose()
    }

    fn put(&mut self, session: &SessionId, record: Record) -> Result<()> {
        let mut upsert = self
            .connection
            .prepare_cached(
                "INSERT INTO sessions (subject, session, expires, record, device)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET expires = excluded.expires, record = excluded.record,
                 device = excluded.device",
            )
            .map_err(unavailable)?;
        let (expires_at, device) = (record.expires_at.as_millis(), record.device.as_str());
        let encoded = record.encode();
        upsert
            .execute(params![self.subject, session.as_bytes(), expires_at, encoded, device])
            .map_err(unavailable)?;
        Ok(())
    }

    fn remove(&mut self, session: &SessionId) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM sessions WHERE subject = ?1 AND session = ?2")
            .and_then(|mut delete| delete.execute(params![self.subject, session.as_bytes()]))
            .map_err(unavailable)?;
        Ok(())
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

/// Hands out every session with its user, those of one user together.
pub(super) fn for_each(connection: &Connection, mut see: impl FnMut(String, Record)) -> Result<()> {
    let mut select = connection
        .prepare("SELECT subject, record, device FROM sessions ORDER BY subject")
        .map_err(unavailable)?;
    let mut rows = select.query([]).map_err(unavailable)?;
    while let Some(row) = rows.next().map_err(unavailable)? {
        let (subject, record, device): (String, Vec<u8>, String) = row
            .get(0)
            .and_then(|subject| Ok((subject, row.get(1)?, row.get(2)?)))
            .map_err(unavailable)?;
        see(subject, Record::decode(&record, &device)?);
    }
    Ok(())
}

/// How many rows one pruning takes at most, so that nobody waits long for it.
const PRUNED_AT_ONCE: usize = 500;

/// Drops sessions and counts of failures that have expired, and gives their pages back to the file system. Tells whether
/// there may be more.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> Result<bool> {
    let dropped = connection
        .prepare_cached(
            "DELETE FROM sessions WHERE (subject, session) IN
             (SELECT subject, session FROM sessions WHERE expires <= ?1 LIMIT ?2)",
        )
        .and_then(|mut delete| {
            delete.execute(params![now.as_millis(), i64::try_from(PRUNED_AT_ONCE).unwrap_or(500)])
        })
        .map_err(unavailable)?;
    let forgiven = connection
        .prepare_cached(
            "DELETE FROM failures WHERE key IN (SELECT key FROM failures WHERE ends <= ?1 LIMIT ?2)",
        )
        .and_then(|mut delete| {
            delete.execute(params![now.as_millis(), i64::try_from(PRUNED_AT_ONCE).unwrap_or(500)])
        })
        .map_err(unavailable)?;
    if dropped + forgiven > 0 {
        connection.execute_batch("PRAGMA incremental_vacuum(64)").map_err(unavailable)?;
    }
    Ok(dropped == PRUNED_AT_ONCE || forgiven == PRUNED_AT_ONCE)
}
