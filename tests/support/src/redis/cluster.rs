//! A Redis cluster: three primaries with a replica each.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::options::{RedisOptions, ServerMode};
use super::server::RedisServer;
use crate::certificates::Certificates;
use crate::deadline::until;
use crate::proxy::TcpProxy;

/// The number of primaries, and of replicas.
const PRIMARIES: u16 = 3;
/// The number of slots of a Redis cluster.
const SLOTS: u16 = 16_384;
/// How long the nodes may take to agree.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);
/// How often nodes are introduced again. On a busy machine a handshake may take longer than the nodes
/// wait, and they do not repeat it.
const MEET_EVERY: Duration = Duration::from_secs(5);

/// Three primaries and three replicas.
#[derive(Debug)]
pub struct RedisCluster {
    options: ClusterOptions,
    nodes: Vec<RedisServer>,
    proxies: Vec<TcpProxy>,
    ids: Vec<String>,
}

/// How a replica replaces its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// In coordination with the primary, which pauses its clients: nothing is lost.
    Agreed,
    /// Without the primary, with the votes of the other primaries (`FORCE`).
    Force,
    /// Without any votes (`TAKEOVER`).
    Alone,
}

impl RedisCluster {
    /// Starts three primaries and three replicas; see [`ClusterOptions::start`].
    ///
    /// # Errors
    /// See [`ClusterOptions::start`].
    pub fn start() -> Result<Self> {
        ClusterOptions::new().start()
    }

    fn start_with(options: ClusterOptions) -> Result<Self> {
        let count = usize::from(PRIMARIES) * 2;
        let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let proxy = options.proxied.then(TcpProxy::to_nobody).transpose()?;
            let node = options.node(proxy.as_ref()).start()?;
            if let Some(proxy) = proxy {
                proxy.set_server(node.main_port());
                proxies.push(proxy);
            }
            nodes.push(node);
        }
        let ids = nodes
            .iter()
            .map(|node: &RedisServer| node.command(&["CLUSTER", "MYID"]))
            .collect::<Result<_>>()?;
        let cluster = Self { options, nodes, proxies, ids };
        cluster.create()?;
        Ok(cluster)
    }

    fn create(&self) -> Result<()> {
        for number in 0..PRIMARIES {
            let slot = |number: u16| u32::from(SLOTS) * u32::from(number) / u32::from(PRIMARIES);
            let (first, last) = (slot(number).to_string(), (slot(number + 1) - 1).to_string());
            let node = &self.nodes[usize::from(number)];
            node.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let epoch = (number + 1).to_string();
            node.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?;
        }
        self.meet()?;
        let mut met = Instant::now();
        let primaries = usize::from(PRIMARIES);
        for (number, replica) in self.nodes.iter().enumerate().skip(primaries) {
            let primary = &self.ids[number - primaries];
            // Refused until the replica has heard of the primary.
            until(SETTLED_WITHIN, "a replica knows its primary", || {
                if met.elapsed() > MEET_EVERY {
                    self.meet()?;
                    met = Instant::now();
                }
                replica.command::<()>(&["CLUSTER", "REPLICATE", primary])
            })?;
        }
        self.wait_until_settled()
    }

    /// Tells the first node of all others. Gossip does the rest.
    fn meet(&self) -> Result<()> {
        for node in &self.nodes {
            let (port, bus) = (node.main_port(), node.bus_port().context("a bus port")?);
            let (port, bus) = (port.to_string(), bus.to_string());
            self.nodes[0].command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        Ok(())
    }

    /// `redis+cluster://[:PASSWORD@]127.0.0.1:P1,…,127.0.0.1:P6`, with `rediss` where there is
    /// TLS. The ports are those of the proxies, where there are any.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.certificates.is_some() { "rediss" } else { "redis" };
        let user = match &self.options.password {
            Some(password) => format!(":{password}@"),
            None => String::new(),
        };
        let hosts: Vec<_> = (0..self.nodes.len())
            .map(|number| {
                let own = self.nodes[number].main_port();
                format!("127.0.0.1:{}", self.proxy(number).map_or(own, TcpProxy::port))
            })
            .collect();
        format!("{scheme}+cluster://{user}{}", hosts.join(","))
    }

    /// The nodes. Which of them are primaries changes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// One of the nodes, to kill or restart it.
    ///
    /// # Panics
    /// There is no such node.
    pub fn node_mut(&mut self, number: usize) -> &mut RedisServer {
        &mut self.nodes[number]
    }

    /// The proxy in front of a node, where there are proxies.
    #[must_use]
    pub fn proxy(&self, number: usize) -> Option<&TcpProxy> {
        self.proxies.get(number)
    }

    /// The numbers of the healthy primaries.
    ///
    /// # Errors
    /// The running nodes do not agree.
    pub fn primaries(&self) -> Result<Vec<usize>> {
        let view = self.agreed()?;
        Ok(self.of(view.iter().filter(|known| known.is_primary && known.is_healthy)))
    }

    /// The number of the primary that has a slot.
    ///
    /// # Errors
    /// The running nodes do not agree.
    pub fn primary_of(&self, slot: u16) -> Result<usize> {
        let view = self.agreed()?;
        let owns = |known: &&KnownNode| known.slots.iter().any(|slots| slots.contains(&slot));
        self.of(view.iter().filter(owns)).first().copied().context("the slot has no owner")
    }

    /// The number of the replica of a primary.
    ///
    /// # Errors
    /// The running nodes do not agree, or it has no healthy replica.
    pub fn replica_of(&self, primary: usize) -> Result<usize> {
        let (view, id) = (self.agreed()?, self.id(primary)?);
        let follows =
            |known: &&KnownNode| known.is_healthy && known.follows.as_deref() == Some(id.as_str());
        self.of(view.iter().filter(follows)).first().copied().context("it has no replica")
    }

    /// Replaces this primary by its replica (`CLUSTER FAILOVER`) and waits until all running
    /// nodes know. Returns the number of the new primary.
    ///
    /// # Errors
    /// It has no replica, or the failover did not complete in time.
    pub fn failover(&self, primary: usize, how: Takeover) -> Result<usize> {
        let replica = self.replica_of(primary)?;
        self.order_failover(replica, how)?;
        self.wait_for_primary(replica)?;
        Ok(replica)
    }

    /// Makes a replica replace its primary, without waiting for completion.
    ///
    /// # Errors
    /// It refuses: it is no replica, or (agreed) its primary is down.
    pub fn order_failover(&self, replica: usize, how: Takeover) -> Result<()> {
        let words: &[&str] = match how {
            Takeover::Agreed => &["CLUSTER", "FAILOVER"],
            Takeover::Force => &["CLUSTER", "FAILOVER", "FORCE"],
            Takeover::Alone => &["CLUSTER", "FAILOVER", "TAKEOVER"],
        };
        self.nodes[replica].command(words)
    }

    /// Waits until all running nodes consider this one a primary.
    ///
    /// # Errors
    /// They did not in time.
    pub fn wait_for_primary(&self, number: usize) -> Result<()> {
        until(SETTLED_WITHIN, "the new primary is known", || {
            let view = self.agreed()?;
            let known = view.iter().find(|known| known.id == self.ids[number]);
            let is_primary = known.is_some_and(|known| known.is_primary && !known.slots.is_empty());
            ensure!(is_primary, "node {number} is no primary");
            Ok(())
        })
    }

    /// Waits until all running nodes report `cluster_state:ok` and agree on all nodes, and every
    /// running replica is in sync.
    ///
    /// # Errors
    /// They did not in time.
    pub fn wait_until_settled(&self) -> Result<()> {
        until(SETTLED_WITHIN, "the cluster is healthy", || {
            let view = self.agreed()?;
            for (number, node) in self.running() {
                let state = info(node, &["CLUSTER", "INFO"])?;
                ensure!(state.get("cluster_state").map(String::as_str) == Some("ok"), "{state:?}");
                let known = view.iter().find(|known| known.id == self.ids[number]);
                let known = known.with_context(|| format!("node {number} is not known"))?;
                ensure!(known.is_healthy, "node {number} is not considered healthy");
                if !known.is_primary {
                    let replication = info(node, &["INFO", "replication"])?;
                    let link = replication.get("master_link_status").map(String::as_str);
                    ensure!(link == Some("up"), "node {number} is not in sync");
                }
            }
            Ok(())
        })
    }

    /// The nodes as all running nodes know them, if they agree.
    fn agreed(&self) -> Result<Vec<KnownNode>> {
        let mut agreed: Option<Vec<KnownNode>> = None;
        for (_, node) in self.running() {
            let mut view = known_to(node)?;
            view.sort_by(|one, other| one.id.cmp(&other.id));
            ensure!(view.len() == self.ids.len(), "a node knows {} of all", view.len());
            match &agreed {
                Some(agreed) => ensure!(*agreed == view, "the nodes do not agree"),
                None => agreed = Some(view),
            }
        }
        agreed.context("no node runs")
    }

    fn running(&self) -> impl Iterator<Item = (usize, &RedisServer)> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.is_running())
    }

    fn of<'a>(&self, known: impl Iterator<Item = &'a KnownNode>) -> Vec<usize> {
        known.filter_map(|known| self.ids.iter().position(|id| *id == known.id)).collect()
    }

    fn id(&self, number: usize) -> Result<String> {
        self.ids.get(number).cloned().context("there is no such node")
    }
}

/// The number of keys moved at once.
const KEYS_AT_ONCE: &str = "10";

/// A slot that is being migrated: the target imports it, and the source redirects clients (`ASK`)
/// for keys that it no longer has, until [`finish`](Self::finish).
#[derive(Debug)]
#[must_use = "an unfinished migration stays open"]
pub struct Migration<'a> {
    cluster: &'a RedisCluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl RedisCluster {
    /// The slot of a key (`CLUSTER KEYSLOT`).
    ///
    /// # Errors
    /// No node answers.
    pub fn slot_of(&self, key: &str) -> Result<u16> {
        let node = self.nodes.iter().find(|node| node.is_running()).context("no node runs")?;
        node.command(&["CLUSTER", "KEYSLOT", key])
    }

    /// Begins to migrate a slot to another primary.
    ///
    /// # Errors
    /// A node refuses; `to` is no primary.
    pub fn begin_migration(&self, slot: u16, to: usize) -> Result<Migration<'_>> {
        let from = self.primary_of(slot)?;
        let slot_word = slot.to_string();
        let (from_id, to_id) = (self.id(from)?, self.id(to)?);
        self.nodes[to].command::<()>(&["CLUSTER", "SETSLOT", &slot_word, "IMPORTING", &from_id])?;
        self.nodes[from].command::<()>(&["CLUSTER", "SETSLOT", &slot_word, "MIGRATING", &to_id])?;
        Ok(Migration { cluster: self, slot, from, to })
    }

    /// Migrates a slot and all of its keys to another primary.
    ///
    /// # Errors
    /// See [`begin_migration`](Self::begin_migration).
    pub fn migrate(&self, slot: u16, to: usize) -> Result<()> {
        self.begin_migration(slot, to)?.finish()
    }
}

impl Migration<'_> {
    /// Moves some keys; returns whether there were any.
    ///
    /// # Errors
    /// A node refuses.
    pub fn move_some(&self) -> Result<bool> {
        let (from, to) = (&self.cluster.nodes[self.from], &self.cluster.nodes[self.to]);
        let slot = self.slot.to_string();
        let keys: Vec<String> = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, KEYS_AT_ONCE])?;
        if keys.is_empty() {
            return Ok(false);
        }
        let port = to.main_port().to_string();
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE"];
        if let Some(password) = &self.cluster.options.password {
            words.extend(["AUTH", password]);
        }
        words.push("KEYS");
        words.extend(keys.iter().map(String::as_str));
        from.command::<()>(&words)?;
        Ok(true)
    }

    /// Moves the remaining keys and assigns the slot to the target.
    ///
    /// # Errors
    /// A node refuses.
    pub fn finish(self) -> Result<()> {
        while self.move_some()? {}
        let (slot, id) = (self.slot.to_string(), self.cluster.id(self.to)?);
        let assign = |node: usize| -> Result<()> {
            self.cluster.nodes[node].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id])
        };
        // The target first, so that the slot is never unassigned.
        assign(self.to)?;
        assign(self.from)
    }
}

/// The options of a [`RedisCluster`].
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    append_only: bool,
    proxied: bool,
    password: Option<String>,
    certificates: Option<Arc<Certificates>>,
    settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// Three primaries with a replica each, nothing on disk, no password, no TLS.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The nodes keep their data over a restart; see [`RedisOptions::append_only`].
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Each node announces the port of a [`TcpProxy`] of its own to clients. The nodes bypass it
    /// among themselves, except for replication.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// The nodes require this password, letters and digits only.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The nodes use TLS with each other and with clients. Not together with proxies.
    #[must_use]
    pub fn tls(mut self, certificates: &Arc<Certificates>) -> Self {
        self.certificates = Some(Arc::clone(certificates));
        self
    }

    /// One more setting of the nodes, by its name in `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts the nodes, creates the cluster, and waits until they agree.
    ///
    /// # Errors
    /// See [`RedisServer::start`]; or they did not agree in time.
    pub fn start(self) -> Result<RedisCluster> {
        RedisCluster::start_with(self)
    }

    fn node(&self, proxy: Option<&TcpProxy>) -> RedisOptions {
        let mut options = RedisOptions::new()
            .mode(ServerMode::ClusterNode)
            .setting("cluster-announce-ip", "127.0.0.1")
            .setting("cluster-node-timeout", "1000")
            // A replica takes over however old its data is, and keeps its primary.
            .setting("cluster-replica-validity-factor", "0")
            .setting("cluster-allow-replica-migration", "no")
            .setting("repl-diskless-sync-delay", "0")
            .setting("repl-timeout", "5")
            .setting("repl-ping-replica-period", "1");
        if self.append_only {
            options = options.append_only();
        }
        if let Some(certificates) = &self.certificates {
            options = options.tls(certificates);
        }
        if let Some(password) = &self.password {
            options = options.password(password).setting("masterauth", password);
        }
        if let Some(proxy) = proxy {
            options = options.setting("cluster-announce-port", proxy.port().to_string());
        }
        self.settings.iter().fold(options, |options, (name, value)| options.setting(name, value))
    }
}

/// A node as another node knows it (`CLUSTER NODES`).
#[derive(Debug, Clone, PartialEq, Eq)]
struct KnownNode {
    id: String,
    is_primary: bool,
    /// Neither failing nor unknown nor in a handshake.
    is_healthy: bool,
    /// The id of its primary, if it is a replica.
    follows: Option<String>,
    slots: Vec<RangeInclusive<u16>>,
}

/// All nodes that this one knows, including itself.
fn known_to(server: &RedisServer) -> Result<Vec<KnownNode>> {
    let text: String = server.command(&["CLUSTER", "NODES"])?;
    text.lines().map(|line| parse(line).with_context(|| line.to_owned())).collect()
}

/// `ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOT…`
fn parse(line: &str) -> Result<KnownNode> {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |place: usize| words.get(place).copied().context("too few words");
    let flags: Vec<&str> = word(2)?.split(',').collect();
    let slots = words
        .iter()
        .skip(8)
        // In brackets: slots that are being migrated.
        .filter(|slots| !slots.starts_with('['))
        .map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            Ok(first.parse()?..=last.parse()?)
        })
        .collect::<Result<_>>()?;
    let unhealthy = ["fail", "fail?", "handshake", "noaddr"];
    Ok(KnownNode {
        id: word(0)?.to_owned(),
        is_primary: flags.contains(&"master"),
        is_healthy: !flags.iter().any(|flag| unhealthy.contains(flag)),
        follows: Some(word(3)?).filter(|&id| id != "-").map(str::to_owned),
        slots,
    })
}

/// The `name:value` lines of a command's response.
fn info(node: &RedisServer, command: &[&str]) -> Result<HashMap<String, String>> {
    let text: String = node.command(command)?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_nodes_is_parsed() {
        let primary = parse(
            "07c3 127.0.0.1:30004@31004,host myself,master - 0 1426238317239 4 connected \
             0-5460 7 [93->-292f] [77-<-e7d1]",
        );
        assert_eq!(
            primary.unwrap(),
            KnownNode {
                id: "07c3".to_owned(),
                is_primary: true,
                is_healthy: true,
                follows: None,
                slots: vec![0..=5460, 7..=7],
            }
        );
        let replica = parse("824f 127.0.0.1:1@2 slave,fail? 07c3 0 1 4 connected").unwrap();
        assert_eq!(replica.follows.as_deref(), Some("07c3"));
        assert!(!replica.is_primary && !replica.is_healthy && replica.slots.is_empty());
        assert!(parse("07c3 127.0.0.1:1@2").is_err());
    }
}
