//! Listens to each Sentinel, so that a new master is known as soon as one of them knows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use redis::RedisResult;
use redis::aio::PubSub;
use tokio::select;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::sentinel::Sentinel;
use crate::store::redis::address::Node;
use crate::store::redis::backoff::{Backoff, jitter};
use crate::store::redis::connector::{no_answer, unexpected};

/// `NAME OLD-IP OLD-PORT NEW-IP NEW-PORT`: everybody has heard of the new master.
const SWITCHED: &str = "+switch-master";
/// `slave NAME IP PORT @ NAME MASTER-IP MASTER-PORT`: it is the master from now on. Only the
/// Sentinel that leads the failover says so, seconds before the other.
const PROMOTED: &str = "+promoted-slave";

/// In the same words: it is going to be.
const SELECTED: &str = "+selected-slave";

/// So often a Sentinel is asked whether it is there.
const PULSE: Duration = Duration::from_secs(1);
/// So often all are asked even if nothing was heard.
const ROUND: Duration = Duration::from_secs(10);

/// So many times as long as for a server is waited before the next attempt: there are others.
const PATIENCE: u32 = 5;

/// One task for each Sentinel. They end when this is dropped.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<Node, JoinHandle<()>>>);

impl Watchers {
    /// Listens to those that are not listened to yet.
    pub(super) fn watch(&self, sentinel: &Arc<Sentinel>, nodes: &[Node]) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that ended did so with its runtime.
        tasks.retain(|_, task| !task.is_finished());
        for node in nodes {
            tasks
                .entry(node.clone())
                .or_insert_with(|| tokio::spawn(listen_on(Arc::downgrade(sentinel), node.clone())));
        }
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        let tasks = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.values() {
            task.abort();
        }
    }
}

async fn listen_on(sentinel: Weak<Sentinel>, node: Node) {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let Err(error) = listen(&sentinel, &node, &mut backoff).await else { return };
        // That it is away may pass; that it refuses needs an operator.
        if error.is_io_error() || told {
            tracing::debug!(target: "regrant::store", %node, %error, "a Sentinel is not listened to");
        } else {
            tracing::warn!(target: "regrant::store", %node, %error, "a Sentinel does not let itself be listened to: without it a new master is noticed later");
            told = true;
        }
        sleep(backoff.next() * PATIENCE).await;
    }
}

/// Until the connection is lost, or the store is dropped.
async fn listen(sentinel: &Weak<Sentinel>, node: &Node, backoff: &mut Backoff) -> RedisResult<()> {
    let Some(strong) = sentinel.upgrade() else { return Ok(()) };
    let patience = strong.connector().timeout;
    let mut listening: PubSub = strong.connector().listen(node).await?;
    let subscribing = listening.subscribe(&[SWITCHED, PROMOTED, SELECTED]);
    timeout(patience, subscribing).await.unwrap_or_else(|_| Err(no_answer()))?;
    backoff.reset();
    // What was announced while nobody listened.
    let _ = strong.look(Duration::ZERO).await;
    drop(strong);
    let (mut ask, mut news) = listening.split();
    loop {
        let message = select! {
            message = news.next() => Some(message.ok_or_else(|| unexpected("the Sentinel left"))?),
            () = sleep(PULSE) => None,
        };
        let Some(sentinel) = sentinel.upgrade() else { return Ok(()) };
        match message {
            Some(message) => {
                let text: String = message.get_payload()?;
                let channel = message.get_channel_name();
                match switch(sentinel.name(), channel, &text) {
                    Some((old, new)) if channel == SELECTED => sentinel.chosen(old, new),
                    Some((old, new)) => sentinel.moved(node, &old, new).await,
                    None => {}
                }
            }
            None => {
                let pulse = ask.ping::<redis::Value>();
                timeout(patience, pulse).await.unwrap_or_else(|_| Err(no_answer()))?;
                let _ = sentinel.look(ROUND + jitter(ROUND)).await;
            }
        }
    }
}

/// The old and the new master that an announcement is about.
fn switch(name: &str, channel: &str, text: &str) -> Option<(Node, Node)> {
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
    fn announcements_are_understood() {
        let pair = Some((Node::new("10.0.0.1", 1), Node::new("10.0.0.2", 2)));
        let switched = "m 10.0.0.1 1 10.0.0.2 2";
        assert_eq!(switch("m", SWITCHED, switched), pair);
        assert_eq!(switch("other", SWITCHED, switched), None);
        let confirmed_at = "slave 10.0.0.2:2 10.0.0.2 2 @ m 10.0.0.1 1";
        assert_eq!(switch("m", PROMOTED, confirmed_at), pair);
        assert_eq!(switch("m", SELECTED, confirmed_at), pair);
        assert_eq!(switch("other", PROMOTED, confirmed_at), None);
        for nonsense in ["", "m", "m 10.0.0.1 x 10.0.0.2 2", "m 10.0.0.1 1 10.0.0.2 2 3"] {
            assert_eq!(switch("m", SWITCHED, nonsense), None, "{nonsense}");
            assert_eq!(switch("m", PROMOTED, nonsense), None, "{nonsense}");
        }
    }
}
