//! The servers of a cluster.
//!
//! Every script has one key, so a question goes to one server, and `MOVED` and `ASK` can simply
//! be followed. Own code rather than the cluster client of the `redis` crate, because a
//! revocation and its `WAIT` must travel over the same connection, the feed's blocked reading
//! needs one that nobody else uses, and a server that is away must not keep requests for the
//! others waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, from_redis_value, pipe};
use tokio::time::sleep;

use super::canvass::{GRACE, canvass};
use super::slots::{SlotMap, redirected_to, slot_of};
use super::view::View;
use super::{Advice, Left, NOT_AGAIN_WITHIN, Place};
use crate::store::redis::address::Node;
use crate::store::redis::backoff::jitter;
use crate::store::redis::connector::{Connector, unexpected};
use crate::store::redis::link::is_lost;
use crate::store::redis::round::Round;

/// After a redirection the whole map is looked at anew, within this time.
const SOON: Duration = Duration::from_secs(1);
/// So many servers are asked at once.
const ASKED: usize = 5;

/// The servers and their slots.
pub(super) struct Cluster {
    /// As the address names them.
    seeds: Vec<Node>,
    connector: Arc<Connector>,
    view: Arc<View<Arc<SlotMap>>>,
    looks: Round<Arc<SlotMap>>,
    renewing: AtomicBool,
    itself: Weak<Self>,
}

/// What one server says: whether it sees a working cluster, how new what it knows is, the map.
struct Answer {
    works: bool,
    epoch: u64,
    map: SlotMap,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Node>, connector: Arc<Connector>) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            seeds,
            connector,
            view: Arc::new(View::new()),
            looks: Round::default(),
            renewing: AtomicBool::new(false),
            itself: itself.clone(),
        })
    }

    async fn map(self: &Arc<Self>) -> RedisResult<Arc<SlotMap>> {
        self.view.get(|| Arc::clone(self).find()).await
    }

    pub(super) fn known_owner(&self, key: &[u8]) -> Option<Node> {
        self.view.current()?.owner(slot_of(key)).cloned()
    }

    pub(super) async fn owner(self: &Arc<Self>, key: &[u8]) -> RedisResult<Node> {
        let owner = |map: &SlotMap| map.owner(slot_of(key)).cloned();
        match owner(&*self.map().await?) {
            Some(node) => Ok(node),
            None => self.look(key).await,
        }
    }

    /// Asks the servers from now on.
    pub(super) async fn owner_by_now(self: &Arc<Self>, key: &[u8]) -> RedisResult<Node> {
        let looking = async {
            let map = Arc::clone(self).find().await?;
            self.view.believe(Arc::clone(&map));
            Ok(map)
        };
        owner_of(key, &*self.looks.next(looking).await?)
    }

    /// Asks the servers unless they were asked a moment ago.
    pub(super) async fn look(self: &Arc<Self>, key: &[u8]) -> RedisResult<Node> {
        let map = self.view.no_older_than(NOT_AGAIN_WITHIN, || Arc::clone(self).find()).await?;
        owner_of(key, &map)
    }

    pub(super) async fn masters(self: &Arc<Self>) -> RedisResult<Vec<Node>> {
        Ok(self.map().await?.masters().to_vec())
    }

    pub(super) fn left(&self, node: &Node) -> Left {
        let node = node.clone();
        self.view.when(move |map| !map.masters().contains(&node))
    }

    pub(super) async fn advise(
        self: &Arc<Self>,
        node: &Node,
        key: &[u8],
        error: &RedisError,
    ) -> Advice {
        if let Some((target, slot)) = error.redirect_node() {
            let Some(target) = redirected_to(target, node) else { return Advice::Later };
            if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) {
                return Advice::At(Place { node: target, asking: true });
            }
            if let Some(map) = self.view.current() {
                self.view.replace(Arc::new(map.with(slot, &target)));
            }
            self.renew_soon();
            return Advice::At(Place { node: target, asking: false });
        }
        match self.look(key).await {
            Ok(owner) if owner != *node => Advice::Again,
            _ if is_lost(error) || error.is_timeout() => Advice::GiveUp,
            _ => Advice::Later,
        }
    }

    /// Once for all redirections that come until then.
    fn renew_soon(&self) {
        if self.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let itself = self.itself.clone();
        tokio::spawn(async move {
            sleep(jitter(SOON)).await;
            let Some(cluster) = itself.upgrade() else { return };
            cluster.renewing.store(false, Ordering::Release);
            if let Err(error) = cluster.view.renew(|| Arc::clone(&cluster).find()).await {
                tracing::debug!(target: "regrant::store", %error, "the slots of the cluster are not known anew");
            }
        });
    }

    async fn find(self: Arc<Self>) -> RedisResult<Arc<SlotMap>> {
        let known = self.view.current();
        let masters = known.iter().flat_map(|map| map.masters());
        let mut nodes: Vec<Node> = masters.chain(&self.seeds).cloned().collect();
        // Not the same ones each time, nor the same ones as the other processes.
        let turn = jitter(Duration::from_secs(1)).as_micros() as usize % nodes.len().max(1);
        nodes.rotate_left(turn);
        let mut asked: Vec<Node> = Vec::with_capacity(ASKED);
        for node in nodes {
            if asked.len() < ASKED && !asked.contains(&node) {
                asked.push(node);
            }
        }
        let ask = |node| ask(Arc::clone(&self.connector), node);
        let answers = canvass(asked, ask, (self.connector.timeout, GRACE)).await?;
        let best = answers.into_iter().max_by_key(|answer| (answer.works, answer.epoch));
        let best = best.ok_or_else(|| unexpected("no server of the cluster answered"))?;
        Ok(Arc::new(best.map))
    }
}

fn owner_of(key: &[u8], map: &SlotMap) -> RedisResult<Node> {
    map.owner(slot_of(key))
        .cloned()
        .ok_or_else(|| (ErrorKind::Client, "no server of the cluster has the key's slot").into())
}

async fn ask(connector: Arc<Connector>, node: Node) -> RedisResult<Answer> {
    let (mut connection, driver) = connector.open(&node).await?;
    let mut questions = pipe();
    questions.cmd("CLUSTER").arg("SLOTS");
    questions.cmd("CLUSTER").arg("INFO");
    questions.ignore_errors();
    let answers: Vec<RedisResult<Value>> = tokio::select! {
        answers = questions.query_async(&mut connection) => answers?,
        () = driver => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
    };
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(unexpected("an answer is missing")));
    let map = SlotMap::parse(next()?, &node)?;
    if map.is_empty() {
        return Err((ErrorKind::Client, "a server of the cluster knows of no slots").into());
    }
    let state: String = from_redis_value(next()?)?;
    let field = |name: &str| state.lines().find_map(|line| line.strip_prefix(name));
    Ok(Answer {
        works: field("cluster_state:").is_some_and(|state| state.trim_end() == "ok"),
        epoch: field("cluster_current_epoch:")
            .and_then(|epoch| epoch.trim_end().parse().ok())
            .unwrap_or(0),
        map,
    })
}
