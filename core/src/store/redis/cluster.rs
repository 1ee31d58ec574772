//! The primaries of a Redis cluster.
//!
//! Every script has one key, so a request goes to one server, and `MOVED` and `ASK` can simply be
//! followed. This is own code rather than the cluster client of the `redis` crate because a
//! revocation and its `WAIT` must use the same connection, a blocking read of the feed needs a
//! connection of its own, and an unreachable server must not delay requests to the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, from_redis_value, pipe};
use tokio::time::sleep;

use super::address::Node;
use super::connector::Connector;
use super::retry::{Coalesce, is_lost, unexpected};
use super::topology::{
    ANSWER_GRACE, Advice, MIN_QUERY_INTERVAL, PrimaryStatus, Retired, Route, Snapshot, Topology,
    quorum_query,
};
use crate::types::jitter;

/// After a `MOVED` the whole slot map is fetched within this time.
const REFRESH_DELAY: Duration = Duration::from_secs(1);
/// How many servers are asked for the slot map at once.
const QUERIED_SERVERS: usize = 5;

/// The servers of a cluster and their slots.
pub(super) struct ClusterTopology {
    /// The servers that the address names.
    seeds: Vec<Node>,
    connector: Arc<Connector>,
    map: Arc<Snapshot<Arc<SlotMap>>>,
    status: Coalesce<Arc<SlotMap>>,
    refresh_scheduled: AtomicBool,
    itself: Weak<Self>,
}

/// The answer of one server.
struct ClusterReport {
    /// Whether it sees a working cluster.
    is_ok: bool,
    epoch: u64,
    map: SlotMap,
}

#[async_trait]
impl Topology for Arc<ClusterTopology> {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn has_replicas(&self) -> bool {
        true
    }

    fn admits_replicas(&self) -> bool {
        true
    }

    fn known_primary(&self, key: &[u8]) -> Option<Node> {
        self.map.current()?.owner(slot_of(key)).cloned()
    }

    async fn primary(&self, key: &[u8]) -> RedisResult<Node> {
        match self.current_map().await?.owner(slot_of(key)).cloned() {
            Some(node) => Ok(node),
            None => self.poll(key).await,
        }
    }

    async fn primaries(&self) -> RedisResult<Vec<Node>> {
        Ok(self.current_map().await?.primaries().to_vec())
    }

    async fn status(&self, key: &[u8], node: &Node) -> RedisResult<PrimaryStatus> {
        let query = async {
            let map = Arc::clone(self).find().await?;
            self.map.set_fetched(Arc::clone(&map));
            Ok(map)
        };
        let owner = owner_of(key, &*self.status.run(query).await?)?;
        Ok(if owner == *node { PrimaryStatus::Current } else { PrimaryStatus::Replaced })
    }

    fn retired(&self, node: &Node) -> Retired {
        let node = node.clone();
        self.map.wait_until(move |map| !map.primaries().contains(&node))
    }

    async fn advise(&self, node: &Node, key: &[u8], error: &RedisError) -> Advice {
        if let Some((target, slot)) = error.redirect_node() {
            let Some(target) = redirect_target(target, node) else { return Advice::RetryLater };
            if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) {
                return Advice::Redirect(Route { node: target, asking: true });
            }
            if let Some(map) = self.map.current() {
                self.map.correct(Arc::new(map.with(slot, &target)));
            }
            self.schedule_refresh();
            return Advice::Redirect(Route { node: target, asking: false });
        }
        match self.poll(key).await {
            Ok(owner) if owner != *node => Advice::Retry,
            _ if is_lost(error) || error.is_timeout() => Advice::GiveUp,
            _ => Advice::RetryLater,
        }
    }
}

impl ClusterTopology {
    pub(super) fn new(seeds: Vec<Node>, connector: Arc<Connector>) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            seeds,
            connector,
            map: Snapshot::new(),
            status: Coalesce::default(),
            refresh_scheduled: AtomicBool::new(false),
            itself: itself.clone(),
        })
    }

    async fn current_map(self: &Arc<Self>) -> RedisResult<Arc<SlotMap>> {
        self.map.get(|| Arc::clone(self).find()).await
    }

    /// The owner of the slot of `key`; asks the servers unless they were asked a moment ago.
    async fn poll(self: &Arc<Self>, key: &[u8]) -> RedisResult<Node> {
        let map = self.map.no_older_than(MIN_QUERY_INTERVAL, || Arc::clone(self).find()).await?;
        owner_of(key, &map)
    }

    /// Fetches the slot map once for all redirections that arrive until then.
    fn schedule_refresh(&self) {
        if self.refresh_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let itself = self.itself.clone();
        tokio::spawn(async move {
            sleep(jitter(REFRESH_DELAY)).await;
            let Some(cluster) = itself.upgrade() else { return };
            cluster.refresh_scheduled.store(false, Ordering::Release);
            if let Err(error) = cluster.map.renew(|| Arc::clone(&cluster).find()).await {
                tracing::debug!(target: "regrant::store", %error, "cannot refresh the slot map of the Redis cluster");
            }
        });
    }

    async fn find(self: Arc<Self>) -> RedisResult<Arc<SlotMap>> {
        let known = self.map.current();
        let primaries = known.iter().flat_map(|map| map.primaries());
        let mut nodes: Vec<Node> = primaries.chain(&self.seeds).cloned().collect();
        // A random selection, so that neither calls nor processes all ask the same servers.
        let turn = jitter(Duration::from_secs(1)).as_micros() as usize % nodes.len().max(1);
        nodes.rotate_left(turn);
        let mut selected: Vec<Node> = Vec::with_capacity(QUERIED_SERVERS);
        for node in nodes {
            if selected.len() < QUERIED_SERVERS && !selected.contains(&node) {
                selected.push(node);
            }
        }
        let ask = |node| ask(Arc::clone(&self.connector), node);
        let answers = quorum_query(selected, ask, self.connector.timeout, ANSWER_GRACE).await?;
        let best = answers.into_iter().max_by_key(|answer| (answer.is_ok, answer.epoch));
        let best = best.ok_or_else(|| unexpected("no server of the cluster answered"))?;
        Ok(Arc::new(best.map))
    }
}

fn owner_of(key: &[u8], map: &SlotMap) -> RedisResult<Node> {
    map.owner(slot_of(key))
        .cloned()
        .ok_or_else(|| (ErrorKind::Client, "no server of the cluster has the key's slot").into())
}

async fn ask(connector: Arc<Connector>, node: Node) -> RedisResult<ClusterReport> {
    let mut commands = pipe();
    commands.cmd("CLUSTER").arg("SLOTS");
    commands.cmd("CLUSTER").arg("INFO");
    let mut responses = connector.query(&node, commands).await?.into_iter();
    let mut next = || responses.next().unwrap_or_else(|| Err(unexpected("a response is missing")));
    let map = SlotMap::parse(next()?, &node)?;
    if map.is_empty() {
        return Err((ErrorKind::Client, "a server of the cluster has no slot map").into());
    }
    let info: String = from_redis_value(next()?)?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    Ok(ClusterReport {
        is_ok: field("cluster_state:").is_some_and(|state| state.trim_end() == "ok"),
        epoch: field("cluster_current_epoch:")
            .and_then(|epoch| epoch.trim_end().parse().ok())
            .unwrap_or(0),
        map,
    })
}

const SLOTS: u16 = 16_384;
const UNASSIGNED: u16 = u16::MAX;

/// Which primary has which slot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SlotMap {
    primaries: Vec<Node>,
    /// For each slot the index in `primaries`.
    owners: Vec<u16>,
}

impl SlotMap {
    /// Parses the response of `asked` to `CLUSTER SLOTS`: ranges, each with its primary and its
    /// replicas.
    fn parse(answer: Value, asked: &Node) -> RedisResult<Self> {
        let ranges: Vec<Vec<Value>> = from_redis_value(answer)?;
        let mut map = Self { primaries: Vec::new(), owners: vec![UNASSIGNED; usize::from(SLOTS)] };
        for range in ranges {
            let mut parts = range.into_iter();
            let (Some(first), Some(last), Some(primary)) =
                (parts.next(), parts.next(), parts.next())
            else {
                return Err(unexpected("an incomplete range in CLUSTER SLOTS"));
            };
            let (first, last): (u16, u16) = (from_redis_value(first)?, from_redis_value(last)?);
            let Some(primary) = endpoint(primary, asked)? else { continue };
            for slot in first..=last.min(SLOTS - 1) {
                map.assign(slot, &primary);
            }
        }
        Ok(map)
    }

    fn assign(&mut self, slot: u16, primary: &Node) {
        let index = self.primaries.iter().position(|node| node == primary).unwrap_or_else(|| {
            self.primaries.push(primary.clone());
            self.primaries.len() - 1
        });
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = u16::try_from(index).unwrap_or(UNASSIGNED);
        }
    }

    /// The same map, except that `slot` belongs to `primary`.
    fn with(&self, slot: u16, primary: &Node) -> Self {
        let mut map = self.clone();
        map.assign(slot, primary);
        map
    }

    fn owner(&self, slot: u16) -> Option<&Node> {
        let index = self.owners.get(usize::from(slot))?;
        self.primaries.get(usize::from(*index))
    }

    fn primaries(&self) -> &[Node] {
        &self.primaries
    }

    fn is_empty(&self) -> bool {
        self.primaries.is_empty()
    }
}

/// Parses `host, port, id, …`. An unknown host is that of the server that was asked.
fn endpoint(value: Value, asked: &Node) -> RedisResult<Option<Node>> {
    let mut parts = from_redis_value::<Vec<Value>>(value)?.into_iter();
    let (Some(host), Some(port)) = (parts.next(), parts.next()) else {
        return Err(unexpected("an incomplete server in CLUSTER SLOTS"));
    };
    let host: Option<String> = from_redis_value(host)?;
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.host().to_owned());
    let port = from_redis_value(port)?;
    Ok((host != "?").then(|| Node::new(host, port)))
}

/// Parses the `HOST:PORT` of a `MOVED` or `ASK` that `asked` responded with.
fn redirect_target(text: &str, asked: &Node) -> Option<Node> {
    let (host, port) = text.rsplit_once(':')?;
    let host = if host.is_empty() { asked.host() } else { host };
    (host != "?").then(|| port.parse().ok())?.map(|port| Node::new(host, port))
}

/// The slot of a key: the CRC16/XMODEM of its hash tag, or else of the whole key. The hash tag is
/// the text between the first `{` and the next `}`, unless empty.
fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    let mut crc: u16 = 0;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let server = Value::Array(vec![host, Value::Int(port), text("an id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), server])
    }

    /// As `CLUSTER KEYSLOT` of Redis 7.0 responds.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let cases: [(&[u8], u16); 7] = [
            (b"", 0),
            (b"foo", 12182),
            (b"regrant:u:alice", 2340),
            (b"{user1000}.following", 3443),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
        ];
        for (key, slot) in cases {
            assert_eq!(slot_of(key), slot, "{key:?}");
        }
    }

    #[test]
    fn cluster_slots_is_parsed() {
        let asked = Node::new("10.0.0.9", 7);
        let answer = Value::Array(vec![
            range(0, 5, text("10.0.0.1"), 1),
            range(6, 9, Value::Nil, 2),
            range(10, 11, text(""), 3),
            range(12, 12, text("?"), 4),
            range(13, 16_383, text("10.0.0.1"), 1),
        ]);
        let map = SlotMap::parse(answer, &asked).unwrap();
        assert_eq!(map.owner(5), Some(&Node::new("10.0.0.1", 1)));
        assert_eq!(map.owner(6), Some(&Node::new("10.0.0.9", 2)));
        assert_eq!(map.owner(10), Some(&Node::new("10.0.0.9", 3)));
        assert_eq!(map.owner(12), None);
        assert_eq!(map.owner(16_383), Some(&Node::new("10.0.0.1", 1)));
        assert_eq!(map.primaries().len(), 3);
        let moved = map.with(5, &Node::new("new", 5));
        assert_eq!(moved.owner(5), Some(&Node::new("new", 5)));
        assert_eq!(moved.owner(4), map.owner(4));
        assert!(SlotMap::parse(Value::Array(vec![Value::Array(vec![])]), &asked).is_err());
    }

    #[test]
    fn redirections_are_parsed() {
        let asked = Node::new("h", 1);
        assert_eq!(redirect_target("10.0.0.1:7", &asked), Some(Node::new("10.0.0.1", 7)));
        assert_eq!(redirect_target("::1:7", &asked), Some(Node::new("::1", 7)));
        assert_eq!(redirect_target(":7", &asked), Some(Node::new("h", 7)));
        assert_eq!(redirect_target("?:7", &asked), None);
        assert_eq!(redirect_target("nonsense", &asked), None);
    }
}
