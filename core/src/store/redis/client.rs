//! Sends requests to the right server behind an address: follows redirections and failovers,
//! retries where that helps, and never takes longer than the timeout.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};
use tokio::select;
use tokio::time::{Instant, sleep, timeout_at};

use super::address::{Address, Layout, Node};
use super::cluster::ClusterTopology;
use super::connection::{Connection, Deployment, EvictionCheck, NodeConnection};
use super::connector::Connector;
use super::retry::{RETRY_DELAY, is_lost, is_transient, not_ready, timed_out};
use super::script::{Arguments, Script};
use super::sentinel::SentinelTopology;
use super::topology::{Advice, PrimaryStatus, Route, Standalone, Topology};
use crate::error::{Error, Result};
use crate::store::{RedisOptions, Replicated};
use crate::types::jitter;

/// How often a request is sent before it fails, not counting the attempts that wait for a failover
/// ([`RETRY_DELAY`]): only the timeout limits those.
const ATTEMPTS: u32 = 6;

/// The share of the timeout after which a connection without any response is replaced. Firewalls
/// and load balancers drop idle connections silently.
const SILENCE_SHARE: u32 = 4;

/// The servers at `address`. Reads the TLS certificates and does no other I/O.
pub(super) fn deployment(address: &Address, options: &RedisOptions) -> Result<Arc<Deployment>> {
    let (data, sentinels) = Connector::for_data_and_sentinels(address, options)?;
    let connector = Arc::new(data);
    let (nodes, data) = (address.nodes.clone(), Arc::clone(&connector));
    let topology: Box<dyn Topology> = match &address.layout {
        Layout::Standalone => Box::new(Standalone::new(nodes)),
        Layout::Sentinel { name } => {
            Box::new(SentinelTopology::new(nodes, name.clone(), sentinels, data))
        }
        Layout::Cluster => Box::new(ClusterTopology::new(nodes, data)),
    };
    let eviction = EvictionCheck::new(options.eviction);
    Ok(Arc::new(Deployment { topology, connector, eviction }))
}

/// A client of the servers behind an address, with one connection to each server.
pub(crate) struct Client {
    deployment: Arc<Deployment>,
    connections: Mutex<HashMap<Node, Arc<NodeConnection>>>,
    /// How long a request may take, connecting included.
    timeout: Duration,
}

/// A request about one key.
pub(super) enum Request<'a> {
    Script(&'a Script, Arguments),
    /// A script that gets the deadline of this call, by the server's clock, as its last argument.
    /// If it runs later it changes nothing and fails with `LATE` and the server's time.
    WithDeadline(&'a Script, Arguments),
    Command(&'a Cmd),
}

/// The reply to a script that replicas had to acknowledge.
pub(super) struct ReplicatedReply<T> {
    /// The first reply.
    pub(super) value: T,
    /// The reply of another primary, on which the script had to be repeated.
    pub(super) retried: Option<T>,
    pub(super) replicated: Replicated,
}

impl Client {
    /// A client of the servers at `address`. Reads the TLS certificates and does no other I/O.
    pub(crate) fn new(address: &Address, options: &RedisOptions) -> Result<Self> {
        Ok(Self::over(&deployment(address, options)?, options.timeout))
    }

    /// A client that shares the topology, but no connection, with others.
    pub(super) fn over(deployment: &Arc<Deployment>, timeout: Duration) -> Self {
        Self { deployment: Arc::clone(deployment), connections: Mutex::default(), timeout }
    }

    /// Runs a script on one key.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<T> {
        Ok(self.query(key, &Request::Script(script, arguments), Duration::ZERO).await?.0)
    }

    /// Runs a script on one key, unless it arrives at the server after this call has timed out.
    pub(super) async fn run_with_deadline<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<T> {
        Ok(self.query(key, &Request::WithDeadline(script, arguments), Duration::ZERO).await?.0)
    }

    /// Runs a script on one key and waits up to `patience` until `replicas` have its effect. For
    /// logins and revocations: unlike a rotation, no token heals them if they are lost.
    ///
    /// A primary that was replaced and does not know it has no replicas any more. So if too few
    /// replicas acknowledge, the topology is asked: a new primary gets the script as well, and a
    /// failover under way is waited for.
    pub(super) async fn run_replicated<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
        (replicas, patience): (u32, Duration),
    ) -> Result<ReplicatedReply<T>> {
        let request = Request::Script(script, arguments);
        // The request may be queued behind a `WAIT`.
        let (value, mut connection) = self.query(key, &request, patience).await?;
        let deadline = Instant::now() + connection.timeout;
        let mut retried = None;
        loop {
            // Even if the wait fails, the script has taken effect.
            let acknowledged = connection.wait_for_replicas(replicas, patience).await;
            if acknowledged.is_ok_and(|acknowledged| acknowledged >= replicas) {
                return Ok(ReplicatedReply { value, retried, replicated: Replicated::Yes });
            }
            let status = self.deployment.topology.status(key, &connection.node).await;
            let is_late = Instant::now() >= deadline;
            match status {
                Ok(PrimaryStatus::FailingOver | PrimaryStatus::Replaced) if is_late => {
                    return Err(unavailable(not_ready("a failover is under way")));
                }
                Ok(PrimaryStatus::FailingOver) => retry_delay().await,
                Ok(PrimaryStatus::Replaced) => {
                    // If the new primary cannot be reached, the caller must repeat the operation.
                    let (again, other) = self.query(key, &request, patience).await?;
                    (retried, connection) = (Some(again), other);
                }
                Ok(PrimaryStatus::Current) | Err(_) => {
                    return Ok(ReplicatedReply { value, retried, replicated: Replicated::No });
                }
            }
        }
    }

    /// Sends a command to the one primary that there is outside of clusters.
    pub(crate) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        Ok(self.query(&[], &Request::Command(command), Duration::ZERO).await?.0)
    }

    /// Sends a request, to which the server may take an additional `wait` to respond. Returns the
    /// response and the connection over which it arrived. The request may be executed twice.
    pub(super) async fn query<T: FromRedisValue>(
        &self,
        key: &[u8],
        request: &Request<'_>,
        wait: Duration,
    ) -> Result<(T, Arc<Connection>)> {
        let (timeout, silence) = (self.timeout + wait, self.timeout / SILENCE_SHARE + wait);
        self.try_query(key, request, timeout, silence).await.map_err(unavailable)
    }

    /// As [`Client::query`], with the error of Redis. A connection that is silent for as long as
    /// `silence` is replaced.
    pub(super) async fn try_query<T: FromRedisValue>(
        &self,
        key: &[u8],
        request: &Request<'_>,
        timeout: Duration,
        silence: Duration,
    ) -> RedisResult<(T, Arc<Connection>)> {
        let deadline = Instant::now() + timeout;
        let topology = &*self.deployment.topology;
        let mut redirected = None;
        let mut attempts = 1;
        // What the server said last: it says more than that the time is over.
        let mut said = None;
        loop {
            let route = match redirected.take() {
                Some(route) => route,
                None => {
                    let node = match topology.known_primary(key) {
                        Some(node) => node,
                        None => until(deadline, topology.primary(key)).await?,
                    };
                    Route { node, asking: false }
                }
            };
            let node = self.node(&route.node);
            let connection = match node.current() {
                Some(connection) => Ok(connection),
                None => Box::pin(until(deadline, node.get())).await,
            };
            let (error, used) = match connection {
                Ok(connection) => {
                    let call = Call { request, key, asking: route.asking, deadline };
                    let (response, replaced) =
                        execute_unless_silent(&node, &connection, &call, silence).await;
                    let connection = replaced.unwrap_or(connection);
                    match response {
                        Ok(response) => return Ok((response, connection)),
                        // It may have taken effect. Repeating is harmless: every request is
                        // idempotent.
                        Err(error) if is_lost(&error) && attempts < ATTEMPTS => {
                            node.discard(&connection);
                            attempts += 1;
                            continue;
                        }
                        Err(error) => (error, Some(connection)),
                    }
                }
                Err(error) => (error, None),
            };
            if !is_transient(&error) {
                return Err(error);
            }
            if error.is_timeout() && deadline <= Instant::now() {
                return Err(said.unwrap_or(error));
            }
            said = Some(error.clone());
            let advice = topology.advise(&route.node, key, &error);
            match until(deadline, async { Ok(advice.await) }).await? {
                Advice::GiveUp => return Err(error),
                Advice::Retry | Advice::Redirect(_) if attempts >= ATTEMPTS => return Err(error),
                Advice::RetryLater | Advice::Reconnect
                    if deadline <= Instant::now() + RETRY_DELAY =>
                {
                    return Err(error);
                }
                Advice::Retry => attempts += 1,
                Advice::Redirect(route) => {
                    attempts += 1;
                    redirected = Some(route);
                }
                Advice::RetryLater => retry_delay().await,
                Advice::Reconnect => {
                    if let Some(connection) = used {
                        node.discard(&connection);
                    }
                    retry_delay().await;
                }
            }
        }
    }

    /// The connection to one server.
    pub(super) fn node(&self, node: &Node) -> Arc<NodeConnection> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connections.get(node) {
            return Arc::clone(connection);
        }
        let connection = NodeConnection::new(node.clone(), Arc::clone(&self.deployment));
        connections.insert(node.clone(), Arc::clone(&connection));
        connection
    }

    pub(super) fn deployment(&self) -> &Deployment {
        &self.deployment
    }
}

/// A request on its way to one server.
struct Call<'a> {
    request: &'a Request<'a>,
    key: &'a [u8],
    asking: bool,
    deadline: Instant,
}

/// Sends a request over a connection. If nothing arrives over the connection for as long as
/// `silence`, opens another one and sends the request over that one as well: the first response
/// counts. Returns the other connection if the response is from there.
async fn execute_unless_silent<T: FromRedisValue>(
    node: &Arc<NodeConnection>,
    connection: &Connection,
    call: &Call<'_>,
    silence: Duration,
) -> (RedisResult<T>, Option<Arc<Connection>>) {
    let responses = connection.responses();
    let mut first = Box::pin(execute(connection, call));
    match timeout_at(Instant::now() + silence, &mut first).await {
        Ok(response) => return (response, None),
        // The server is slow, and the connection works.
        Err(_) if connection.responses() != responses => return (first.await, None),
        Err(_) => node.discard(connection),
    }
    let second = Box::pin(async {
        let other = node.get().await?;
        Ok((execute(&other, call).await, other))
    });
    select! {
        response = &mut first => (response, None),
        second = second => match second {
            Ok((response, other)) => (response, Some(other)),
            // No other connection either: the server may be paused and respond later.
            Err::<_, RedisError>(_) => (first.await, None),
        },
    }
}

/// Sends a request over a connection.
async fn execute<T: FromRedisValue>(connection: &Connection, call: &Call<'_>) -> RedisResult<T> {
    let &Call { request, key, asking, deadline } = call;
    match request {
        Request::Command(command) => connection.execute(command, asking, deadline).await,
        Request::Script(script, arguments) => {
            run_script(connection, script, (key, arguments, None), asking, deadline).await
        }
        Request::WithDeadline(script, arguments) => {
            let until = Some(connection.clock.at(deadline));
            let call = (key, arguments, until);
            let response = run_script(connection, script, call, asking, deadline).await;
            let Err(error) = &response else { return response };
            let Some(server_time) = late(error) else { return response };
            // This call has not timed out: the server's clock was changed, or not known exactly.
            connection.clock.set(Instant::now(), server_time);
            let until = Some(connection.clock.at(deadline));
            let call = (key, arguments, until);
            Box::pin(run_script(connection, script, call, asking, deadline)).await
        }
    }
}

async fn run_script<T: FromRedisValue>(
    connection: &Connection,
    script: &Script,
    (key, arguments, until): (&[u8], &Arguments, Option<i64>),
    asking: bool,
    deadline: Instant,
) -> RedisResult<T> {
    match connection.execute(&script.evalsha(key, arguments, until), asking, deadline).await {
        // The server was restarted or promoted, or its scripts were flushed.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            let eval = script.eval(key, arguments, until);
            Box::pin(connection.execute(&eval, asking, deadline)).await
        }
        outcome => outcome,
    }
}

/// The server's time, if this is its error for a request that arrived too late.
fn late(error: &RedisError) -> Option<i64> {
    if error.code() != Some("LATE") {
        return None;
    }
    error.detail()?.trim().parse().ok()
}

async fn until<T>(
    deadline: Instant,
    attempt: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    timeout_at(deadline, attempt).await.unwrap_or_else(|_| Err(timed_out()))
}

async fn retry_delay() {
    sleep(RETRY_DELAY / 2 + jitter(RETRY_DELAY / 2)).await;
}

/// Every failure of Redis is a retry for the caller. Those that need an operator (a wrong
/// password, out of memory) are also logged; an unreachable server was logged when connecting.
fn unavailable(error: RedisError) -> Error {
    if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::Parse) {
        tracing::error!(target: "regrant::store", code = error.code(), kind = ?error.kind(), "Redis refused an operation");
    }
    Error::store(error)
}
