//! The connection: made on first use, remade when lost, and never waited for longer than the
//! time-out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation};
use tokio::time::timeout;

use super::script::Arguments;
use crate::error::{Error, Result};

pub(crate) struct Connection {
    client: Client,
    manager: Mutex<Option<ConnectionManager>>,
    timeout: Duration,
}

impl Connection {
    /// A connection to `url`, an address that the configuration has in `field`. Does no I/O.
    pub(crate) fn new(url: &str, timeout: Duration, field: &str) -> Result<Self> {
        // The cause is left out: it may quote the address, and that holds the password.
        let client = Client::open(url)
            .map_err(|_| Error::config(field, "expected redis://USER:PASSWORD@HOST:PORT/DB"))?;
        Ok(Self { client, manager: Mutex::new(None), timeout })
    }

    /// Runs a script on one key.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<T> {
        let mut invocation = script.key(key);
        for argument in arguments.0 {
            invocation.arg(argument);
        }
        self.ask(&Question::Script(invocation), self.timeout).await
    }

    /// Sends a command that the server may take up to `wait` to answer.
    pub(crate) async fn command<T: FromRedisValue>(
        &self,
        command: Cmd,
        wait: Duration,
    ) -> Result<T> {
        self.ask(&Question::Command(command), self.timeout + wait).await
    }

    async fn ask<T: FromRedisValue>(
        &self,
        question: &Question<'_>,
        patience: Duration,
    ) -> Result<T> {
        let attempt = async {
            let mut manager = self.manager()?;
            match question.put_to(&mut manager).await {
                // The connection was lost, perhaps after the server acted. Asking again is
                // harmless: the same question gets the same answer.
                Err(error) if is_connection_lost(&error) => question.put_to(&mut manager).await,
                outcome => outcome,
            }
        };
        match timeout(patience, attempt).await {
            Ok(outcome) => outcome.map_err(unavailable),
            Err(elapsed) => {
                // No answer and no end of the connection: it may be dead without knowing.
                *self.slot() = None;
                Err(Error::store(elapsed))
            }
        }
    }

    fn manager(&self) -> RedisResult<ConnectionManager> {
        let mut slot = self.slot();
        if let Some(manager) = &*slot {
            return Ok(manager.clone());
        }
        // Few and short retries: a request fails fast while Redis is away, and the next one tries
        // anew. How long an answer may take is up to the caller.
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

    fn slot(&self) -> MutexGuard<'_, Option<ConnectionManager>> {
        self.manager.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Question<'a> {
    Script(ScriptInvocation<'a>),
    Command(Cmd),
}

impl Question<'_> {
    async fn put_to<T: FromRedisValue>(&self, manager: &mut ConnectionManager) -> RedisResult<T> {
        match self {
            Self::Script(invocation) => invocation.invoke_async(manager).await,
            Self::Command(command) => command.query_async(manager).await,
        }
    }
}

fn is_connection_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_io_error() && !error.is_timeout()
}

/// Whatever Redis says, nobody is signed out by it. What is not about the connection needs an
/// operator (a wrong password, memory exhausted), so it is also logged.
fn unavailable(error: RedisError) -> Error {
    if !error.is_io_error() {
        tracing::error!(target: "regrant::store", code = error.code(), kind = ?error.kind(), "Redis refused an operation");
    }
    Error::store(error)
}
