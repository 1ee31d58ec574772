//! The primary that the Sentinels name.
//!
//! All Sentinels are asked and the newest configuration wins, so that a partitioned Sentinel does
//! not mislead. After a failover the old primary may consider itself a primary for many seconds,
//! and what it accepts is lost. Therefore the events of every Sentinel are subscribed to, and the
//! primary is abandoned as soon as one of them announces another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use redis::aio::PubSub;
use redis::{ErrorKind, RedisError, RedisResult, Value, cmd, from_redis_value, pipe};
use tokio::select;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::address::Node;
use super::connector::Connector;
use super::retry::{Backoff, Coalesce, is_lost, is_unsupported, timed_out, unexpected};
use super::topology::{
    ANSWER_GRACE, Advice, MIN_QUERY_INTERVAL, PrimaryStatus, Retired, Snapshot, Topology,
    quorum_query,
};
use crate::types::jitter;

/// The Sentinels poll their servers about once a second. For so long after this process saw a
/// replica become the primary, it disbelieves Sentinels that still name the old one.
const LEAD_OVER_SENTINELS: Duration = Duration::from_secs(3);

/// The flag of a primary that a Sentinel is replacing.
const FAILOVER_FLAG: &str = "failover_in_progress";

/// The grace of a query for a failover under way: only the leading Sentinel knows of it, so all of
/// them should be heard.
const STATUS_GRACE: Duration = Duration::from_millis(300);

/// The number of Sentinels that are remembered.
const MAX_SENTINELS: usize = 32;

/// Sentinels and the primary that they monitor.
pub(super) struct SentinelTopology {
    /// The name that the Sentinels have for the primary.
    name: String,
    connector: Connector,
    /// For the data servers.
    data: Arc<Connector>,
    sentinels: Mutex<Vec<Node>>,
    known: Mutex<Known>,
    primary: Arc<Snapshot<Node>>,
    status: Coalesce<(Node, bool)>,
    subscriptions: Subscriptions,
}

/// What this process has learned about failovers.
#[derive(Default)]
struct Known {
    /// The newest configuration epoch.
    epoch: u64,
    /// How many switches were announced.
    switches: u64,
    /// Until when this process knows better than the Sentinels.
    ahead_until: Option<Instant>,
}

/// The answer of one Sentinel.
struct SentinelReport {
    primary: Node,
    epoch: u64,
    /// The Sentinel leads a failover that is about to replace this primary.
    failing_over: bool,
    other_sentinels: Vec<Node>,
}

#[async_trait]
impl Topology for Arc<SentinelTopology> {
    fn name(&self) -> &'static str {
        "sentinel"
    }

    fn has_replicas(&self) -> bool {
        true
    }

    fn admits_replicas(&self) -> bool {
        false
    }

    fn known_primary(&self, _: &[u8]) -> Option<Node> {
        self.primary.current()
    }

    async fn primary(&self, _: &[u8]) -> RedisResult<Node> {
        self.primary.get(|| Arc::clone(self).find_primary()).await
    }

    async fn primaries(&self) -> RedisResult<Vec<Node>> {
        Ok(vec![self.primary(&[]).await?])
    }

    async fn status(&self, _: &[u8], node: &Node) -> RedisResult<PrimaryStatus> {
        let query = async {
            let found = Arc::clone(self).find(STATUS_GRACE).await?;
            self.primary.set_fetched(found.0.clone());
            Ok(found)
        };
        let (primary, failing_over) = self.status.run(query).await?;
        Ok(match primary == *node {
            false => PrimaryStatus::Replaced,
            true if failing_over => PrimaryStatus::FailingOver,
            true => PrimaryStatus::Current,
        })
    }

    fn retired(&self, node: &Node) -> Retired {
        let node = node.clone();
        self.primary.wait_until(move |primary| *primary != node)
    }

    async fn advise(&self, node: &Node, _: &[u8], error: &RedisError) -> Advice {
        if self.primary.current().is_some_and(|primary| primary != *node) {
            return Advice::Retry;
        }
        match self.poll(MIN_QUERY_INTERVAL).await {
            Ok(primary) if primary != *node => Advice::Retry,
            _ if is_lost(error) || error.is_timeout() => Advice::GiveUp,
            // It was demoted and the Sentinels do not know yet, or it is not ready yet.
            _ => Advice::RetryLater,
        }
    }
}

impl SentinelTopology {
    pub(super) fn new(
        sentinels: Vec<Node>,
        name: String,
        connector: Connector,
        data: Arc<Connector>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            connector,
            data,
            sentinels: Mutex::new(sentinels),
            known: Mutex::default(),
            primary: Snapshot::new(),
            status: Coalesce::default(),
            subscriptions: Subscriptions::default(),
        })
    }

    /// Asks the Sentinels unless they were asked within `age`.
    async fn poll(self: &Arc<Self>, age: Duration) -> RedisResult<Node> {
        self.primary.no_older_than(age, || Arc::clone(self).find_primary()).await
    }

    async fn find_primary(self: Arc<Self>) -> RedisResult<Node> {
        Ok(self.find(ANSWER_GRACE).await?.0)
    }

    /// The primary, and whether a failover is under way, by the Sentinels that answer within
    /// `grace` of the first.
    async fn find(self: Arc<Self>, grace: Duration) -> RedisResult<(Node, bool)> {
        let sentinels = self.sentinels().clone();
        let switches = self.known().switches;
        // Subscribe before asking, so that no event in between is missed.
        self.subscriptions.ensure(&self, &sentinels);
        let ask = |node| Arc::clone(&self).ask(node);
        let answers = quorum_query(sentinels.clone(), ask, self.connector.timeout, grace).await?;
        let failing_over = answers.iter().any(|answer| answer.failing_over);
        self.remember_sentinels(&answers);
        let majority = answers.len() * 2 > sentinels.len();
        let newest = answers.into_iter().max_by_key(|answer| answer.epoch);
        let newest = newest.ok_or_else(|| unexpected("no Sentinel answered"))?;
        let mut known = self.known();
        if let Some(current) = self.primary.current() {
            let overtaken = known.switches != switches;
            let ahead = newest.epoch <= known.epoch
                && known.ahead_until.is_some_and(|until| Instant::now() < until);
            if overtaken || ahead {
                return Ok((current, false));
            }
            // Only Sentinels that missed the last failover have answered. (A majority with an
            // older epoch means that the Sentinels were set up again.)
            if newest.epoch < known.epoch && !majority {
                return Ok((current, failing_over));
            }
        }
        known.epoch = newest.epoch;
        Ok((newest.primary, failing_over))
    }

    async fn ask(self: Arc<Self>, node: Node) -> RedisResult<SentinelReport> {
        let mut commands = pipe();
        // The address is taken from the first: during a failover it is ahead of the second.
        commands.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        commands.cmd("SENTINEL").arg("MASTER").arg(&self.name);
        commands.cmd("SENTINEL").arg("SENTINELS").arg(&self.name);
        let mut responses = self.connector.query(&node, commands).await?.into_iter();
        let mut next =
            || responses.next().unwrap_or_else(|| Err(unexpected("a response is missing")));
        let address: Option<(String, u16)> = from_redis_value(next()?)?;
        let (host, port) = address.ok_or_else(unknown_name)?;
        let status: HashMap<String, String> = from_redis_value(next()?)?;
        // An access list may hide the other Sentinels.
        let others: Vec<HashMap<String, String>> =
            next().ok().map(from_redis_value).transpose()?.unwrap_or_default();
        let primary = Node::new(host, port);
        // After the switch only the first response names the new primary, and the flag remains.
        let undecided = node_of(&status).is_some_and(|listed| listed == primary);
        let flags = status.get("flags").map_or("", String::as_str);
        Ok(SentinelReport {
            primary,
            epoch: status.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
            failing_over: undecided && flags.split(',').any(|flag| flag == FAILOVER_FLAG),
            other_sentinels: others.iter().filter_map(node_of).collect(),
        })
    }

    fn remember_sentinels(self: &Arc<Self>, answers: &[SentinelReport]) {
        let mut sentinels = self.sentinels();
        for other in answers.iter().flat_map(|answer| &answer.other_sentinels) {
            if sentinels.len() < MAX_SENTINELS && !sentinels.contains(other) {
                sentinels.push(other.clone());
            }
        }
        self.subscriptions.ensure(self, &sentinels);
    }

    /// A Sentinel selected `new` to replace `old`, which does not know. `new` is used as soon as
    /// it reports to be the primary: what `old` accepts from then on is lost, and the Sentinels
    /// learn of the promotion only with their next poll.
    fn on_selected(self: &Arc<Self>, old: Node, new: Node) {
        let sentinel = Arc::downgrade(self);
        let data = Arc::clone(&self.data);
        tokio::spawn(async move {
            if !is_promoted(&data, &new).await {
                return;
            }
            let Some(sentinel) = sentinel.upgrade() else { return };
            sentinel.known().ahead_until = Some(Instant::now() + LEAD_OVER_SENTINELS);
            sentinel.switch(&old, new);
        });
    }

    /// The Sentinel at `by` announced that `new` has replaced `old`.
    async fn on_switched(self: &Arc<Self>, by: &Node, old: &Node, new: Node) {
        self.switch(old, new);
        // The event has no epoch. With it, Sentinels that have not heard yet cannot bring the old
        // primary back.
        if let Ok(answer) = Arc::clone(self).ask(by.clone()).await {
            let mut known = self.known();
            if answer.epoch > known.epoch {
                known.epoch = answer.epoch;
                self.primary.correct(answer.primary);
            }
        }
    }

    fn switch(&self, old: &Node, new: Node) {
        if self.primary.current().is_none_or(|current| current == *old) {
            tracing::info!(target: "regrant::store", %old, %new, "Redis failover: the primary has changed");
            self.known().switches += 1;
            self.primary.correct(new);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sentinels(&self) -> MutexGuard<'_, Vec<Node>> {
        self.sentinels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown_name() -> RedisError {
    (ErrorKind::MasterNameNotFoundBySentinel, "the Sentinels know no primary of this name").into()
}

fn node_of(fields: &HashMap<String, String>) -> Option<Node> {
    Some(Node::new(fields.get("ip")?, fields.get("port")?.parse().ok()?))
}

/// How often a selected replica is asked for its role.
const ROLE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long to wait before connecting to it again.
const ROLE_RECONNECT_DELAY: Duration = Duration::from_millis(100);
/// How long a promotion is waited for. Sentinels abandon a failover after some time.
const PROMOTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Polls a replica until it reports to be the primary; returns whether it did.
async fn is_promoted(connector: &Connector, node: &Node) -> bool {
    let deadline = Instant::now() + PROMOTION_TIMEOUT;
    while Instant::now() < deadline {
        match poll_role(connector, node, deadline).await {
            Ok(is_primary) => return is_primary,
            Err(error) if is_unsupported(&error) => {
                tracing::debug!(target: "regrant::store", %node, %error, "ROLE is not available; a promotion of this replica is noticed later");
                return false;
            }
            Err(_) => sleep(ROLE_RECONNECT_DELAY).await,
        }
    }
    false
}

async fn poll_role(connector: &Connector, node: &Node, deadline: Instant) -> RedisResult<bool> {
    let (mut connection, driver) = connector.open(node).await?;
    let polling = async {
        while Instant::now() < deadline {
            let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
            let role = role.into_iter().next().ok_or_else(|| unexpected("an empty role"))?;
            if from_redis_value::<String>(role)? == "master" {
                return Ok(true);
            }
            sleep(ROLE_POLL_INTERVAL).await;
        }
        Ok(false)
    };
    select! {
        outcome = polling => outcome,
        () = driver => Err(timed_out()),
    }
}

/// `NAME OLD-IP OLD-PORT NEW-IP NEW-PORT`: every Sentinel sends it when it learns of the switch.
const SWITCHED: &str = "+switch-master";
/// `slave NAME IP PORT @ NAME MASTER-IP MASTER-PORT`: the replica is the primary from now on. Only
/// the Sentinel that leads the failover sends it, seconds before the other event.
const PROMOTED: &str = "+promoted-slave";
/// In the same format: the replica is going to be promoted.
const SELECTED: &str = "+selected-slave";

/// How often an idle subscription is checked with `PING`.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// How often the Sentinels are polled even if no event arrives.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Subscriptions are retried this many times more slowly than connections to data servers: there
/// are other Sentinels.
const RESUBSCRIBE_FACTOR: u32 = 5;

/// The subscriptions to the events of the Sentinels: one task for each, aborted on drop.
#[derive(Default)]
struct Subscriptions(Mutex<HashMap<Node, JoinHandle<()>>>);

impl Subscriptions {
    /// Subscribes to those Sentinels that are not subscribed to yet.
    fn ensure(&self, topology: &Arc<SentinelTopology>, sentinels: &[Node]) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A task finishes only when its runtime is shut down.
        tasks.retain(|_, task| !task.is_finished());
        for node in sentinels {
            tasks
                .entry(node.clone())
                .or_insert_with(|| tokio::spawn(follow(Arc::downgrade(topology), node.clone())));
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        let tasks = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.values() {
            task.abort();
        }
    }
}

/// Keeps a subscription to one Sentinel until the store is dropped.
async fn follow(topology: Weak<SentinelTopology>, node: Node) {
    let mut backoff = Backoff::default();
    let mut warned = false;
    loop {
        let Err(error) = subscribe(&topology, &node, &mut backoff).await else { return };
        // An unreachable Sentinel may come back; one that refuses needs an operator.
        if error.is_io_error() || warned {
            tracing::debug!(target: "regrant::store", %node, %error, "the subscription to a Sentinel failed");
        } else {
            tracing::warn!(target: "regrant::store", %node, %error, "cannot subscribe to Sentinel events; failovers are detected by polling");
            warned = true;
        }
        sleep(backoff.next() * RESUBSCRIBE_FACTOR).await;
    }
}

/// Handles the events of one Sentinel until the connection is lost or the store is dropped.
async fn subscribe(
    topology: &Weak<SentinelTopology>,
    node: &Node,
    backoff: &mut Backoff,
) -> RedisResult<()> {
    let Some(strong) = topology.upgrade() else { return Ok(()) };
    let patience = strong.connector.timeout;
    let mut connection: PubSub = strong.connector.subscribe(node).await?;
    let subscribing = connection.subscribe(&[SWITCHED, PROMOTED, SELECTED]);
    timeout(patience, subscribing).await.unwrap_or_else(|_| Err(timed_out()))?;
    backoff.reset();
    // Events may have been missed before the subscription.
    let _ = strong.poll(Duration::ZERO).await;
    drop(strong);
    let (mut sink, mut events) = connection.split();
    loop {
        let event = select! {
            event = events.next() => {
                Some(event.ok_or_else(|| unexpected("the Sentinel closed the connection"))?)
            }
            () = sleep(PING_INTERVAL) => None,
        };
        let Some(topology) = topology.upgrade() else { return Ok(()) };
        match event {
            Some(event) => {
                let text: String = event.get_payload()?;
                let channel = event.get_channel_name();
                match parse_event(&topology.name, channel, &text) {
                    Some((old, new)) if channel == SELECTED => topology.on_selected(old, new),
                    Some((old, new)) => topology.on_switched(node, &old, new).await,
                    None => {}
                }
            }
            None => {
                let ping = sink.ping::<Value>();
                timeout(patience, ping).await.unwrap_or_else(|_| Err(timed_out()))?;
                let _ = topology.poll(POLL_INTERVAL + jitter(POLL_INTERVAL)).await;
            }
        }
    }
}

/// The old and the new primary of an event about the primary called `name`.
fn parse_event(name: &str, channel: &str, text: &str) -> Option<(Node, Node)> {
    let words: Vec<&str> = text.split(' ').collect();
    let node = |host: &str, port: &str| Some(Node::new(host, port.parse().ok()?));
    match (channel, words.as_slice()) {
        (SWITCHED, [of, old, old_port, new, new_port]) if *of == name => {
            Some((node(old, old_port)?, node(new, new_port)?))
        }
        (PROMOTED | SELECTED, [_, _, new, new_port, "@", of, old, old_port]) if *of == name => {
            Some((node(old, old_port)?, node(new, new_port)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinel_events_are_parsed() {
        let pair = Some((Node::new("10.0.0.1", 1), Node::new("10.0.0.2", 2)));
        let switched = "m 10.0.0.1 1 10.0.0.2 2";
        assert_eq!(parse_event("m", SWITCHED, switched), pair);
        assert_eq!(parse_event("other", SWITCHED, switched), None);
        let promoted = "slave 10.0.0.2:2 10.0.0.2 2 @ m 10.0.0.1 1";
        assert_eq!(parse_event("m", PROMOTED, promoted), pair);
        assert_eq!(parse_event("m", SELECTED, promoted), pair);
        assert_eq!(parse_event("other", PROMOTED, promoted), None);
        for malformed in ["", "m", "m 10.0.0.1 x 10.0.0.2 2", "m 10.0.0.1 1 10.0.0.2 2 3"] {
            assert_eq!(parse_event("m", SWITCHED, malformed), None, "{malformed}");
            assert_eq!(parse_event("m", PROMOTED, malformed), None, "{malformed}");
        }
    }
}
