//! The health report of a Redis store: whether its primaries accept a login, and what they say
//! about themselves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{RedisError, RedisResult, Value, cmd};
use tokio::time::{Instant, timeout};

use super::address::Node;
use super::client::{Client, Request};
use super::connection::{Connection, ServerInfo};
use super::retry::server_code;
use super::script::{Arguments, Script};
use crate::session::TokenSecret;
use crate::store::health::{PROBE_SUBJECT, PROBE_TTL};
use crate::store::{ServerHealth, StoreHealth, StoreWarning, StoreWarningCode as Code};
use crate::types::SessionId;

/// Logs in on all primaries, by the script `login`, and asks them about themselves. Logins and
/// revocations wait for `replicas` replicas.
pub(super) async fn report(
    client: &Client,
    login: &Script,
    prefix: &str,
    replicas: u32,
) -> StoreHealth {
    let deployment = client.deployment();
    let mut health = StoreHealth::new("redis");
    health.layout = Some(deployment.topology.name());
    match bounded(deployment.connector.timeout, deployment.topology.primaries()).await {
        Ok(primaries) => {
            let reports = primaries.iter().map(|node| {
                let probe = Probe { client, login, key: probe_key(client, node, prefix), replicas };
                async move { probe.report(node).await }
            });
            for (server, is_ready, warnings) in join_all(reports).await {
                health.ready &= is_ready;
                health.servers.push(server);
                health.warnings.extend(warnings);
            }
        }
        Err(cause) => health.warnings.push(StoreWarning::new(
            Code::Unreachable,
            format!("cannot find the primary: {cause}"),
        )),
    }
    let servers = &health.servers;
    health.reachable = !servers.is_empty() && servers.iter().all(|server| server.reachable);
    health.ready &= health.reachable;
    health.round_trip = servers.iter().filter_map(|server| server.round_trip).max();
    health
}

/// The key of the user that is logged in on `node`.
fn probe_key(client: &Client, node: &Node, prefix: &str) -> Vec<u8> {
    let key = |number: u32| format!("{prefix}u:{PROBE_SUBJECT} {number}").into_bytes();
    let topology = &client.deployment().topology;
    // In a cluster the key selects the server. A server without slots is found by no key.
    let is_there = |key: &Vec<u8>| topology.known_primary(key).is_none_or(|it| it == *node);
    (0..MAX_PROBE_KEYS).map(key).find(is_there).unwrap_or_else(|| key(0))
}

/// Enough to find a key for a server that has only one slot in a thousand.
const MAX_PROBE_KEYS: u32 = 10_000;

/// A health check of one server.
struct Probe<'a> {
    client: &'a Client,
    login: &'a Script,
    key: Vec<u8>,
    replicas: u32,
}

impl Probe<'_> {
    /// Returns whether the server accepts a login, too.
    async fn report(&self, node: &Node) -> (ServerHealth, bool, Vec<StoreWarning>) {
        let deployment = self.client.deployment();
        let mut health = ServerHealth {
            address: node.to_string(),
            reachable: false,
            round_trip: None,
            version: None,
            role: None,
            replicas: None,
            persistence: None,
            eviction_policy: None,
        };
        let mut warnings = Vec::new();
        let began = Instant::now();
        let login = self.log_in().await;
        let round_trip = began.elapsed();
        let refusal = login.as_ref().err().and_then(refusal);
        let connection = match login {
            Ok(connection) => Ok(connection),
            Err(error) => match &refusal {
                Some(_) => self.client.node(node).get().await,
                None => Err(error),
            },
        };
        let asking = async { ask(&*connection?, self.replicas).await };
        match bounded(deployment.connector.timeout, asking).await {
            Ok(ServerState { server, has_snapshots, has_wait }) => {
                deployment.eviction.observe(node, &server);
                health.reachable = true;
                health.round_trip = Some(round_trip);
                health.version = server.version().map(ToOwned::to_owned);
                health.role = server.role().map(role_name);
                health.replicas = server.replicas();
                health.persistence = persistence(&server, has_snapshots);
                health.eviction_policy = server.eviction_policy().map(ToOwned::to_owned);
                warnings.extend(missing_commands(&server, has_snapshots, has_wait));
                warnings.extend(warnings_about(&health, self.replicas));
            }
            Err(cause) => warnings.push(StoreWarning::new(
                Code::Unreachable,
                format!("the server cannot be used: {cause}"),
            )),
        }
        let is_ready = health.reachable && refusal.is_none();
        warnings.extend(refusal);
        warnings.extend(deployment.eviction.warning(node));
        (health, is_ready, warnings.into_iter().map(|warning| warning.of(node)).collect())
    }

    /// Logs in for a second. Returns the connection over which that succeeded.
    async fn log_in(&self) -> RedisResult<Arc<Connection>> {
        let random = |_| RedisError::from((redis::ErrorKind::Client, "no random numbers"));
        let session = SessionId::random().map_err(random)?;
        let id = TokenSecret::random().map_err(random)?.id();
        let arguments = Arguments::new()
            .instant(None)
            .bytes(session.as_bytes())
            .bytes(id.as_bytes())
            .duration(PROBE_TTL)
            .duration(PROBE_TTL)
            .text("")
            // One session: the key does not grow.
            .text(1)
            .instant(None)
            .text("");
        let request = Request::Script(self.login, arguments);
        // Half of the timeout, because a readiness probe should not wait as long as a login.
        let timeout = self.client.deployment().connector.timeout / 2;
        let (_, connection): (Value, _) =
            self.client.try_query(&self.key, &request, timeout, timeout / 2).await?;
        Ok(connection)
    }
}

/// The warning about a server that responds and refuses a login.
fn refusal(error: &RedisError) -> Option<StoreWarning> {
    let words = error.detail().unwrap_or_default();
    let (code, text) = match server_code(error)? {
        "OOM" => (
            Code::OutOfMemory,
            "Redis is out of memory and refuses logins; refreshes and logouts still work: raise \
             maxmemory or free memory"
                .to_owned(),
        ),
        "MISCONF" => (
            Code::DiskFull,
            format!("Redis cannot write to its disk and refuses all writes: {words}"),
        ),
        "NOREPLICAS" => (
            Code::NotWritable,
            "Redis refuses all writes: it has fewer replicas than its min-replicas-to-write"
                .to_owned(),
        ),
        _ => return None,
    };
    Some(StoreWarning::new(code, text))
}

/// The warning about commands that the server does not have or does not allow.
fn missing_commands(
    server: &ServerInfo,
    has_snapshots: Option<bool>,
    has_wait: bool,
) -> Option<StoreWarning> {
    let mut lost = Vec::new();
    if !server.has_info {
        lost.push("without INFO it is unknown whether the server evicts live sessions");
    } else if server.has_aof() == Some(false) && has_snapshots.is_none() {
        lost.push("without CONFIG GET it is unknown whether sessions survive a restart");
    }
    if !has_wait {
        lost.push("without WAIT logins and revocations cannot wait for replicas");
    }
    let text = format!("the server does not have or allow a command: {}", lost.join("; "));
    (!lost.is_empty()).then(|| StoreWarning::new(Code::NotAllowed, text))
}

fn warnings_about(server: &ServerHealth, replicas: u32) -> Vec<StoreWarning> {
    let mut warnings = Vec::new();
    let mut warn = |code, text: String| warnings.push(StoreWarning::new(code, text));
    if server.replicas.is_some_and(|connected| connected < replicas) {
        warn(
            Code::NoReplica,
            format!(
                "logins and revocations wait for {replicas} replica(s), and fewer are connected: \
                 a failure of this server can lose them"
            ),
        );
    }
    if server.persistence == Some("none") {
        warn(
            Code::NoPersistence,
            "nothing survives a restart of the server: set appendonly to yes".to_owned(),
        );
    }
    warnings
}

/// What a server said about itself.
struct ServerState {
    server: ServerInfo,
    /// Whether it takes snapshots; `None` if it may not be asked.
    has_snapshots: Option<bool>,
    /// Whether it has `WAIT`, where that is needed.
    has_wait: bool,
}

async fn ask(connection: &Connection, replicas: u32) -> RedisResult<ServerState> {
    let deadline = Instant::now() + connection.timeout;
    let server = ServerInfo::query(connection, deadline).await?;
    let mut save = cmd("CONFIG");
    save.arg("GET").arg("save");
    // Many providers forbid it.
    let save: Option<(String, String)> = connection.execute(&save, false, deadline).await.ok();
    // Returns at once.
    let mut wait = cmd("WAIT");
    wait.arg(0).arg(1);
    let has_wait =
        replicas == 0 || connection.execute::<Value>(&wait, false, deadline).await.is_ok();
    let has_snapshots = save.map(|(_, save)| !save.is_empty());
    Ok(ServerState { server, has_snapshots, has_wait })
}

async fn bounded<T>(
    patience: Duration,
    asking: impl Future<Output = RedisResult<T>>,
) -> Result<T, String> {
    match timeout(patience, asking).await {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err("no response in time".to_owned()),
    }
}

fn role_name(role: &str) -> &'static str {
    if role == "master" { "master" } else { "replica" }
}

fn persistence(server: &ServerInfo, has_snapshots: Option<bool>) -> Option<&'static str> {
    if server.has_aof()? {
        return Some("aof");
    }
    Some(if has_snapshots? { "rdb" } else { "none" })
}
