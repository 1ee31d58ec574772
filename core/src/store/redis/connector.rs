//! Opening a connection to one server: TCP, TLS if the address asks for it, and authentication.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Pipeline, RedisConnectionInfo, RedisError, RedisResult, Value,
    parse_redis_value, pipe,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::address::{Address, Node};
use super::retry::{closed, timed_out};
use super::tls::{self, Tls};
use crate::error::{Error, Result};
use crate::store::{RedisCredentials, RedisOptions};

/// The number of requests that may wait to be written to a connection.
const WRITE_QUEUE: usize = 1024;

/// How to connect to servers of one kind: data servers or Sentinels.
pub(super) struct Connector {
    tls: Option<Tls>,
    login: RedisConnectionInfo,
    /// How often a connection was opened.
    attempts: AtomicUsize,
    /// How long connecting may take.
    pub(super) timeout: Duration,
}

/// Bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// A connector for the data servers at `address` and one for its Sentinels. Reads the
    /// certificates and does no other I/O.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the option.
    pub(super) fn for_data_and_sentinels(
        address: &Address,
        options: &RedisOptions,
    ) -> Result<(Self, Self)> {
        let sentinel = match &options.sentinel {
            Some(credentials) => {
                check(credentials, "redis.sentinel.password")?;
                login(credentials)
            }
            None => ANONYMOUS.clone(),
        };
        let tls = address.tls.then(|| Tls::new(&options.tls)).transpose()?;
        let data = login(&address.credentials).set_db(address.db);
        let connector = |tls, login| Self {
            tls,
            login,
            attempts: AtomicUsize::new(0),
            timeout: options.timeout,
        };
        Ok((connector(tls.clone(), data), connector(tls, sentinel)))
    }

    /// Opens a connection for requests. Returned with it: the future that drives it, which
    /// completes when the connection is lost.
    pub(super) async fn open(
        &self,
        node: &Node,
    ) -> RedisResult<(MultiplexedConnection, impl Future<Output = ()> + 'static)> {
        // The callers limit how long they wait for a response.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WRITE_QUEUE);
        self.bounded(async {
            let stream = self.stream(node).await?;
            let (mut connection, driver) =
                MultiplexedConnection::new_with_config(&ANONYMOUS, stream, config).await?;
            let mut driver = Box::pin(driver);
            // The crate would log in as well, and drop the server's words about a failure.
            let login = self.login_commands();
            if !login.is_empty() {
                let responses: Vec<RedisResult<Value>> = tokio::select! {
                    responses = login.query_async(&mut connection) => responses?,
                    () = &mut driver => return Err(closed()),
                };
                for response in responses {
                    response?;
                }
            }
            Ok((connection, driver))
        })
        .await
    }

    /// Opens a connection for subscriptions.
    pub(super) async fn subscribe(&self, node: &Node) -> RedisResult<PubSub> {
        self.bounded(async { PubSub::new(&self.login, self.stream(node).await?).await }).await
    }

    /// Sends `commands` over a connection of their own and returns the response to each.
    pub(super) async fn query(
        &self,
        node: &Node,
        mut commands: Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let (mut connection, driver) = self.open(node).await?;
        commands.ignore_errors();
        tokio::select! {
            responses = commands.query_async(&mut connection) => responses,
            () = driver => Err(closed()),
        }
    }

    fn login_commands(&self) -> Pipeline {
        let mut commands = pipe();
        commands.ignore_errors();
        if let Some(password) = self.login.password() {
            let auth = commands.cmd("AUTH");
            if let Some(username) = self.login.username() {
                auth.arg(username);
            }
            auth.arg(password);
        }
        if self.login.db() != 0 {
            commands.cmd("SELECT").arg(self.login.db());
        }
        commands
    }

    async fn bounded<T>(&self, attempt: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        timeout(self.timeout, attempt).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn stream(&self, node: &Node) -> RedisResult<Box<dyn Stream>> {
        let stream = self.tcp_stream(node).await?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        match timeout(self.timeout * 3 / 4, tls.connect(node.host(), stream)).await {
            Ok(stream) => Ok(Box::new(stream?)),
            // A Redis without TLS waits for the end of a line.
            Err(_) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, tls::NO_TLS).into()),
        }
    }

    /// Resolves the host and connects to one of its addresses.
    async fn tcp_stream(&self, node: &Node) -> io::Result<TcpStream> {
        let mut addresses: Vec<_> = lookup_host((node.host(), node.port())).await?.collect();
        // Each attempt starts with another address: the first may lead to a replica.
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let count = addresses.len().max(1);
        addresses.rotate_left(attempt % count);
        let share = self.timeout / u32::try_from(count).unwrap_or(u32::MAX);
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    SockRef::from(&stream).set_tcp_keepalive(&keepalive())?;
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }

    /// Why a server closes new connections before it responds to anything: what it says itself, such
    /// as `max number of clients reached`, or in TLS 1.3 the alert after the handshake. A client that
    /// has sent something meanwhile sees only a broken connection.
    pub(super) async fn refusal(&self, node: &Node) -> Option<RedisError> {
        let listening = async {
            let stream = self.stream(node).await.ok()?;
            let mut line = Vec::new();
            let mut reader = BufReader::new(stream.take(MAX_REFUSAL_BYTES));
            if let Err(error) = reader.read_until(b'\n', &mut line).await {
                return self.tls.is_some().then(|| error.into());
            }
            match parse_redis_value(&line).ok()? {
                Value::ServerError(error) => Some(error.into()),
                _ => None,
            }
        };
        timeout(self.timeout.min(REFUSAL_WAIT), listening).await.ok().flatten()
    }
}

/// How long to listen for the words of a server that refuses connections.
const REFUSAL_WAIT: Duration = Duration::from_millis(200);
const MAX_REFUSAL_BYTES: u64 = 512;

/// Keeps idle connections open in firewalls and load balancers, and finds dead ones within half a
/// minute.
fn keepalive() -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15));
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
    let keepalive = keepalive.with_interval(Duration::from_secs(5));
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    let keepalive = keepalive.with_retries(3);
    keepalive
}

/// No credentials, and no other commands on a new connection.
static ANONYMOUS: LazyLock<RedisConnectionInfo> =
    LazyLock::new(|| RedisConnectionInfo::default().set_skip_set_lib_name());

fn login(credentials: &RedisCredentials) -> RedisConnectionInfo {
    let mut login = ANONYMOUS.clone();
    if let Some(username) = &credentials.username {
        login = login.set_username(username);
    }
    if let Some(password) = &credentials.password {
        login = login.set_password(String::from_utf8_lossy(password.expose()));
    }
    login
}

/// Rejects credentials that cannot be sent to a server.
fn check(credentials: &RedisCredentials, field: &str) -> Result<()> {
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
