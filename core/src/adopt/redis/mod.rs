//! The old app's Redis: one standalone server, the raw token as the key, the user as the value.
//!
//! Every operation of two keys is one script, so that no process ever sees one without the other.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, RedisResult, cmd};
use tokio::time::timeout;

use super::{KeyPage, Look, Mark, OldStore, Place, TakeOver};
use crate::error::{Error, Result};
use crate::identity::{SessionId, Subject};
use crate::time::Timestamp;

/// Keys that one step of `SCAN` looks at.
const PAGE: usize = 500;

/// The field of the configuration that the address comes from.
const FIELD: &str = "migrate.store";

// Sent as a whole each time: they run once per token.
const TAKE_OVER: &str = include_str!("take_over.lua");
const REMOVE: &str = include_str!("remove.lua");

/// The old app's Redis. Connects on first use and again whenever the connection is lost.
pub struct OldRedis {
    client: Client,
    manager: Mutex<Option<ConnectionManager>>,
    prefix: String,
    timeout: Duration,
}

impl OldRedis {
    /// The Redis at `url`: `redis://USER:PASSWORD@HOST:PORT/DB`. Notes have keys that begin with
    /// `prefix`; one operation may take `timeout`, connecting included. Does no I/O.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `migrate.store`.
    pub fn new(url: &str, prefix: impl Into<String>, timeout: Duration) -> Result<Self> {
        // The cause is left out: it may quote the address, and that holds the password.
        let client = Client::open(url)
            .map_err(|_| Error::config(FIELD, "expected redis://USER:PASSWORD@HOST:PORT/DB"))?;
        Ok(Self { client, manager: Mutex::new(None), prefix: prefix.into(), timeout })
    }

    fn mark_key(&self, session: &SessionId) -> String {
        format!("{}adopted:{session}", self.prefix)
    }

    /// A hash: user → the instant until which all old tokens are ended.
    fn ended_key(&self) -> String {
        format!("{}adopted-ended", self.prefix)
    }

    fn manager(&self) -> RedisResult<ConnectionManager> {
        let mut slot = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = &*slot {
            return Ok(manager.clone());
        }
        // Few and short retries: a request fails fast while Redis is away.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(2)
            .set_min_delay(Duration::from_millis(25))
            .set_max_delay(Duration::from_millis(250))
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None);
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        *slot = Some(manager.clone());
        Ok(manager)
    }

    /// Asks, and once more when the connection was lost: every question can be repeated.
    async fn ask<T: FromRedisValue>(&self, question: &Cmd) -> Result<T> {
        let attempt = async {
            let mut manager = self.manager()?;
            match question.query_async(&mut manager).await {
                Err(error) if error.is_connection_dropped() || error.is_io_error() => {
                    question.query_async(&mut manager).await
                }
                outcome => outcome,
            }
        };
        match timeout(self.timeout, attempt).await {
            Ok(outcome) => outcome.map_err(unavailable),
            Err(elapsed) => {
                // No answer and no end of the connection: it may be dead without knowing.
                *self.manager.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(Error::store(elapsed))
            }
        }
    }
}

impl fmt::Debug for OldRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldRedis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl OldStore for OldRedis {
    async fn look(&self, key: &str, session: &SessionId) -> Result<Look> {
        let mut look = cmd("MGET");
        look.arg(key).arg(self.mark_key(session));
        let (value, mark): (Option<String>, Option<String>) = self.ask(&look).await?;
        Ok(Look { value, mark: parsed(mark)? })
    }

    async fn take_over(
        &self,
        key: &str,
        session: &SessionId,
        mark: &Mark,
        ttl: Duration,
    ) -> Result<TakeOver> {
        let mut script = cmd("EVAL");
        script.arg(TAKE_OVER).arg(3).arg(key).arg(self.mark_key(session)).arg(self.ended_key());
        script.arg(mark.to_string()).arg(ttl.as_millis().to_string());
        script.arg(u8::from(mark.place == Place::Swept)).arg(mark.subject.as_str());
        let (mark, ended): (Option<String>, Option<i64>) = self.ask(&script).await?;
        Ok(TakeOver { mark: parsed(mark)?, ended_until: ended.map(Timestamp::from_millis) })
    }

    async fn remove(&self, key: &str, session: &SessionId) -> Result<(bool, Option<Mark>)> {
        let mut script = cmd("EVAL");
        script.arg(REMOVE).arg(2).arg(key).arg(self.mark_key(session));
        let (removed, mark): (bool, Option<String>) = self.ask(&script).await?;
        Ok((removed, parsed(mark)?))
    }

    async fn end_all_of(&self, subject: &Subject, now: Timestamp) -> Result<()> {
        let mut set = cmd("HSET");
        set.arg(self.ended_key()).arg(subject.as_str()).arg(now.as_millis());
        self.ask(&set).await
    }

    async fn keys(&self, cursor: u64) -> Result<KeyPage> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(PAGE);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.ask(&scan).await?;
        let is_ours = |key: &String| !self.prefix.is_empty() && key.starts_with(&self.prefix);
        let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
        Ok(KeyPage { keys: keys.filter(|key| !is_ours(key)).collect(), next })
    }
}

fn parsed(mark: Option<String>) -> Result<Option<Mark>> {
    mark.map(|text| text.parse()).transpose()
}

/// Whatever Redis says, nobody is signed out by it. What is not about the connection needs an
/// operator (a wrong password, memory exhausted), so it is also logged.
fn unavailable(error: RedisError) -> Error {
    if !error.is_io_error() {
        tracing::error!(target: "regrant::store", code = error.code(), kind = ?error.kind(), "the old app's Redis refused an operation");
    }
    Error::store(error)
}
