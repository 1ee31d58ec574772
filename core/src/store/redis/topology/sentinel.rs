//! The master that the Sentinels name.
//!
//! All of them are asked, and the one with the newest configuration is believed, so that one that
//! was cut off does not lead astray. After a failover the old master may go on calling itself one
//! for many seconds, and what it takes is lost; so each Sentinel is also listened to, and the
//! master is left as soon as one of them says that there is another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult, Value, from_redis_value, pipe};
use tokio::time::Instant;

use super::canvass::{GRACE, canvass};
use super::view::View;
use super::watcher::Watchers;
use super::{Advice, Left, NOT_AGAIN_WITHIN, promotion};
use crate::store::redis::address::Node;
use crate::store::redis::connector::{Connector, unexpected};
use crate::store::redis::link::is_lost;
use crate::store::redis::round::Round;

/// Who saw a replica become the master believes nobody for so long who has not heard of it yet:
/// the Sentinels ask it about once a second.
const AHEAD_FOR: Duration = Duration::from_secs(3);

/// Among the flags of a master while a Sentinel has it replaced.
const FAILING_OVER: &str = "failover_in_progress";

/// Of those who are asked whether a failover is under way one knows, so all are to be heard.
const HEARD_WITHIN: Duration = Duration::from_millis(300);

/// No more are remembered.
const MOST_SENTINELS: usize = 32;

/// Sentinels and the master that they watch over.
pub(super) struct Sentinel {
    /// The name that the Sentinels have for it.
    master: String,
    connector: Connector,
    /// For the servers that they watch over.
    data: Arc<Connector>,
    sentinels: Mutex<Vec<Node>>,
    /// The newest configuration that was heard of, and how many switches were announced.
    heard: Mutex<Heard>,
    view: Arc<View<Node>>,
    looks: Round<(Node, bool)>,
    watchers: Watchers,
}

#[derive(Default)]
struct Heard {
    epoch: u64,
    switches: u64,
    /// Until when this process knows better than the Sentinels.
    ahead_until: Option<Instant>,
}

/// What one Sentinel says.
struct Answer {
    master: Node,
    epoch: u64,
    /// It leads a failover in which that master is about to be replaced.
    failing_over: bool,
    others: Vec<Node>,
}

impl Sentinel {
    pub(super) fn new(
        sentinels: Vec<Node>,
        master: String,
        connector: Connector,
        data: Arc<Connector>,
    ) -> Arc<Self> {
        Arc::new(Self {
            master,
            connector,
            data,
            sentinels: Mutex::new(sentinels),
            heard: Mutex::default(),
            view: Arc::new(View::new()),
            looks: Round::default(),
            watchers: Watchers::default(),
        })
    }

    pub(super) fn known_master(&self) -> Option<Node> {
        self.view.current()
    }

    pub(super) async fn master(self: &Arc<Self>) -> RedisResult<Node> {
        self.view.get(|| Arc::clone(self).find_master()).await
    }

    /// Asks them unless they were asked a moment ago.
    pub(super) async fn look(self: &Arc<Self>, age: Duration) -> RedisResult<Node> {
        self.view.no_older_than(age, || Arc::clone(self).find_master()).await
    }

    /// The master, and whether it is about to be replaced, or has been already: asks from now on.
    pub(super) async fn standing(self: &Arc<Self>) -> RedisResult<(Node, bool)> {
        let looking = async {
            let found = Arc::clone(self).find(HEARD_WITHIN).await?;
            self.view.believe(found.0.clone());
            Ok(found)
        };
        self.looks.next(looking).await
    }

    pub(super) fn left(&self, node: &Node) -> Left {
        let node = node.clone();
        self.view.when(move |master| *master != node)
    }

    pub(super) async fn advise(self: &Arc<Self>, node: &Node, error: &RedisError) -> Advice {
        if self.view.current().is_some_and(|master| master != *node) {
            return Advice::Again;
        }
        match self.look(NOT_AGAIN_WITHIN).await {
            Ok(master) if master != *node => Advice::Again,
            _ if is_lost(error) || error.is_timeout() => Advice::GiveUp,
            // It was demoted and the Sentinels do not know yet, or it is not ready yet.
            _ => Advice::Later,
        }
    }

    /// A Sentinel announced that `new` is going to take the place of `old`, which goes on without
    /// knowing. `new` is followed as soon as it says that it is the master: what `old` takes from
    /// then on is lost, and the Sentinels learn of it only when they ask next.
    pub(super) fn chosen(self: &Arc<Self>, old: Node, new: Node) {
        let sentinel = Arc::downgrade(self);
        let data = Arc::clone(&self.data);
        tokio::spawn(async move {
            if !promotion::awaited(&data, &new).await {
                return;
            }
            let Some(sentinel) = sentinel.upgrade() else { return };
            sentinel.heard().ahead_until = Some(Instant::now() + AHEAD_FOR);
            sentinel.switch(&old, new);
        });
    }

    fn switch(&self, old: &Node, new: Node) {
        if self.view.current().is_none_or(|current| current == *old) {
            tracing::info!(target: "regrant::store", %old, %new, "there is another Redis master");
            self.heard().switches += 1;
            self.view.replace(new);
        }
    }

    /// The Sentinel at `by` announced that `old` is the master no more.
    pub(super) async fn moved(self: &Arc<Self>, by: &Node, old: &Node, new: Node) {
        self.switch(old, new);
        // The announcement does not say how new it is. Known, it keeps the old master from being
        // believed again because of those who have not heard yet.
        if let Ok(answer) = Arc::clone(self).ask(by.clone()).await {
            let mut heard = self.heard();
            if answer.epoch > heard.epoch {
                heard.epoch = answer.epoch;
                self.view.replace(answer.master);
            }
        }
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(super) fn name(&self) -> &str {
        &self.master
    }

    async fn find_master(self: Arc<Self>) -> RedisResult<Node> {
        Ok(self.find(GRACE).await?.0)
    }

    /// The master, and whether a failover is under way. Those are heard who answer within `grace`
    /// of the first.
    async fn find(self: Arc<Self>, grace: Duration) -> RedisResult<(Node, bool)> {
        let known = self.known().clone();
        let switches = self.heard().switches;
        // Before they are asked, so that what happens in between is not missed.
        self.watchers.watch(&self, &known);
        let ask = |node| Arc::clone(&self).ask(node);
        let answers = canvass(known.clone(), ask, (self.connector.timeout, grace)).await?;
        let failing_over = answers.iter().any(|answer| answer.failing_over);
        self.learn(&answers);
        let most_answered = answers.len() * 2 > known.len();
        let newest = answers.into_iter().max_by_key(|answer| answer.epoch);
        let newest = newest.ok_or_else(|| unexpected("no Sentinel answered"))?;
        let mut heard = self.heard();
        if let Some(current) = self.view.current() {
            let overtaken = heard.switches != switches;
            // Only those answered who have missed the last failover. (Where most say so, the
            // Sentinels were set up anew.)
            let behind = newest.epoch < heard.epoch && !most_answered;
            let ahead = newest.epoch <= heard.epoch
                && heard.ahead_until.is_some_and(|until| Instant::now() < until);
            if overtaken || ahead {
                return Ok((current, false));
            }
            if behind {
                return Ok((current, failing_over));
            }
        }
        heard.epoch = newest.epoch;
        Ok((newest.master, failing_over))
    }

    async fn ask(self: Arc<Self>, node: Node) -> RedisResult<Answer> {
        let (mut connection, driver) = self.connector.open(&node).await?;
        let mut questions = pipe();
        // The address comes from the first: during a failover it is ahead of the second.
        questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        questions.cmd("SENTINEL").arg("MASTER").arg(&self.master);
        questions.cmd("SENTINEL").arg("SENTINELS").arg(&self.master);
        questions.ignore_errors();
        let answers: Vec<RedisResult<Value>> = tokio::select! {
            answers = questions.query_async(&mut connection) => answers?,
            () = driver => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        };
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(unexpected("an answer is missing")));
        let master: Option<(String, u16)> = from_redis_value(next()?)?;
        let (host, port) = master.ok_or_else(unknown_name)?;
        let status: HashMap<String, String> = from_redis_value(next()?)?;
        // An access list may leave out who the others are.
        let others: Vec<HashMap<String, String>> =
            next().ok().map(from_redis_value).transpose()?.unwrap_or_default();
        let master = Node::new(host, port);
        // Once the new one is the master, only the first answer says so, and the flag stays.
        let undecided = node_of(&status).is_some_and(|listed| listed == master);
        Ok(Answer {
            master,
            epoch: status.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
            failing_over: undecided
                && status
                    .get("flags")
                    .is_some_and(|flags| flags.split(',').any(|flag| flag == FAILING_OVER)),
            others: others.iter().filter_map(node_of).collect(),
        })
    }

    fn learn(self: &Arc<Self>, answers: &[Answer]) {
        let mut known = self.known();
        for other in answers.iter().flat_map(|answer| &answer.others) {
            if known.len() < MOST_SENTINELS && !known.contains(other) {
                known.push(other.clone());
            }
        }
        self.watchers.watch(self, &known);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Node>> {
        self.sentinels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown_name() -> RedisError {
    (ErrorKind::MasterNameNotFoundBySentinel, "the Sentinels know no master of this name").into()
}

fn node_of(fields: &HashMap<String, String>) -> Option<Node> {
    Some(Node::new(fields.get("ip")?, fields.get("port")?.parse().ok()?))
}
