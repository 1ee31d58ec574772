//! The health report of a Redis store: what its primaries say about themselves.

use std::time::{Duration, Instant as Began};

use futures_util::future::join_all;
use redis::{RedisResult, cmd};
use tokio::time::{Instant, timeout};

use super::address::Node;
use super::client::Client;
use super::connection::{Connection, ServerInfo};
use crate::store::{ServerHealth, StoreHealth, StoreWarning, StoreWarningCode as Code};

/// Asks all primaries. Logins and revocations wait for `replicas` replicas.
pub(super) async fn report(client: &Client, replicas: u32) -> StoreHealth {
    let deployment = client.deployment();
    let mut health = StoreHealth::new("redis");
    health.layout = Some(deployment.topology.name());
    match bounded(deployment.connector.timeout, deployment.topology.primaries()).await {
        Ok(primaries) => {
            let reports = primaries.iter().map(|node| server_report(client, node, replicas));
            for (server, warnings) in join_all(reports).await {
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
    health.round_trip = servers.iter().filter_map(|server| server.round_trip).max();
    health
}

async fn server_report(
    client: &Client,
    node: &Node,
    replicas: u32,
) -> (ServerHealth, Vec<StoreWarning>) {
    let deployment = client.deployment();
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
    let connection = client.node(node);
    let asking = async { ask(&*connection.get().await?).await };
    match bounded(deployment.connector.timeout, asking).await {
        Ok(ServerProbe { round_trip, server, has_snapshots }) => {
            deployment.eviction.observe(node, &server);
            health.reachable = true;
            health.round_trip = Some(round_trip);
            health.version = server.version().map(ToOwned::to_owned);
            health.role = server.role().map(role_name);
            health.replicas = server.replicas();
            health.persistence = persistence(&server, has_snapshots);
            health.eviction_policy = server.eviction_policy().map(ToOwned::to_owned);
            warnings.extend(warnings_about(&health, replicas));
        }
        Err(cause) => warnings.push(StoreWarning::new(
            Code::Unreachable,
            format!("the server cannot be used: {cause}"),
        )),
    }
    warnings.extend(deployment.eviction.warning(node));
    (health, warnings.into_iter().map(|warning| warning.of(node)).collect())
}

fn warnings_about(server: &ServerHealth, replicas: u32) -> Vec<StoreWarning> {
    let mut warnings = Vec::new();
    let mut warn = |code, text: String| warnings.push(StoreWarning::new(code, text));
    if server.role.is_none() {
        warn(
            Code::NotAllowed,
            "the access list (ACL) forbids INFO: whether the server evicts live sessions is \
             unknown"
                .to_owned(),
        );
    }
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

/// What a server answered.
struct ServerProbe {
    round_trip: Duration,
    server: ServerInfo,
    /// Whether it takes snapshots; `None` if it may not be asked.
    has_snapshots: Option<bool>,
}

async fn ask(connection: &Connection) -> RedisResult<ServerProbe> {
    let deadline = Instant::now() + connection.timeout;
    let began = Began::now();
    let () = connection.execute(&cmd("PING"), false, deadline).await?;
    let round_trip = began.elapsed();
    let server = ServerInfo::query(connection, deadline).await?;
    let mut save = cmd("CONFIG");
    save.arg("GET").arg("save");
    // Many providers forbid it.
    let save: Option<(String, String)> = connection.execute(&save, false, deadline).await.ok();
    Ok(ServerProbe { round_trip, server, has_snapshots: save.map(|(_, save)| !save.is_empty()) })
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
