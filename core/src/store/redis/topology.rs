//! Which server answers for a key.
//!
//! [`Topology`] is what connections ask. It has three implementations: [`Standalone`] (the server behind
//! one address, which a proxy or DNS may replace), Sentinel (the primary that the Sentinels name) and cluster
//! (the primary of the key's slot). The last two share [`Snapshot`] and [`quorum_query`].

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::address::Node;
use super::retry::{SingleFlight, is_lost, timed_out};

/// The servers behind an address, and which of them is the primary for a key.
#[async_trait]
pub(super) trait Topology: Send + Sync {
    /// `standalone`, `sentinel` or `cluster`.
    fn name(&self) -> &'static str;

    /// Whether primaries are expected to have replicas.
    fn has_replicas(&self) -> bool;

    /// Whether a server that reports to be a replica may be connected to.
    fn admits_replicas(&self) -> bool;

    /// The primary for `key`, if it is known without I/O.
    fn known_primary(&self, key: &[u8]) -> Option<Node>;

    /// The primary for `key`.
    async fn primary(&self, key: &[u8]) -> RedisResult<Node>;

    /// All primaries.
    async fn primaries(&self) -> RedisResult<Vec<Node>>;

    /// Whether `node` is still the primary for `key`, by answers to questions asked after this
    /// call.
    async fn status(&self, key: &[u8], node: &Node) -> RedisResult<PrimaryStatus>;

    /// Completes when `node` must not be used any more.
    fn retired(&self, node: &Node) -> Retired;

    /// What to do about a transient error of `node` in response to a request for `key`.
    async fn advise(&self, node: &Node, key: &[u8], error: &RedisError) -> Advice;
}

/// Where to send a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) node: Node,
    /// Whether to send `ASKING` first, because the slot is being migrated to that server.
    pub(super) asking: bool,
}

/// Whether a server is the primary for a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PrimaryStatus {
    Current,
    /// It is, and a failover is replacing it.
    FailingOver,
    /// Another server is.
    Replaced,
}

/// What to do about a failed request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    GiveUp,
    /// Retry at once, on the present primary for the key.
    Retry,
    /// The same after [`RETRY_DELAY`](super::retry::RETRY_DELAY).
    RetryLater,
    /// The same over a new connection: the address may lead to another server now.
    Reconnect,
    Redirect(Route),
}

/// A future that completes when a server must not be used any more.
pub(super) type Retired = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One address. Behind it a proxy, a DNS name or a Kubernetes service may replace the server, so a
/// server that is not a primary, or not ready, is left and the address is connected to again.
pub(super) struct Standalone(Option<Node>);

impl Standalone {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self(nodes.into_iter().next())
    }

    fn node(&self) -> RedisResult<Node> {
        // Parsing the address has made sure that there is a host.
        self.0.clone().ok_or_else(|| (ErrorKind::InvalidClientConfig, "no host").into())
    }
}

#[async_trait]
impl Topology for Standalone {
    fn name(&self) -> &'static str {
        "standalone"
    }

    fn has_replicas(&self) -> bool {
        false
    }

    fn admits_replicas(&self) -> bool {
        false
    }

    fn known_primary(&self, _: &[u8]) -> Option<Node> {
        self.0.clone()
    }

    async fn primary(&self, _: &[u8]) -> RedisResult<Node> {
        self.node()
    }

    async fn primaries(&self) -> RedisResult<Vec<Node>> {
        Ok(vec![self.node()?])
    }

    async fn status(&self, _: &[u8], _: &Node) -> RedisResult<PrimaryStatus> {
        Ok(PrimaryStatus::Current)
    }

    fn retired(&self, _: &Node) -> Retired {
        Box::pin(std::future::pending())
    }

    async fn advise(&self, _: &Node, _: &[u8], error: &RedisError) -> Advice {
        match error.kind() {
            // A server of a cluster: the address must name the cluster.
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => Advice::GiveUp,
            // Unreachable: all requests fail at once until the server is back.
            _ if is_lost(error) || error.is_timeout() => Advice::GiveUp,
            _ => Advice::Reconnect,
        }
    }
}

/// The servers are not asked about the topology more often than this.
pub(super) const MIN_QUERY_INTERVAL: Duration = Duration::from_millis(150);

/// The last known state of the servers. It stays in use while a new one is being fetched.
pub(super) struct Snapshot<T> {
    current: watch::Sender<Option<T>>,
    fetched_at: Mutex<Option<Instant>>,
    flight: SingleFlight<T>,
}

impl<T: Clone + PartialEq + Send + Sync + 'static> Snapshot<T> {
    pub(super) fn new() -> Arc<Self> {
        let current = watch::channel(None).0;
        Arc::new(Self { current, fetched_at: Mutex::new(None), flight: SingleFlight::new() })
    }

    pub(super) fn current(&self) -> Option<T> {
        self.current.borrow().clone()
    }

    /// The current state, or the outcome of `fetch` if there is none yet.
    pub(super) async fn get<F>(self: &Arc<Self>, fetch: impl Fn() -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        match self.current() {
            Some(current) => Ok(current),
            None => self.renew(fetch).await,
        }
    }

    /// A state that is not older than `age`.
    pub(super) async fn no_older_than<F>(
        self: &Arc<Self>,
        age: Duration,
        fetch: impl Fn() -> F,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let fetched_at = *self.fetched_at.lock().unwrap_or_else(PoisonError::into_inner);
        match self.current() {
            Some(current) if fetched_at.is_some_and(|at| at.elapsed() < age) => Ok(current),
            _ => self.renew(fetch).await,
        }
    }

    /// Fetches a new state; concurrent calls share one fetch.
    pub(super) async fn renew<F>(self: &Arc<Self>, fetch: impl Fn() -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let snapshot = Arc::clone(self);
        let fetched = fetch();
        self.flight
            .run(move || async move {
                let fetched = fetched.await?;
                snapshot.set_fetched(fetched.clone());
                Ok(fetched)
            })
            .await
    }

    /// Stores a state that was fetched just now.
    pub(super) fn set_fetched(&self, state: T) {
        *self.fetched_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.correct(state);
    }

    /// Stores a state that was learned in another way than by fetching all of it.
    pub(super) fn correct(&self, state: T) {
        self.current.send_if_modified(|current| {
            let is_new = current.as_ref() != Some(&state);
            *current = Some(state);
            is_new
        });
    }

    /// Completes when `condition` holds for the current state, or when the store is dropped.
    pub(super) fn wait_until(
        &self,
        condition: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Retired {
        let mut changes = self.current.subscribe();
        Box::pin(async move {
            // An error means that the store was dropped.
            let _ = changes.wait_for(|current| current.as_ref().is_some_and(&condition)).await;
        })
    }
}

/// How long the other servers have once the first one has answered.
pub(super) const ANSWER_GRACE: Duration = Duration::from_millis(75);

/// Asks all `nodes` at once. Returns the answers that arrive within `grace` of the first, so that
/// a slow or partitioned server delays nobody and the first answer is not simply believed. At
/// least one answer, or the error of the last server that failed.
pub(super) async fn quorum_query<T, F>(
    nodes: impl IntoIterator<Item = Node>,
    ask: impl Fn(Node) -> F,
    timeout: Duration,
    grace: Duration,
) -> RedisResult<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = RedisResult<T>> + Send + 'static,
{
    let mut pending: JoinSet<RedisResult<T>> = JoinSet::new();
    for node in nodes {
        pending.spawn(ask(node));
    }
    let mut deadline = Instant::now() + timeout;
    let mut answers = Vec::new();
    let mut failure: RedisError = timed_out();
    while let Ok(Some(answer)) = timeout_at(deadline, pending.join_next()).await {
        match answer {
            Ok(Ok(answer)) => {
                if answers.is_empty() {
                    deadline = deadline.min(Instant::now() + grace);
                }
                answers.push(answer);
            }
            Ok(Err(error)) => failure = error,
            // The task was aborted because its runtime was shut down.
            Err(_) => {}
        }
    }
    if answers.is_empty() { Err(failure) } else { Ok(answers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer_of(node: Node) -> RedisResult<u16> {
        match node.port() {
            1 => std::future::pending().await,
            2 => Err(timed_out()),
            port => Ok(port),
        }
    }

    fn nodes(ports: &[u16]) -> Vec<Node> {
        ports.iter().map(|port| Node::new("h", *port)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn silent_servers_delay_a_quorum_query_by_the_grace_at_most() {
        let timeout = Duration::from_secs(60);
        let query = |ports: &[u16]| quorum_query(nodes(ports), answer_of, timeout, ANSWER_GRACE);
        let began = Instant::now();
        let mut answers = query(&[1, 7, 2, 8]).await.unwrap();
        answers.sort_unstable();
        assert_eq!(answers, [7, 8]);
        assert_eq!(began.elapsed(), ANSWER_GRACE);
        assert!(query(&[2, 2]).await.is_err());
        assert!(query(&[]).await.is_err());
        let began = Instant::now();
        assert!(query(&[1, 2]).await.is_err());
        assert_eq!(began.elapsed(), timeout);
    }
}
