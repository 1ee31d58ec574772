//! A fresh connection to one server: TCP, TLS where the address asks for it, and who this is.

use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::{Address, Node};
use super::tls::Tls;
use crate::error::{Error, Result};
use crate::store::{RedisCredentials, RedisOptions};

/// Requests that may wait to be written before the next one waits for room.
const QUEUE: usize = 1024;

/// Bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How the servers of one kind are reached: those with the data, or the Sentinels.
pub(super) struct Connector {
    tls: Option<Tls>,
    login: RedisConnectionInfo,
    /// How long connecting may take.
    pub(super) timeout: Duration,
}

impl Connector {
    /// For the servers that hold the data.
    pub(super) fn for_data(address: &Address, tls: Option<Tls>, timeout: Duration) -> Self {
        Self { tls, login: login(&address.credentials).set_db(address.db), timeout }
    }

    /// For the Sentinels.
    pub(super) fn for_sentinels(options: &RedisOptions, tls: Option<Tls>) -> Self {
        let login = options.sentinel.as_ref().map(login).unwrap_or_else(nobody);
        Self { tls, login, timeout: options.timeout }
    }

    /// A connection for requests, and the future that keeps it going until it is lost.
    pub(super) async fn open(
        &self,
        node: &Node,
    ) -> RedisResult<(MultiplexedConnection, impl Future<Output = ()> + 'static)> {
        // How long an answer may take is up to whoever asks.
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
        self.bounded(async {
            let stream = self.stream(node).await?;
            MultiplexedConnection::new_with_config(&self.login, stream, config).await
        })
        .await
    }

    /// A connection that listens.
    pub(super) async fn listen(&self, node: &Node) -> RedisResult<PubSub> {
        self.bounded(async { PubSub::new(&self.login, self.stream(node).await?).await }).await
    }

    async fn bounded<T>(&self, attempt: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        timeout(self.timeout, attempt).await.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn stream(&self, node: &Node) -> RedisResult<Box<dyn Stream>> {
        let stream = TcpStream::connect((node.host(), node.port())).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            Some(tls) => tls.over(stream, node.host()).await?,
            None => Box::new(stream),
        })
    }
}

/// Nothing was heard in time.
pub(super) fn no_answer() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// An answer that is not of the form that the command has.
pub(super) fn unexpected(what: &'static str) -> RedisError {
    (ErrorKind::UnexpectedReturnType, what).into()
}

fn nobody() -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_skip_set_lib_name()
}

fn login(credentials: &RedisCredentials) -> RedisConnectionInfo {
    let mut login = nobody();
    if let Some(username) = &credentials.username {
        login = login.set_username(username);
    }
    if let Some(password) = &credentials.password {
        login = login.set_password(String::from_utf8_lossy(password.expose()));
    }
    login
}

/// Refuses what cannot be shown to a server.
pub(super) fn check(credentials: &RedisCredentials, field: &str) -> Result<()> {
    match &credentials.password {
        None if credentials.username.is_some() => {
            Err(Error::config(field, "is required with username"))
        }
        Some(password) if std::str::from_utf8(password.expose()).is_err() => {
            Err(Error::config(field, "must be UTF-8"))
        }
        _ => Ok(()),
    }
}
