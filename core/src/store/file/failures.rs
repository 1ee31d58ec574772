//! Failed attempts as a table.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::FileStore;
use super::schema::unavailable;
use super::writer::Durability;
use crate::error::Result;
use crate::store::failures::Window;
use crate::store::{FailureCounter, FailureKey, Failures};
use crate::types::Timestamp;

#[async_trait]
impl FailureCounter for FileStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let key = *key;
        // A machine that dies forgives what had failed.
        let run = move |connection: &Connection, now| one_more(connection, &key, window, now);
        self.writer.write(|_| Durability::Process, run).await
    }
}

fn one_more(
    connection: &Connection,
    key: &FailureKey,
    length: Duration,
    now: Timestamp,
) -> Result<Failures> {
    let before = connection
        .prepare_cached("SELECT count, ends FROM failures WHERE key = ?1")
        .and_then(|mut select| {
            let window = |row: &rusqlite::Row<'_>| {
                Ok(Window { count: row.get(0)?, ends: Timestamp::from_millis(row.get(1)?) })
            };
            select.query_row([key.as_bytes()], window).optional()
        })
        .map_err(unavailable)?;
    let window = Window::after_one_more(before, length, now);
    connection
        .prepare_cached("INSERT OR REPLACE INTO failures (key, count, ends) VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| {
            insert.execute(params![key.as_bytes(), window.count, window.ends.as_millis()])
        })
        .map_err(unavailable)?;
    Ok(window.failures(now))
}
