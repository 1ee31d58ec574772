//! Which server answers for a key: one that never changes, the one that the Sentinels name, or
//! the one that has the key's slot in a cluster.

mod canvass;
mod cluster;
mod promotion;
mod sentinel;
mod slots;
mod standalone;
mod view;
mod watcher;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use self::cluster::Cluster;
use self::sentinel::Sentinel;
use self::standalone::Standalone;
use super::address::{Address, Layout, Node};
use super::connector::{self, Connector};
use super::link::is_lost;
use super::server::Server;
use super::tls::Tls;
use crate::error::Result;
use crate::store::{Eviction, RedisOptions, StoreWarning, StoreWarningCode};

/// The servers behind an address.
pub(super) struct Topology {
    layout: Servers,
    connector: Arc<Connector>,
    eviction: Eviction,
    /// The servers that may evict: in which life of the server that was seen, and their policy.
    evicting: Mutex<HashMap<Node, (String, String)>>,
}

enum Servers {
    Standalone(Standalone),
    Sentinel(Arc<Sentinel>),
    Cluster(Arc<Cluster>),
}

/// Where to send a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: Node,
    /// After `ASKING`, because the slot is on its way there.
    pub(super) asking: bool,
}

/// How a server stands that a key was asked of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It answers for the key.
    Same,
    /// It does, and is about to be replaced, or has been already.
    Moving,
    /// Another one does.
    Moved,
}

/// What to do about a question that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    GiveUp,
    /// Ask again, wherever the key is now.
    Again,
    /// Ask again after a moment.
    Later,
    /// Ask there.
    At(Place),
}

/// Something that ends when a server is not to be used any more.
pub(super) type Left = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Topology {
    /// The servers at `address`. Reads the files of TLS and does no other I/O.
    pub(super) fn new(address: &Address, options: &RedisOptions) -> Result<Self> {
        if let Some(sentinel) = &options.sentinel {
            connector::check(sentinel, "redis.sentinel.password")?;
        }
        let tls = address.tls.then(|| Tls::new(&options.tls)).transpose()?;
        let sentinels = Connector::for_sentinels(options, tls.clone());
        let connector = Arc::new(Connector::for_data(address, tls, options.timeout));
        let nodes = address.nodes.clone();
        let layout = match &address.layout {
            Layout::Standalone => Servers::Standalone(Standalone::new(nodes)),
            Layout::Sentinel { master } => Servers::Sentinel(Sentinel::new(
                nodes,
                master.clone(),
                sentinels,
                Arc::clone(&connector),
            )),
            Layout::Cluster => Servers::Cluster(Cluster::new(nodes, Arc::clone(&connector))),
        };
        Ok(Self { layout, connector, eviction: options.eviction, evicting: Mutex::default() })
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// `standalone`, `sentinel` or `cluster`.
    pub(super) const fn name(&self) -> &'static str {
        match self.layout {
            Servers::Standalone(_) => "standalone",
            Servers::Sentinel(_) => "sentinel",
            Servers::Cluster(_) => "cluster",
        }
    }

    /// Whether a master is expected to have replicas.
    pub(super) const fn replicates(&self) -> bool {
        !matches!(self.layout, Servers::Standalone(_))
    }

    /// The server that answers for `key`.
    pub(super) async fn node(&self, key: &[u8]) -> RedisResult<Node> {
        match &self.layout {
            Servers::Standalone(one) => one.node(),
            Servers::Sentinel(sentinel) => sentinel.master().await,
            Servers::Cluster(cluster) => cluster.owner(key).await,
        }
    }

    /// The server that answers for `key`, where nobody needs to be asked for it.
    pub(super) fn known_node(&self, key: &[u8]) -> Option<Node> {
        match &self.layout {
            Servers::Standalone(one) => one.node().ok(),
            Servers::Sentinel(sentinel) => sentinel.known_master(),
            Servers::Cluster(cluster) => cluster.known_owner(key),
        }
    }

    /// Whether `node` still answers for `key`: asks all who know, from now on.
    pub(super) async fn standing(&self, key: &[u8], node: &Node) -> RedisResult<Standing> {
        let (owner, failing_over) = match &self.layout {
            Servers::Standalone(one) => (one.node()?, false),
            Servers::Sentinel(sentinel) => sentinel.standing().await?,
            Servers::Cluster(cluster) => (cluster.owner_by_now(key).await?, false),
        };
        Ok(match owner == *node {
            false => Standing::Moved,
            true if failing_over => Standing::Moving,
            true => Standing::Same,
        })
    }

    /// All servers that take writes.
    pub(super) async fn masters(&self) -> RedisResult<Vec<Node>> {
        match &self.layout {
            Servers::Cluster(cluster) => cluster.masters().await,
            _ => Ok(vec![self.node(&[]).await?]),
        }
    }

    /// Ends when `node` is not to be used any more.
    pub(super) fn left(&self, node: &Node) -> Left {
        match &self.layout {
            Servers::Standalone(_) => Box::pin(std::future::pending()),
            Servers::Sentinel(sentinel) => sentinel.left(node),
            Servers::Cluster(cluster) => cluster.left(node),
        }
    }

    /// What to do about a question about `key` that `node` did not answer, or not well.
    pub(super) async fn advise(&self, node: &Node, key: &[u8], error: &RedisError) -> Advice {
        match &self.layout {
            _ if !may_pass(error) => Advice::GiveUp,
            Servers::Standalone(_) => Advice::GiveUp,
            Servers::Sentinel(sentinel) => sentinel.advise(node, error).await,
            Servers::Cluster(cluster) => cluster.advise(node, key, error).await,
        }
    }

    /// Whether a server that was just connected to can be used.
    pub(super) fn examine(&self, node: &Node, server: &Server) -> RedisResult<()> {
        if server.is_loading() {
            return Err(not_ready("the server is still loading its data"));
        }
        let is_replica = server.role().is_some_and(|role| role != "master");
        if is_replica && matches!(self.layout, Servers::Sentinel(_)) {
            return Err(not_ready("the server is not the master any more"));
        }
        self.note_eviction(node, server);
        match (server.evicting_policy(), self.eviction) {
            (Some(_), Eviction::Refuse) => Err(not_ready(
                "refused: its maxmemory-policy may evict live sessions, and redis.eviction is \
                 `refuse`",
            )),
            _ => Ok(()),
        }
    }

    /// Tells of a policy that evicts, once in the life of a server.
    pub(super) fn note_eviction(&self, node: &Node, server: &Server) {
        let mut evicting = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(policy) = server.evicting_policy() else {
            evicting.remove(node);
            return;
        };
        let seen = (server.run_id().unwrap_or_default().to_owned(), policy.to_owned());
        if evicting.insert(node.clone(), seen.clone()).as_ref() == Some(&seen) {
            return;
        }
        // Fixed words: what is logged again and again is shown once.
        tracing::error!(target: "regrant::store", %node, policy, "Redis may evict live sessions, and whoever has one is then signed out: set maxmemory-policy to noeviction");
    }

    /// The warning about `node`, where it may evict.
    pub(super) fn eviction_at(&self, node: &Node) -> Option<StoreWarning> {
        let evicting = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        evicting.get(node).map(|(_, policy)| evicts(policy))
    }
}

fn evicts(policy: &str) -> StoreWarning {
    StoreWarning::new(
        StoreWarningCode::EvictingPolicy,
        format!(
            "Redis has maxmemory-policy {policy}: when its memory is full it may evict live \
             sessions, and whoever has one is then signed out; set it to noeviction"
        ),
    )
}

/// The servers are not asked who answers for what more often than this.
const NOT_AGAIN_WITHIN: Duration = Duration::from_millis(150);

/// How long to wait before asking again while a failover or a migration is under way.
pub(super) const MOMENT: Duration = Duration::from_millis(100);

pub(super) fn not_ready(problem: &'static str) -> RedisError {
    (ErrorKind::Client, problem).into()
}

/// Whether another server, or another moment, may bring a better answer.
fn may_pass(error: &RedisError) -> bool {
    if is_lost(error) || error.is_timeout() {
        return true;
    }
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
        ),
        // Blocked when the server ceased to be a master.
        ErrorKind::Extension => error.code() == Some("UNBLOCKED"),
        // A server that was not fit to be used, or Sentinels that did not know.
        ErrorKind::Client => true,
        _ => false,
    }
}
