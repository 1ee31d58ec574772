//! The task that turns the machine's actions into I/O, and what comes of it into events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::storage::{StorageLock, TokenStorage};
use super::transport::Transport;
use crate::client::answer::Answer;
use crate::client::endpoint::Endpoint;
use crate::client::event::{Action, Caller, Event, Found, Ticket};
use crate::client::machine::Machine;
use crate::client::now::Now;
use crate::client::pair::Pair;
use crate::client::reason::{Refusal, State};
use crate::error::Cause;
use crate::secret::AccessToken;
use crate::time::Clock;

/// The target of what is logged. No token is ever in it.
const TARGET: &str = "regrant::client";

/// What a caller is answered: a token if it wanted one.
pub(super) type Reply = Result<Option<AccessToken>, Refusal>;

/// What a handle wants.
#[derive(Debug)]
pub(super) enum Command {
    Ask { caller: Caller, event: Event, reply: oneshot::Sender<Reply> },
    Cancel { caller: Caller },
}

/// What a job reports.
enum Report {
    Event(Event),
    Locked { ticket: Ticket, lock: StorageLock },
}

/// What does the I/O.
pub(super) struct Work {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) storage: Arc<dyn TokenStorage>,
    pub(super) request_timeout: Duration,
    pub(super) lock_timeout: Duration,
}

pub(super) struct Driver {
    machine: Machine,
    work: Work,
    clock: Arc<dyn Clock>,
    started: Instant,
    replies: HashMap<Caller, oneshot::Sender<Reply>>,
    lock: Option<StorageLock>,
    watched: watch::Sender<State>,
    reports: mpsc::UnboundedSender<Report>,
    reported: mpsc::UnboundedReceiver<Report>,
}

impl Driver {
    pub(super) fn new(
        machine: Machine,
        work: Work,
        clock: Arc<dyn Clock>,
        watched: watch::Sender<State>,
    ) -> Self {
        let (reports, reported) = mpsc::unbounded_channel();
        let (replies, started) = (HashMap::new(), Instant::now());
        Self { machine, work, clock, started, replies, lock: None, watched, reports, reported }
    }

    /// Runs until all handles are gone and nothing is under way.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let mut is_open = true;
        while is_open || !self.machine.is_idle() {
            let wake = self.machine.wake_at().map(|at| self.started + at);
            tokio::select! {
                command = inbox.recv(), if is_open => match command {
                    Some(command) => self.command(command),
                    None => is_open = false,
                },
                Some(report) = self.reported.recv() => self.report(report),
                () = sleep_until(wake.unwrap_or(self.started)), if wake.is_some() => {
                    self.tell(Event::Tick);
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Ask { caller, event, reply } => {
                self.replies.insert(caller, reply);
                self.tell(event);
            }
            Command::Cancel { caller } => {
                // One that was answered has nothing to cancel.
                if self.replies.remove(&caller).is_some() {
                    self.tell(Event::Cancel { caller });
                }
            }
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Event(event) => self.tell(event),
            Report::Locked { ticket, lock } => {
                self.lock = Some(lock);
                self.tell(Event::Locked { ticket });
            }
        }
    }

    fn tell(&mut self, event: Event) {
        let now = Now { monotonic: self.started.elapsed(), wall: self.clock.now() };
        for action in self.machine.handle(now, event) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Give { caller, token } => self.answer(caller, Ok(Some(token))),
            Action::Refuse { caller, refusal } => self.answer(caller, Err(refusal)),
            Action::Done { caller } => self.answer(caller, Ok(None)),
            Action::State(state) => {
                tracing::info!(target: TARGET, %state, "the session changed");
                self.watched.send_replace(state);
            }
            Action::Lock { ticket } => self.take_lock(ticket),
            Action::Unlock => self.lock = None,
            Action::Read { ticket } => self.read(ticket),
            Action::Write { ticket, pair } => self.write(ticket, pair),
            Action::Clear { ticket } => self.clear(ticket),
            Action::Send { ticket, pair } => self.send(ticket, &pair),
        }
    }

    fn answer(&mut self, caller: Caller, reply: Reply) {
        if let Some(waiting) = self.replies.remove(&caller) {
            // One that has gone meanwhile does not want to know.
            let _ = waiting.send(reply);
        }
    }

    fn take_lock(&self, ticket: Ticket) {
        let (storage, patience) = (Arc::clone(&self.work.storage), self.work.lock_timeout);
        self.job(Event::LockFailed { ticket }, async move {
            let lock = in_time(patience, storage.lock()).await;
            let lock = noted("the token storage was not locked", lock)?;
            Some(Report::Locked { ticket, lock })
        });
    }

    fn read(&self, ticket: Ticket) {
        let storage = Arc::clone(&self.work.storage);
        self.job(Event::Read { ticket, found: Found::Failed }, async move {
            let bytes = noted("the token storage was not read", storage.read().await)?;
            let found = Found::of_bytes(bytes.as_ref().map(|bytes| bytes.as_slice()));
            Some(Report::Event(Event::Read { ticket, found }))
        });
    }

    fn write(&self, ticket: Ticket, pair: Pair) {
        let storage = Arc::clone(&self.work.storage);
        self.job(Event::Written { ticket, done: false }, async move {
            let written = storage.write(pair.to_bytes().ok()?).await;
            noted("the token storage was not written", written)?;
            Some(Report::Event(Event::Written { ticket, done: true }))
        });
    }

    fn clear(&self, ticket: Ticket) {
        let storage = Arc::clone(&self.work.storage);
        self.job(Event::Written { ticket, done: false }, async move {
            noted("the token storage was not cleared", storage.clear().await)?;
            Some(Report::Event(Event::Written { ticket, done: true }))
        });
    }

    fn send(&self, ticket: Ticket, pair: &Pair) {
        let endpoint = Arc::clone(&self.work.endpoint);
        let request = endpoint.request(pair);
        let (transport, patience) = (Arc::clone(&self.work.transport), self.work.request_timeout);
        self.job(Event::Unanswered { ticket }, async move {
            tracing::debug!(target: TARGET, "a refresh is sent");
            let response = in_time(patience, transport.send(request)).await;
            let response = noted("a refresh was not answered", response)?;
            let answer = endpoint.read(&response);
            match &answer {
                Answer::Granted(_) => tracing::debug!(target: TARGET, "a refresh was granted"),
                Answer::Superseded => {
                    tracing::debug!(target: TARGET, "the refresh token is not the newest");
                }
                Answer::SignedOut(reason) => {
                    tracing::info!(target: TARGET, %reason, "the server refused a refresh for good");
                }
                Answer::Unavailable { trouble, .. } => {
                    tracing::warn!(target: TARGET, %trouble, "a refresh was not granted now");
                }
            }
            Some(Report::Event(Event::Answered { ticket, answer }))
        });
    }

    /// Runs `work` as a task that nobody can cancel. Whatever becomes of it is reported: `failed`
    /// when it gives nothing, and also when it panics.
    fn job(&self, failed: Event, work: impl Future<Output = Option<Report>> + Send + 'static) {
        let owed = Owed { report: Some(Report::Event(failed)), to: self.reports.clone() };
        tokio::spawn(async move {
            let report = work.await;
            owed.settle(report);
        });
    }
}

/// What comes of `work`, unless it takes too long.
async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    timeout(patience, work).await.unwrap_or_else(|_| Err("it took too long".into()))
}

/// What was got, if it was; otherwise why not is logged.
fn noted<T>(what: &'static str, got: Result<T, Cause>) -> Option<T> {
    got.inspect_err(|error| tracing::warn!(target: TARGET, %error, "{what}")).ok()
}

/// A report that is made when this is dropped.
struct Owed {
    report: Option<Report>,
    to: mpsc::UnboundedSender<Report>,
}

impl Owed {
    fn settle(mut self, report: Option<Report>) {
        self.report = report.or_else(|| self.report.take());
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            // A driver that is gone waits for nothing.
            let _ = self.to.send(report);
        }
    }
}
