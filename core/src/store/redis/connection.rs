//! The connection to one server: opened when it is needed, shared by all requests, and opened
//! again after it was lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisResult, Value, cmd, from_redis_value, pipe};
use tokio::select;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::address::Node;
use super::connector::Connector;
use super::retry::{
    Coalesce, SingleFlight, is_lost, is_unsupported, not_ready, timed_out, unexpected,
};
use super::topology::Topology;
use crate::store::{Eviction, StoreWarning, StoreWarningCode};

/// What the connections to the servers behind one address share.
pub(super) struct Deployment {
    pub(super) topology: Box<dyn Topology>,
    pub(super) connector: Arc<Connector>,
    pub(super) eviction: EvictionCheck,
}

impl Deployment {
    /// Whether a server that was just connected to can be used.
    fn admit(&self, node: &Node, server: &ServerInfo) -> RedisResult<()> {
        if server.is_loading() {
            return Err(not_ready("the server is still loading its data"));
        }
        let role = server.role();
        if role == Some("sentinel") {
            return Err(not_ready(
                "the server is a Sentinel: it needs a redis+sentinel:// address",
            ));
        }
        let is_replica = role.is_some_and(|role| role != "master");
        if is_replica && !self.topology.admits_replicas() {
            return Err(not_ready("the server is a replica and not the primary"));
        }
        self.eviction.admit(node, server)
    }
}

/// The connection to one server, if there is one, and how to open it.
pub(super) struct NodeConnection {
    node: Node,
    deployment: Arc<Deployment>,
    current: Mutex<Option<Arc<Connection>>>,
    flight: SingleFlight<Arc<Connection>>,
    /// Whether it was logged that the server cannot be used.
    logged: AtomicBool,
}

impl NodeConnection {
    pub(super) fn new(node: Node, deployment: Arc<Deployment>) -> Arc<Self> {
        Arc::new(Self {
            node,
            deployment,
            current: Mutex::new(None),
            flight: SingleFlight::new(),
            logged: AtomicBool::new(false),
        })
    }

    /// The open connection, if there is one.
    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        self.slot().clone()
    }

    /// The open connection; opens one if there is none.
    pub(super) async fn get(self: &Arc<Self>) -> RedisResult<Arc<Connection>> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let this = Arc::clone(self);
        self.flight.run(move || this.connect()).await
    }

    /// Sends nothing more over this connection.
    pub(super) fn discard(&self, connection: &Connection) {
        self.on_lost(connection.number);
    }

    fn on_lost(&self, number: u64) {
        let lost = self.slot().take_if(|connection| connection.number == number);
        if let Some(connection) = lost {
            self.flight.lost(connection.opened_at.elapsed());
        }
    }

    async fn connect(self: Arc<Self>) -> RedisResult<Arc<Connection>> {
        let node = &self.node;
        let outcome = Connection::open(&self.deployment, node, Arc::downgrade(&self)).await;
        match &outcome {
            Ok(connection) => {
                *self.slot() = Some(Arc::clone(connection));
                self.logged.store(false, Ordering::Relaxed);
                tracing::debug!(target: "regrant::store", %node, "connected to Redis");
            }
            Err(error) if !self.logged.swap(true, Ordering::Relaxed) => {
                tracing::warn!(target: "regrant::store", %node, %error, "Redis cannot be used");
            }
            Err(error) => {
                tracing::debug!(target: "regrant::store", %node, %error, "Redis still cannot be used");
            }
        }
        outcome
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection.
pub(super) struct Connection {
    /// Unique in this process.
    pub(super) number: u64,
    pub(super) node: Node,
    opened_at: Instant,
    connection: MultiplexedConnection,
    /// How many responses have arrived.
    responses: AtomicU64,
    waits: Coalesce<u32>,
    pub(super) clock: ServerClock,
    /// How long the server may take to respond.
    pub(super) timeout: Duration,
    close: Arc<Notify>,
    driver: tokio::task::AbortHandle,
}

impl Connection {
    async fn open(
        deployment: &Arc<Deployment>,
        node: &Node,
        owner: Weak<NodeConnection>,
    ) -> RedisResult<Arc<Self>> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (connection, driver) = match deployment.connector.open(node).await {
            Err(error) if is_lost(&error) => {
                return Err(deployment.connector.refusal(node).await.unwrap_or(error));
            }
            outcome => outcome?,
        };
        let close = Arc::new(Notify::new());
        let (closed, retired) = (Arc::clone(&close), deployment.topology.retired(node));
        let driver = tokio::spawn(async move {
            // Dropping the driver drops the connection, and pending requests fail as lost.
            select! {
                () = driver => {}
                () = retired => {}
                () = closed.notified() => {}
            }
            if let Some(owner) = owner.upgrade() {
                owner.on_lost(number);
            }
        });
        let this = Self {
            number,
            node: node.clone(),
            opened_at: Instant::now(),
            connection,
            responses: AtomicU64::new(0),
            waits: Coalesce::default(),
            clock: ServerClock::unknown(),
            timeout: deployment.connector.timeout,
            close,
            driver: driver.abort_handle(),
        };
        let server = match ServerInfo::query(&this, Instant::now() + this.timeout).await {
            Err(error) if is_lost(&error) => {
                return Err(deployment.connector.refusal(node).await.unwrap_or(error));
            }
            outcome => outcome?,
        };
        if let Some(millis) = server.clock_millis() {
            this.clock.set(Instant::now(), millis);
        }
        deployment.admit(node, &server)?;
        Ok(Arc::new(this))
    }

    /// How many responses have arrived over this connection.
    pub(super) fn responses(&self) -> u64 {
        self.responses.load(Ordering::Relaxed)
    }

    /// Sends a command, after `ASKING` if that is set, and returns the response.
    pub(super) async fn execute<T: FromRedisValue>(
        &self,
        command: &Cmd,
        asking: bool,
        deadline: Instant,
    ) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        let before = self.responses.load(Ordering::Relaxed);
        // Awaited where they are created: moving a future first doubles its size in this one.
        let response = match asking {
            false => timeout_at(deadline, command.query_async(&mut connection)).await,
            true => Box::pin(timeout_at(deadline, after_asking(command, &mut connection))).await,
        };
        match response {
            Ok(response) => {
                self.responses.fetch_add(1, Ordering::Relaxed);
                response
            }
            Err(_) => {
                // No other request got a response either: the connection may be dead.
                if self.responses.load(Ordering::Relaxed) == before {
                    self.close.notify_one();
                }
                Err(timed_out())
            }
        }
    }

    /// How many replicas have everything that was written over this connection so far (`WAIT`),
    /// after at most `patience`.
    ///
    /// `WAIT` blocks the requests that follow it on the connection. Therefore logins and
    /// revocations have a connection of their own, and those that arrive during a wait share the
    /// next one.
    pub(super) async fn wait_for_replicas(
        &self,
        wanted: u32,
        patience: Duration,
    ) -> RedisResult<u32> {
        let mut wait = cmd("WAIT");
        // A timeout of 0 would block forever.
        wait.arg(wanted).arg(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX).max(1));
        let deadline = Instant::now() + self.timeout + patience;
        self.waits.run(self.execute(&wait, false, deadline)).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn after_asking<T: FromRedisValue>(
    command: &Cmd,
    connection: &mut MultiplexedConnection,
) -> RedisResult<T> {
    let mut commands = pipe();
    commands.cmd("ASKING").add_command(command.clone()).ignore_errors();
    let responses: Vec<RedisResult<Value>> = commands.query_async(connection).await?;
    let last =
        responses.into_iter().last().ok_or_else(|| unexpected("no response to ASKING"))??;
    Ok(from_redis_value(last)?)
}

/// The clock of a server, as seen from here: it turns a deadline of this process into one that the
/// server can check.
///
/// It is set from `INFO` when the connection is opened, and again when the server reports that a
/// request was late although it was not.
pub(super) struct ServerClock {
    epoch: Instant,
    /// The server's time at `epoch`, in milliseconds since 1970, or slightly less.
    at_epoch: AtomicI64,
}

/// Until the clock is known every request is late, and the response to it sets the clock.
const UNKNOWN: i64 = i64::MIN;

impl ServerClock {
    fn unknown() -> Self {
        Self { epoch: Instant::now(), at_epoch: AtomicI64::new(UNKNOWN) }
    }

    /// The server reported `millis` in a response that arrived at `received_at`.
    pub(super) fn set(&self, received_at: Instant, millis: i64) {
        // The server read its clock before that, so the result is early rather than late: a timely
        // request may be rejected, and is then repeated; a late one never passes.
        self.at_epoch
            .store(millis.saturating_sub(self.since_epoch(received_at)), Ordering::Relaxed);
    }

    /// The server's time at `instant`, or slightly less; 0 while unknown.
    pub(super) fn at(&self, instant: Instant) -> i64 {
        match self.at_epoch.load(Ordering::Relaxed) {
            UNKNOWN => 0,
            at_epoch => at_epoch.saturating_add(self.since_epoch(instant)),
        }
    }

    fn since_epoch(&self, instant: Instant) -> i64 {
        let span = instant.saturating_duration_since(self.epoch);
        i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
    }
}

/// What a server reports about itself: by `INFO`, which providers allow more often than `CONFIG`,
/// and its role by `ROLE` where `INFO` has none. Empty where it supports or allows neither.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerInfo {
    fields: HashMap<String, String>,
    /// Whether the server reported anything.
    pub(super) has_info: bool,
}

impl ServerInfo {
    pub(super) async fn query(connection: &Connection, deadline: Instant) -> RedisResult<Self> {
        let mut server = match connection.execute::<String>(&cmd("INFO"), false, deadline).await {
            Ok(text) => Self::parse(&text),
            Err(error) if is_unsupported(&error) => Self::default(),
            Err(error) => return Err(error),
        };
        if server.role().is_none() {
            match connection.execute::<Vec<Value>>(&cmd("ROLE"), false, deadline).await {
                Ok(role) => {
                    let role = role.into_iter().next().map(from_redis_value::<String>);
                    let role = role.transpose()?.map(|role| ("role".to_owned(), role));
                    server.fields.extend(role);
                }
                // Every script proves that it runs on a primary.
                Err(error) if is_unsupported(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(server)
    }

    fn parse(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        let fields: HashMap<_, _> =
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { has_info: !fields.is_empty(), fields }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.get("redis_version")
    }

    /// A random id that changes with every start of the server.
    fn run_id(&self) -> Option<&str> {
        self.get("run_id")
    }

    /// The server's clock, in milliseconds since 1970; reported since Redis 7.0.
    fn clock_millis(&self) -> Option<i64> {
        self.get("server_time_usec")?.parse::<i64>().ok().map(|micros| micros / 1_000)
    }

    /// `master` or `slave`; from `ROLE` also `sentinel`.
    pub(super) fn role(&self) -> Option<&str> {
        self.get("role")
    }

    fn is_loading(&self) -> bool {
        self.get("loading") == Some("1")
    }

    /// The number of connected replicas.
    pub(super) fn replicas(&self) -> Option<u32> {
        self.get("connected_slaves")?.parse().ok()
    }

    /// Whether it has an append-only file.
    pub(super) fn has_aof(&self) -> Option<bool> {
        self.get("aof_enabled").map(|enabled| enabled == "1")
    }

    pub(super) fn eviction_policy(&self) -> Option<&str> {
        self.get("maxmemory_policy")
    }

    /// The policy, if it allows evicting keys that have not expired.
    fn evicting_policy(&self) -> Option<&str> {
        self.eviction_policy().filter(|policy| *policy != "noeviction")
    }
}

/// Finds servers that may evict live sessions, and rejects them if so configured.
pub(super) struct EvictionCheck {
    eviction: Eviction,
    /// Those servers, each with the run in which this was seen and with the policy.
    evicting: Mutex<HashMap<Node, (String, String)>>,
}

impl EvictionCheck {
    pub(super) fn new(eviction: Eviction) -> Self {
        Self { eviction, evicting: Mutex::default() }
    }

    fn admit(&self, node: &Node, server: &ServerInfo) -> RedisResult<()> {
        self.observe(node, server);
        match (server.evicting_policy(), self.eviction) {
            (Some(_), Eviction::Refuse) => Err(not_ready(
                "refused: its maxmemory-policy may evict live sessions, and redis.eviction is \
                 `refuse`",
            )),
            _ => Ok(()),
        }
    }

    /// Notes the policy of a server; logs one that evicts, again after a restart or another policy.
    pub(super) fn observe(&self, node: &Node, server: &ServerInfo) {
        let mut evicting = self.lock();
        let Some(policy) = server.evicting_policy() else {
            evicting.remove(node);
            return;
        };
        let seen = (server.run_id().unwrap_or_default().to_owned(), policy.to_owned());
        if evicting.insert(node.clone(), seen.clone()).as_ref() == Some(&seen) {
            return;
        }
        // A constant message, so that log deduplication works.
        tracing::error!(target: "regrant::store", %node, policy, "Redis may evict live sessions, which signs their users out: set maxmemory-policy to noeviction");
    }

    /// The warning about `node`, if it may evict live sessions.
    pub(super) fn warning(&self, node: &Node) -> Option<StoreWarning> {
        self.lock().get(node).map(|(_, policy)| {
            StoreWarning::new(
                StoreWarningCode::EvictingPolicy,
                format!(
                    "Redis has maxmemory-policy {policy}: when its memory is full it may evict \
                     live sessions, which signs their users out; set it to noeviction"
                ),
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Node, (String, String)>> {
        self.evicting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_clock_runs_on_from_what_the_server_reported() {
        let clock = ServerClock::unknown();
        let begun = Instant::now();
        assert_eq!(clock.at(begun), 0);
        tokio::time::advance(Duration::from_millis(40)).await;
        clock.set(Instant::now(), 1_000);
        assert_eq!(clock.at(begun + Duration::from_millis(40)), 1_000);
        assert_eq!(clock.at(begun + Duration::from_secs(2)), 2_960);
        // The server's clock was set forward.
        clock.set(Instant::now(), 500_000);
        assert_eq!(clock.at(Instant::now() + Duration::from_millis(5)), 500_005);
    }

    #[test]
    fn info_is_parsed() {
        let text = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\n# Memory\r\n\
                    maxmemory_policy:allkeys-lru\r\n# Replication\r\nrole:master\r\n\
                    server_time_usec:1795475327564250\r\nconnected_slaves:2\r\nslave0:ip=127.0.0.1,port=1\r\n";
        let server = ServerInfo::parse(text);
        assert_eq!(server.version(), Some("7.0.15"));
        assert_eq!(server.role(), Some("master"));
        assert_eq!(server.clock_millis(), Some(1_795_475_327_564));
        assert_eq!(server.replicas(), Some(2));
        assert_eq!(server.evicting_policy(), Some("allkeys-lru"));
        assert!(!server.is_loading());
        assert_eq!(ServerInfo::parse("maxmemory_policy:noeviction").evicting_policy(), None);
        assert_eq!(ServerInfo::default().evicting_policy(), None);
    }
}
