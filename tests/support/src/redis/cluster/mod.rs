//! A cluster of Redis servers.

mod migration;
mod nodes;
mod options;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

pub use self::migration::Migration;
use self::nodes::{Known, known_to};
pub use self::options::ClusterOptions;
use super::RedisServer;
use crate::TcpProxy;
use crate::deadline::until;

/// Masters, and as many replicas.
const MASTERS: u16 = 3;
/// Slots of a Redis cluster.
const SLOTS: u16 = 16_384;
/// How long the nodes may take to come to terms.
const SETTLED_WITHIN: Duration = Duration::from_secs(40);

/// Three masters and three replicas.
#[derive(Debug)]
pub struct RedisCluster {
    options: ClusterOptions,
    nodes: Vec<RedisServer>,
    proxies: Vec<TcpProxy>,
    ids: Vec<String>,
}

/// How a replica takes its master's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Together with the master, which pauses its clients: nothing is lost.
    Agreed,
    /// Without asking the master, with the consent of the other masters (`FORCE`).
    Force,
    /// Without asking anybody (`TAKEOVER`).
    Alone,
}

impl RedisCluster {
    /// Starts three masters and three replicas; see [`ClusterOptions::start`].
    ///
    /// # Errors
    /// See [`ClusterOptions::start`].
    pub fn start() -> Result<Self> {
        ClusterOptions::new().start()
    }

    fn start_with(options: ClusterOptions) -> Result<Self> {
        let count = usize::from(MASTERS) * 2;
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
        for number in 0..MASTERS {
            let slot = |number: u16| u32::from(SLOTS) * u32::from(number) / u32::from(MASTERS);
            let (first, last) = (slot(number).to_string(), (slot(number + 1) - 1).to_string());
            let node = &self.nodes[usize::from(number)];
            node.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let epoch = (number + 1).to_string();
            node.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?;
            let (port, bus) = (node.main_port(), node.bus_port().context("a bus port")?);
            let (port, bus) = (port.to_string(), bus.to_string());
            self.nodes[0].command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        let masters = usize::from(MASTERS);
        for (number, replica) in self.nodes.iter().enumerate().skip(masters) {
            let master = &self.ids[number - masters];
            // Refused until word of the master has got around.
            until(SETTLED_WITHIN, "a replica knows its master", || {
                replica.command::<()>(&["CLUSTER", "REPLICATE", master])
            })?;
        }
        self.wait_until_settled()
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

    /// The nodes. Which of them are masters changes.
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

    /// The numbers of the nodes that are masters and well, as most of the running nodes see it.
    ///
    /// # Errors
    /// The running nodes do not agree.
    pub fn masters(&self) -> Result<Vec<usize>> {
        let view = self.agreed()?;
        Ok(self.of(view.iter().filter(|known| known.is_master && known.is_well)))
    }

    /// The number of the master that has a slot.
    ///
    /// # Errors
    /// The running nodes do not agree.
    pub fn master_of(&self, slot: u16) -> Result<usize> {
        let view = self.agreed()?;
        let owns = |known: &&Known| known.slots.iter().any(|slots| slots.contains(&slot));
        self.of(view.iter().filter(owns)).first().copied().context("nobody has the slot")
    }

    /// The number of the replica of a master.
    ///
    /// # Errors
    /// The running nodes do not agree, or there is none that is well.
    pub fn replica_of(&self, master: usize) -> Result<usize> {
        let (view, id) = (self.agreed()?, self.id(master)?);
        let follows =
            |known: &&Known| known.is_well && known.follows.as_deref() == Some(id.as_str());
        self.of(view.iter().filter(follows)).first().copied().context("it has no replica")
    }

    /// Puts the replica of this master in its place (`CLUSTER FAILOVER`) and waits until all
    /// running nodes know. Returns the number of the new master.
    ///
    /// # Errors
    /// It has no replica, or it did not happen in time.
    pub fn failover(&self, master: usize, how: Takeover) -> Result<usize> {
        let replica = self.replica_of(master)?;
        self.order_failover(replica, how)?;
        self.wait_for_master(replica)?;
        Ok(replica)
    }

    /// Orders a replica to take its master's place and does not wait for it.
    ///
    /// # Errors
    /// It refuses: it is no replica, or (agreed) its master is down.
    pub fn order_failover(&self, replica: usize, how: Takeover) -> Result<()> {
        let words: &[&str] = match how {
            Takeover::Agreed => &["CLUSTER", "FAILOVER"],
            Takeover::Force => &["CLUSTER", "FAILOVER", "FORCE"],
            Takeover::Alone => &["CLUSTER", "FAILOVER", "TAKEOVER"],
        };
        self.nodes[replica].command(words)
    }

    /// Waits until all running nodes take this one for a master.
    ///
    /// # Errors
    /// It did not happen in time.
    pub fn wait_for_master(&self, number: usize) -> Result<()> {
        until(SETTLED_WITHIN, "the new master is known", || {
            let view = self.agreed()?;
            let known = view.iter().find(|known| known.id == self.ids[number]);
            let is_master = known.is_some_and(|known| known.is_master && !known.slots.is_empty());
            ensure!(is_master, "node {number} is no master");
            Ok(())
        })
    }

    /// Waits until all running nodes say `cluster_state:ok`, agree on everything, and every
    /// running replica is in step.
    ///
    /// # Errors
    /// It did not happen in time.
    pub fn wait_until_settled(&self) -> Result<()> {
        until(SETTLED_WITHIN, "the cluster is well", || {
            let view = self.agreed()?;
            for (number, node) in self.running() {
                let state = info(node, &["CLUSTER", "INFO"])?;
                ensure!(state.get("cluster_state").map(String::as_str) == Some("ok"), "{state:?}");
                let known = view.iter().find(|known| known.id == self.ids[number]);
                let known = known.with_context(|| format!("node {number} is not known"))?;
                ensure!(known.is_well, "node {number} is not taken to be well");
                if !known.is_master {
                    let replication = info(node, &["INFO", "replication"])?;
                    let link = replication.get("master_link_status").map(String::as_str);
                    ensure!(link == Some("up"), "node {number} is not in step");
                }
            }
            Ok(())
        })
    }

    /// What all running nodes say of all nodes, if they say the same.
    fn agreed(&self) -> Result<Vec<Known>> {
        let mut agreed: Option<Vec<Known>> = None;
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

    fn of<'a>(&self, known: impl Iterator<Item = &'a Known>) -> Vec<usize> {
        known.filter_map(|known| self.ids.iter().position(|id| *id == known.id)).collect()
    }

    fn id(&self, number: usize) -> Result<String> {
        self.ids.get(number).cloned().context("there is no such node")
    }
}

/// The `name:value` lines that a command answers.
fn info(node: &RedisServer, command: &[&str]) -> Result<HashMap<String, String>> {
    let text: String = node.command(command)?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}
