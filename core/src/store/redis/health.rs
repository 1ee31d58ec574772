//! How the servers are doing.

use std::time::Instant as Began;

use futures_util::future::join_all;
use redis::{RedisResult, cmd};
use tokio::time::{Instant, timeout};

use super::RedisStore;
use super::address::Node;
use super::link::Live;
use super::server::Server;
use crate::store::{ServerHealth, StoreHealth, StoreWarning, StoreWarningCode as Code};

impl RedisStore {
    /// Asks all masters.
    pub(super) async fn report(&self) -> StoreHealth {
        let topology = self.connection.topology();
        let mut health = StoreHealth::new("redis");
        health.layout = Some(topology.name());
        let patience = topology.connector().timeout;
        let masters = timeout(patience, topology.masters()).await;
        let masters = masters.map_err(|_| "no answer in time".to_owned());
        match masters.and_then(|masters| masters.map_err(|error| error.to_string())) {
            Ok(masters) => {
                for (server, warnings) in
                    join_all(masters.iter().map(|node| self.report_on(node))).await
                {
                    health.servers.push(server);
                    health.warnings.extend(warnings);
                }
            }
            Err(cause) => health.warnings.push(StoreWarning::new(
                Code::Unreachable,
                format!("the servers are not known: {cause}"),
            )),
        }
        let servers = &health.servers;
        health.reachable = !servers.is_empty() && servers.iter().all(|server| server.reachable);
        health.round_trip = servers.iter().filter_map(|server| server.round_trip).max();
        health
    }

    async fn report_on(&self, node: &Node) -> (ServerHealth, Vec<StoreWarning>) {
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
        let topology = self.connection.topology();
        let patience = topology.connector().timeout;
        let link = self.connection.link(node);
        let asked = timeout(patience, async {
            let live = link.live().await?;
            ask(&live).await
        })
        .await;
        let answer = asked.map_err(|_| "no answer in time".to_owned());
        let mut warnings = Vec::new();
        match answer.and_then(|answer| answer.map_err(|error| error.to_string())) {
            Ok(Said { round_trip, server, snapshots }) => {
                topology.note_eviction(node, &server);
                health.reachable = true;
                health.round_trip = Some(round_trip);
                health.version = server.version().map(ToOwned::to_owned);
                health.role = server.role().map(role_name);
                health.replicas = server.replicas();
                health.persistence = persistence(&server, snapshots);
                health.eviction_policy = server.eviction_policy().map(ToOwned::to_owned);
                warnings.extend(self.warnings_about(&health));
            }
            Err(cause) => warnings.push(StoreWarning::new(
                Code::Unreachable,
                format!("the server is not in use: {cause}"),
            )),
        }
        warnings.extend(topology.eviction_at(node));
        (health, warnings.into_iter().map(|warning| warning.of(node)).collect())
    }

    fn warnings_about(&self, server: &ServerHealth) -> Vec<StoreWarning> {
        let mut warnings = Vec::new();
        let mut warn = |code, text: String| warnings.push(StoreWarning::new(code, text));
        if server.role.is_none() {
            warn(
                Code::NotAllowed,
                "the server does not let this user ask INFO: whether it evicts live sessions is \
                 not known"
                    .to_owned(),
            );
        }
        let wanted = self.replicas;
        if server.replicas.is_some_and(|replicas| replicas < wanted) {
            warn(
                Code::NoReplica,
                format!(
                    "logins and revocations wait for {wanted} replica(s), and fewer are \
                     connected: what this server loses, nobody has"
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
}

/// What a server said.
struct Said {
    round_trip: std::time::Duration,
    server: Server,
    /// Whether it makes snapshots; unknown where it is not to be asked.
    snapshots: Option<bool>,
}

async fn ask(live: &Live) -> RedisResult<Said> {
    let deadline = Instant::now() + live.patience;
    let began = Began::now();
    let () = live.send(&cmd("PING"), false, deadline).await?;
    let round_trip = began.elapsed();
    let server = Server::ask(live, deadline).await?;
    let mut when = cmd("CONFIG");
    when.arg("GET").arg("save");
    // Many providers forbid it.
    let snapshots: Option<(String, String)> = live.send(&when, false, deadline).await.ok();
    let snapshots = snapshots.map(|(_, when)| !when.is_empty());
    Ok(Said { round_trip, server, snapshots })
}

fn role_name(role: &str) -> &'static str {
    if role == "master" { "master" } else { "replica" }
}

fn persistence(server: &Server, snapshots: Option<bool>) -> Option<&'static str> {
    if server.appends_to_file()? {
        return Some("aof");
    }
    Some(if snapshots? { "rdb" } else { "none" })
}
