//! The connection: made on first use, remade when lost, and never waited for longer than the
//! time-out.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisError, RedisResult, Script};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::script::Arguments;
use crate::error::{Error, Result};

pub(super) struct Connection {
    client: Client,
    manager: OnceCell<ConnectionManager>,
    timeout: Duration,
}

impl Connection {
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self> {
        // The cause is left out: it may quote the address, and that holds the password.
        let client = Client::open(url)
            .map_err(|_| Error::config("store", "expected redis://USER:PASSWORD@HOST:PORT/DB"))?;
        Ok(Self { client, manager: OnceCell::new(), timeout })
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
        let attempt = async {
            let mut manager = self.manager().await?;
            match invocation.invoke_async(&mut manager).await {
                // The connection was lost, perhaps after the script ran. Running it again is
                // harmless: every operation gives the same answer to the same question.
                Err(error) if is_connection_lost(&error) => {
                    invocation.invoke_async(&mut manager).await
                }
                outcome => outcome,
            }
        };
        match timeout(self.timeout, attempt).await {
            Ok(outcome) => outcome.map_err(unavailable),
            Err(elapsed) => Err(Error::store(elapsed)),
        }
    }

    async fn manager(&self) -> RedisResult<ConnectionManager> {
        let make = || async {
            // Few and short retries: a request fails fast while Redis is away, and the next one
            // tries anew.
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(2)
                .set_min_delay(Duration::from_millis(25))
                .set_max_delay(Duration::from_millis(250))
                .set_connection_timeout(Some(self.timeout))
                .set_response_timeout(Some(self.timeout));
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        };
        self.manager.get_or_try_init(make).await.cloned()
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
