//! Asks the servers behind an address: the right one, again where that helps, and never for
//! longer than the time-out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};
use tokio::time::{Instant, sleep, timeout_at};

use super::address::{Address, Node};
use super::backoff::jitter;
use super::connector::no_answer;
use super::link::{Link, Live, is_lost};
use super::script::{Arguments, Script};
use super::topology::{Advice, MOMENT, Place, Topology};
use crate::error::{Error, Result};
use crate::store::RedisOptions;

/// So often a question is sent before it is given up. A failover under way takes some of them.
const ATTEMPTS: u32 = 6;

/// Connections to the servers behind an address, one to each that is asked something.
pub(crate) struct Connection {
    topology: Arc<Topology>,
    links: Mutex<HashMap<Node, Arc<Link>>>,
    /// How long a question may take, connecting included.
    timeout: Duration,
}

/// A question about one key.
pub(super) enum Question<'a> {
    Script(&'a Script, Arguments),
    /// A script whose last argument is the instant, by the server's clock, after which nobody
    /// waits for its answer any more. One that comes later does nothing and answers `LATE` with
    /// what its clock shows.
    Timely(&'a Script, Arguments),
    Command(&'a Cmd),
    /// A command that depends on the connection that it goes over, which is told by its number.
    By(&'a (dyn Fn(u64) -> Cmd + Send + Sync)),
}

impl Connection {
    /// Connections to the servers at `address`. Reads files at most, and makes no connection.
    pub(crate) fn new(address: &Address, options: &RedisOptions) -> Result<Self> {
        Ok(Self::over(Arc::new(Topology::new(address, options)?), options.timeout))
    }

    /// Connections to servers that others use too.
    pub(super) fn over(topology: Arc<Topology>, timeout: Duration) -> Self {
        Self { topology, links: Mutex::default(), timeout }
    }

    /// Runs a script on one key.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<T> {
        let question = Question::Script(script, arguments);
        Ok(self.ask(key, &question, Duration::ZERO).await?.0)
    }

    /// Runs a script on one key, unless it reaches the server too late for this call.
    pub(super) async fn run_timely<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<T> {
        let question = Question::Timely(script, arguments);
        Ok(self.ask(key, &question, Duration::ZERO).await?.0)
    }

    /// Sends a command to the one master that there is outside of clusters.
    pub(crate) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        Ok(self.ask(&[], &Question::Command(command), Duration::ZERO).await?.0)
    }

    /// The answer, which the server may take up to `wait` to give, and over which connection it
    /// came. What was asked may be done twice.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        key: &[u8],
        question: &Question<'_>,
        wait: Duration,
    ) -> Result<(T, Arc<Live>)> {
        let deadline = Instant::now() + self.timeout + wait;
        self.attempts(key, question, deadline).await.map_err(unavailable)
    }

    async fn attempts<T: FromRedisValue>(
        &self,
        key: &[u8],
        question: &Question<'_>,
        deadline: Instant,
    ) -> RedisResult<(T, Arc<Live>)> {
        let mut redirected = None;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let place = match redirected.take() {
                Some(place) => place,
                None => {
                    let node = match self.topology.known_node(key) {
                        Some(node) => node,
                        None => Box::pin(until(deadline, self.topology.node(key))).await?,
                    };
                    Place { node, asking: false }
                }
            };
            let link = self.link(&place.node);
            let live = match link.known_live() {
                Some(live) => Ok(live),
                None => Box::pin(until(deadline, link.live())).await,
            };
            let error = match live {
                Ok(live) => match put(&live, question, key, place.asking, deadline).await {
                    Ok(answer) => return Ok((answer, live)),
                    // Perhaps after the server acted. Asking again is harmless: the same question
                    // gets the same answer.
                    Err(error) if is_lost(&error) && attempts < ATTEMPTS => {
                        link.forget(&live);
                        continue;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            // Rare, and so in a place of its own: it would make each question's future larger.
            let advice = Box::pin(self.topology.advise(&place.node, key, &error));
            match until(deadline, async { Ok(advice.await) }).await? {
                _ if attempts >= ATTEMPTS => return Err(error),
                Advice::GiveUp => return Err(error),
                Advice::Again => {}
                Advice::Later if deadline <= Instant::now() + MOMENT => return Err(error),
                Advice::Later => sleep(MOMENT / 2 + jitter(MOMENT / 2)).await,
                Advice::At(place) => redirected = Some(place),
            }
        }
    }

    /// The way to a server.
    pub(super) fn link(&self, node: &Node) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(node) {
            return Arc::clone(link);
        }
        let link = Link::new(node.clone(), Arc::clone(&self.topology));
        links.insert(node.clone(), Arc::clone(&link));
        link
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }
}

/// Puts a question to a server.
async fn put<T: FromRedisValue>(
    live: &Live,
    question: &Question<'_>,
    key: &[u8],
    asking: bool,
    deadline: Instant,
) -> RedisResult<T> {
    match question {
        Question::Command(command) => live.send(command, asking, deadline).await,
        Question::By(command) => live.send(&command(live.number), asking, deadline).await,
        Question::Script(script, arguments) => {
            call(live, script, (key, arguments, None), asking, deadline).await
        }
        Question::Timely(script, arguments) => {
            let until = Some(live.time.at(deadline));
            let answer = call(live, script, (key, arguments, until), asking, deadline).await;
            let Err(error) = &answer else { return answer };
            let Some(shows) = too_late(error) else { return answer };
            // This call still waits: the server's clock was set, or was not known well.
            live.time.learn(Instant::now(), shows);
            let until = Some(live.time.at(deadline));
            Box::pin(call(live, script, (key, arguments, until), asking, deadline)).await
        }
    }
}

async fn call<T: FromRedisValue>(
    live: &Live,
    script: &Script,
    (key, arguments, last): (&[u8], &Arguments, Option<i64>),
    asking: bool,
    deadline: Instant,
) -> RedisResult<T> {
    match live.send(&script.by_name(key, arguments, last), asking, deadline).await {
        // It was restarted, has just become the master, or its scripts were flushed.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            let in_full = script.in_full(key, arguments, last);
            Box::pin(live.send(&in_full, asking, deadline)).await
        }
        outcome => outcome,
    }
}

/// What the clock shows of a server that found a question to be too late.
fn too_late(error: &RedisError) -> Option<i64> {
    if error.code() != Some("LATE") {
        return None;
    }
    error.detail()?.trim().parse().ok()
}

async fn until<T>(
    deadline: Instant,
    attempt: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    timeout_at(deadline, attempt).await.unwrap_or_else(|_| Err(no_answer()))
}

/// Whatever Redis says, nobody is signed out by it. What needs an operator (a wrong password,
/// memory exhausted) is also logged; that a server is away was logged by who tried to reach it.
pub(super) fn unavailable(error: RedisError) -> Error {
    if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::Parse) {
        tracing::error!(target: "regrant::store", code = error.code(), kind = ?error.kind(), "Redis refused an operation");
    }
    Error::store(error)
}
