//! The task that turns the machine's actions into I/O, and what comes of it into events.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};

use super::proofs::Clocks;
use super::refresher::Refresher;
use super::storage::{StorageLock, TokenStorage};
use crate::client::event::{Action, Caller, Event, Found, Ticket};
use crate::client::machine::Machine;
use crate::client::pair::Pair;
use crate::client::reason::{Refusal, State, Trouble};
use crate::error::Cause;
use crate::types::AccessToken;

/// The target of what is logged. No token is ever in it.
pub(super) const TARGET: &str = "regrant::client";

/// What a caller is answered: a token if it wanted one.
pub(super) type Reply = Result<Option<AccessToken>, Refusal>;

/// What a handle wants.
#[derive(Debug)]
pub(super) enum Command {
    Ask { caller: Caller, event: Event, reply: oneshot::Sender<Reply> },
    Cancel { caller: Caller },
    Prove { request: Target, reply: oneshot::Sender<Result<String, Refusal>> },
}

/// The request that a proof is wanted for.
pub(super) struct Target {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) token: Option<AccessToken>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The key could not be used.
const NO_PROOF: Refusal =
    Refusal::TryLater { trouble: Trouble::Key, retry_after: Duration::from_secs(1) };

/// What a job reports.
enum Report {
    Event(Event),
    Locked { ticket: Ticket, lock: StorageLock },
}

/// What does the I/O.
pub(super) struct Work {
    pub(super) refresher: Refresher,
    pub(super) storage: Arc<dyn TokenStorage>,
    pub(super) lock_timeout: Duration,
}

pub(super) struct Driver {
    machine: Machine,
    work: Work,
    clocks: Clocks,
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
        clocks: Clocks,
        watched: watch::Sender<State>,
    ) -> Self {
        let (reports, reported) = mpsc::unbounded_channel();
        let replies = HashMap::new();
        Self { machine, work, clocks, replies, lock: None, watched, reports, reported }
    }

    /// Runs until all handles are gone and nothing is under way.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let (mut is_open, started) = (true, self.clocks.started());
        while is_open || !self.machine.is_idle() {
            let wake = self.machine.wake_at().map(|at| started + at);
            tokio::select! {
                command = inbox.recv(), if is_open => match command {
                    Some(command) => self.command(command),
                    None => is_open = false,
                },
                Some(report) = self.reported.recv() => self.report(report),
                () = sleep_until(wake.unwrap_or(started)), if wake.is_some() => {
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
            Command::Prove { request, reply } => self.prove(request, reply),
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
        let actions = self.machine.handle(self.clocks.now(), event);
        if let Some(proofs) = &self.work.refresher.proofs
            && let Some(clock) = self.machine.server_clock()
        {
            proofs.remember_clock(clock);
        }
        for action in actions {
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
            Action::Send { ticket, pair } => self.send(ticket, pair),
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

    fn send(&self, ticket: Ticket, pair: Pair) {
        let refresher = self.work.refresher.clone();
        self.job(Event::Unanswered { ticket }, async move {
            let answer = refresher.refresh(&pair).await?;
            Some(Report::Event(Event::Answered { ticket, answer }))
        });
    }

    /// Makes a proof for a request of the app.
    fn prove(&self, request: Target, mut reply: oneshot::Sender<Result<String, Refusal>>) {
        let Refresher { proofs, request_timeout, .. } = self.work.refresher.clone();
        tokio::spawn(async move {
            let Target { method, url, token } = request;
            // Without a key nothing is asked for.
            let Some(proofs) = proofs else { return };
            tokio::select! {
                () = reply.closed() => {}
                proof = in_time(request_timeout, proofs.prove(method, url, token)) => {
                    let proof = noted("a proof was not made", proof).ok_or(NO_PROOF);
                    // One that has gone meanwhile does not want to know.
                    let _ = reply.send(proof);
                }
            }
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
pub(super) async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    timeout(patience, work).await.unwrap_or_else(|_| Err("it took too long".into()))
}

/// What was got, if it was; otherwise why not is logged.
pub(super) fn noted<T>(what: &'static str, got: Result<T, Cause>) -> Option<T> {
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
