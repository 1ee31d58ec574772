//! The connection to one server: made when it is needed, shared by all, and made again when it
//! was lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, Value, from_redis_value, pipe};
use tokio::select;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::address::Node;
use super::connector::{no_answer, unexpected};
use super::flight::Flight;
use super::replication::Waits;
use super::server::Server;
use super::their_time::TheirTime;
use super::topology::Topology;

/// The way to one server.
pub(super) struct Link {
    node: Node,
    topology: Arc<Topology>,
    live: Mutex<Option<Arc<Live>>>,
    flight: Flight<Arc<Live>>,
    /// Whether it was logged that the server is away.
    away: AtomicBool,
}

impl Link {
    pub(super) fn new(node: Node, topology: Arc<Topology>) -> Arc<Self> {
        Arc::new(Self {
            node,
            topology,
            live: Mutex::new(None),
            flight: Flight::new(),
            away: AtomicBool::new(false),
        })
    }

    /// The connection, where there is one.
    pub(super) fn known_live(&self) -> Option<Arc<Live>> {
        self.slot().clone()
    }

    /// The connection, which is made first where there is none.
    pub(super) async fn live(self: &Arc<Self>) -> RedisResult<Arc<Live>> {
        if let Some(live) = self.known_live() {
            return Ok(live);
        }
        let link = Arc::clone(self);
        self.flight.join(move || connect(link)).await
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more is asked over this connection.
    pub(super) fn forget(&self, live: &Live) {
        self.lost(live.number);
    }

    fn lost(&self, number: u64) {
        let lost = self.slot().take_if(|live| live.number == number);
        if let Some(live) = lost {
            self.flight.lost(live.since.elapsed());
        }
    }
}

async fn connect(link: Arc<Link>) -> RedisResult<Arc<Live>> {
    let (topology, node) = (Arc::clone(&link.topology), link.node.clone());
    let outcome = open(&topology, &node, Arc::downgrade(&link)).await;
    match &outcome {
        Ok(live) => {
            *link.slot() = Some(Arc::clone(live));
            link.away.store(false, Ordering::Relaxed);
            tracing::debug!(target: "regrant::store", %node, "connected to Redis");
        }
        Err(error) if !link.away.swap(true, Ordering::Relaxed) => {
            tracing::warn!(target: "regrant::store", %node, %error, "Redis cannot be used");
        }
        Err(error) => {
            tracing::debug!(target: "regrant::store", %node, %error, "Redis still cannot be used");
        }
    }
    outcome
}

async fn open(topology: &Arc<Topology>, node: &Node, link: Weak<Link>) -> RedisResult<Arc<Live>> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (connection, driver) = topology.connector().open(node).await?;
    let close = Arc::new(Notify::new());
    let (closed, left) = (Arc::clone(&close), topology.left(node));
    let driver = tokio::spawn(async move {
        // Whichever ends first: when this future is dropped, so is the connection, and whoever
        // waits for an answer over it learns that it is lost.
        select! {
            () = driver => {}
            () = left => {}
            () = closed.notified() => {}
        }
        if let Some(link) = link.upgrade() {
            link.lost(number);
        }
    });
    let live = Live {
        number,
        node: node.clone(),
        since: Instant::now(),
        connection,
        answers: AtomicU64::new(0),
        waits: Waits::default(),
        time: TheirTime::unknown(),
        patience: topology.connector().timeout,
        close,
        driver: driver.abort_handle(),
    };
    let server = Server::ask(&live, Instant::now() + live.patience).await?;
    if let Some(millis) = server.millis() {
        live.time.learn(Instant::now(), millis);
    }
    topology.examine(node, &server)?;
    Ok(Arc::new(live))
}

/// An open connection.
pub(super) struct Live {
    /// No other connection of this process has it.
    pub(super) number: u64,
    pub(super) node: Node,
    since: Instant,
    connection: MultiplexedConnection,
    /// How many answers have come.
    answers: AtomicU64,
    pub(super) waits: Waits,
    pub(super) time: TheirTime,
    /// How long a server may take to answer.
    pub(super) patience: Duration,
    close: Arc<Notify>,
    driver: tokio::task::AbortHandle,
}

impl Live {
    /// Sends a command; after `ASKING` where the server said so.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        command: &Cmd,
        asking: bool,
        deadline: Instant,
    ) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        let before = self.answers.load(Ordering::Relaxed);
        // Awaited where it is made: a future that is moved first takes its room twice.
        let answer = match asking {
            false => timeout_at(deadline, command.query_async(&mut connection)).await,
            true => Box::pin(timeout_at(deadline, after_asking(command, &mut connection))).await,
        };
        match answer {
            Ok(answer) => {
                self.answers.fetch_add(1, Ordering::Relaxed);
                answer
            }
            Err(_) => {
                // Nobody else was answered meanwhile: it may be dead without knowing.
                if self.answers.load(Ordering::Relaxed) == before {
                    self.close();
                }
                Err(no_answer())
            }
        }
    }

    /// Ends the connection; the link makes another.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn after_asking<T: FromRedisValue>(
    command: &Cmd,
    connection: &mut MultiplexedConnection,
) -> RedisResult<T> {
    let mut pipeline = pipe();
    pipeline.cmd("ASKING").add_command(command.clone()).ignore_errors();
    let answers: Vec<RedisResult<Value>> = pipeline.query_async(connection).await?;
    let last = answers.into_iter().last().ok_or_else(|| unexpected("no answer to ASKING"))??;
    Ok(from_redis_value(last)?)
}

/// Whether a connection ended before the answer came. What was asked may have been done.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_io_error() && !error.is_timeout()
}
