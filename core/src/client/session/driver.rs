//! The task behind a [`Session`](super::Session): performs the machine's actions and reports their
//! results back as events.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};

use super::DeviceClock;
use super::dpop::DpopClient;
use super::storage::{StorageLock, TokenStorage};
use crate::client::attempt::Sent;
use crate::client::endpoint::RefreshEndpoint;
use crate::client::error::{SessionError, SessionState, TransientError};
use crate::client::event::{Action, Caller, Event, RefreshAnswer, StorageRead, Ticket};
use crate::client::machine::Machine;
use crate::client::pair::{DpopBinding, TokenPair};
use crate::error::Cause;
use crate::transport::{HttpRequest, HttpResponse, Transport};
use crate::types::AccessToken;

/// The target of log events. They contain no token.
const TARGET: &str = "regrant::client";

/// The reply to a caller: a token, or `None` for a completed sign-in or sign-out.
pub(super) type Reply = Result<Option<AccessToken>, SessionError>;

/// What a session handle sends to its driver.
#[derive(Debug)]
pub(super) enum Message {
    Call { caller: Caller, event: Event, reply: oneshot::Sender<Reply> },
    Cancel { caller: Caller },
    Prove { request: ProofRequest, reply: oneshot::Sender<Result<String, SessionError>> },
}

/// The request that a DPoP proof is for.
pub(super) struct ProofRequest {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) token: Option<AccessToken>,
}

impl fmt::Debug for ProofRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

const PROOF_FAILED: SessionError =
    SessionError::Retry { cause: TransientError::ProofKey, retry_after: Duration::from_secs(1) };

/// The result of a job.
enum Report {
    Event(Event),
    Locked { ticket: Ticket, lock: StorageLock },
}

/// The I/O of a driver.
pub(super) struct Io {
    pub(super) refresher: Refresher,
    pub(super) storage: Arc<dyn TokenStorage>,
    pub(super) lock_timeout: Duration,
}

pub(super) struct Driver {
    machine: Machine,
    io: Io,
    clock: DeviceClock,
    replies: HashMap<Caller, oneshot::Sender<Reply>>,
    lock: Option<StorageLock>,
    states: watch::Sender<SessionState>,
    report_sender: mpsc::UnboundedSender<Report>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Driver {
    pub(super) fn new(
        machine: Machine,
        io: Io,
        clock: DeviceClock,
        states: watch::Sender<SessionState>,
    ) -> Self {
        let (report_sender, reports) = mpsc::unbounded_channel();
        let replies = HashMap::new();
        Self { machine, io, clock, replies, lock: None, states, report_sender, reports }
    }

    /// Runs until all session handles are dropped and nothing is in progress.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let (mut is_open, started) = (true, self.clock.started());
        while is_open || !self.machine.is_idle() {
            let wake = self.machine.wake_at().map(|at| started + at);
            tokio::select! {
                message = inbox.recv(), if is_open => match message {
                    Some(message) => self.receive(message),
                    None => is_open = false,
                },
                Some(report) = self.reports.recv() => self.take_report(report),
                () = sleep_until(wake.unwrap_or(started)), if wake.is_some() => {
                    self.handle(Event::Tick);
                }
            }
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Call { caller, event, reply } => {
                self.replies.insert(caller, reply);
                self.handle(event);
            }
            Message::Cancel { caller } => {
                // A caller that received its reply has nothing to cancel.
                if self.replies.remove(&caller).is_some() {
                    self.handle(Event::Cancel { caller });
                }
            }
            Message::Prove { request, reply } => self.prove(request, reply),
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Event(event) => self.handle(event),
            Report::Locked { ticket, lock } => {
                self.lock = Some(lock);
                self.handle(Event::Locked { ticket });
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let actions = self.machine.handle(self.clock.now(), event);
        if let Some(dpop) = &self.io.refresher.dpop
            && let Some(clock) = self.machine.server_clock()
        {
            dpop.init_clock(clock);
        }
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Give { caller, token } => self.reply(caller, Ok(Some(token))),
            Action::Fail { caller, error } => self.reply(caller, Err(error)),
            Action::Done { caller } => self.reply(caller, Ok(None)),
            Action::StateChanged(state) => {
                tracing::info!(target: TARGET, %state, "session state changed");
                self.states.send_replace(state);
            }
            Action::Lock { ticket } => self.take_lock(ticket),
            Action::Unlock => self.lock = None,
            Action::Read { ticket } => self.read(ticket),
            Action::Write { ticket, pair } => self.write(ticket, pair),
            Action::Clear { ticket } => self.clear(ticket),
            Action::Send { ticket, pair } => self.send(ticket, pair),
        }
    }

    fn reply(&mut self, caller: Caller, reply: Reply) {
        if let Some(sender) = self.replies.remove(&caller) {
            // The caller may have gone.
            let _ = sender.send(reply);
        }
    }

    fn take_lock(&self, ticket: Ticket) {
        let (storage, lock_timeout) = (Arc::clone(&self.io.storage), self.io.lock_timeout);
        self.spawn_job(Event::LockFailed { ticket }, async move {
            let lock = with_timeout(lock_timeout, storage.lock()).await;
            let lock = log_error("failed to lock the token storage", lock)?;
            Some(Report::Locked { ticket, lock })
        });
    }

    fn read(&self, ticket: Ticket) {
        let storage = Arc::clone(&self.io.storage);
        self.spawn_job(Event::Read { ticket, found: StorageRead::Failed }, async move {
            let bytes = log_error("failed to read the token storage", storage.read().await)?;
            let found = StorageRead::of_bytes(bytes.as_ref().map(|bytes| bytes.as_slice()));
            Some(Report::Event(Event::Read { ticket, found }))
        });
    }

    fn write(&self, ticket: Ticket, pair: TokenPair) {
        let storage = Arc::clone(&self.io.storage);
        self.spawn_job(Event::Written { ticket, done: false }, async move {
            let written = storage.write(pair.to_bytes().ok()?).await;
            log_error("failed to write the token storage", written)?;
            Some(Report::Event(Event::Written { ticket, done: true }))
        });
    }

    fn clear(&self, ticket: Ticket) {
        let storage = Arc::clone(&self.io.storage);
        self.spawn_job(Event::Written { ticket, done: false }, async move {
            log_error("failed to clear the token storage", storage.clear().await)?;
            Some(Report::Event(Event::Written { ticket, done: true }))
        });
    }

    fn send(&self, ticket: Ticket, pair: TokenPair) {
        let refresher = self.io.refresher.clone();
        self.spawn_job(Event::Unanswered { ticket }, async move {
            let answer = refresher.refresh(&pair).await?;
            Some(Report::Event(Event::Answered { ticket, answer }))
        });
    }

    /// Signs a proof for a request of the app.
    fn prove(
        &self,
        request: ProofRequest,
        mut reply: oneshot::Sender<Result<String, SessionError>>,
    ) {
        let Refresher { dpop, request_timeout, .. } = self.io.refresher.clone();
        tokio::spawn(async move {
            let ProofRequest { method, url, token } = request;
            // A session without a key sends no such message.
            let Some(dpop) = dpop else { return };
            tokio::select! {
                () = reply.closed() => {}
                proof = with_timeout(request_timeout, dpop.prove(method, url, token)) => {
                    let proof = log_error(PROOF_NOT_SIGNED, proof).ok_or(PROOF_FAILED);
                    // The caller may have gone.
                    let _ = reply.send(proof);
                }
            }
        });
    }

    /// Runs `job` as a task that no caller can cancel. If it returns `None` or panics, `failed` is
    /// reported.
    fn spawn_job(&self, failed: Event, job: impl Future<Output = Option<Report>> + Send + 'static) {
        let guard = ReportOnDrop {
            report: Some(Report::Event(failed)),
            sender: self.report_sender.clone(),
        };
        tokio::spawn(async move {
            let report = job.await;
            guard.complete(report);
        });
    }
}

/// Sends its report when dropped.
struct ReportOnDrop {
    report: Option<Report>,
    sender: mpsc::UnboundedSender<Report>,
}

impl ReportOnDrop {
    fn complete(mut self, report: Option<Report>) {
        self.report = report.or_else(|| self.report.take());
    }
}

impl Drop for ReportOnDrop {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            // The driver may have ended.
            let _ = self.sender.send(report);
        }
    }
}

/// Sends refresh requests, with DPoP proofs where needed. Clones share state.
#[derive(Clone)]
pub(super) struct Refresher {
    pub(super) endpoint: Arc<RefreshEndpoint>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) dpop: Option<DpopClient>,
    pub(super) request_timeout: Duration,
}

impl Refresher {
    /// Refreshes `pair`. `None` if no response was received.
    async fn refresh(&self, pair: &TokenPair) -> Option<RefreshAnswer> {
        tracing::debug!(target: TARGET, "sending a refresh request");
        // A session that signed in without a key continues without proofs.
        let dpop = self.dpop.as_ref().filter(|_| pair.binding() != DpopBinding::Bearer);
        let answer = match dpop {
            None => self.endpoint.read(&self.send(self.endpoint.request(pair)).await?),
            Some(dpop) => self.refresh_with_proof(dpop, pair).await?,
        };
        match &answer {
            RefreshAnswer::Granted(_) => tracing::debug!(target: TARGET, "refresh granted"),
            RefreshAnswer::Superseded => {
                tracing::debug!(target: TARGET, "refresh token superseded");
            }
            RefreshAnswer::SignedOut(reason) => {
                tracing::info!(target: TARGET, %reason, "refresh token rejected; sign-in required");
            }
            RefreshAnswer::Unavailable { cause, .. } => {
                tracing::warn!(target: TARGET, %cause, "refresh failed; will retry");
            }
        }
        Some(answer)
    }

    /// Repeats the request once if the server rejects the proof: it does so before it processes the
    /// token.
    async fn refresh_with_proof(
        &self,
        dpop: &DpopClient,
        pair: &TokenPair,
    ) -> Option<RefreshAnswer> {
        let mut is_retry = false;
        loop {
            let mut request = self.endpoint.request(pair);
            let proof = dpop.prove(request.method.to_owned(), request.url.clone(), None);
            let proof = with_timeout(self.request_timeout, proof).await;
            let Some(proof) = log_error(PROOF_NOT_SIGNED, proof) else {
                let cause = TransientError::ProofKey;
                return Some(RefreshAnswer::Unavailable { cause, retry_after: None });
            };
            request.headers.push(("dpop".to_owned(), proof));
            let url = request.url.clone();
            let response = self.send(request).await?;
            dpop.observe_response(&url, &response);
            let sent = Sent { token: false, proof: true, is_retry };
            if sent.retry(&response).is_none() {
                let answer = self.endpoint.read(&response);
                if let RefreshAnswer::Granted(grant) = &answer
                    && let Some(issued_at) = grant.issued_at()
                {
                    dpop.set_server_time(issued_at);
                }
                return Some(answer);
            }
            tracing::debug!(target: TARGET, "DPoP proof rejected; retrying with a new proof");
            is_retry = true;
        }
    }

    async fn send(&self, request: HttpRequest) -> Option<HttpResponse> {
        let response = with_timeout(self.request_timeout, self.transport.send(request)).await;
        log_error("refresh request failed", response)
    }
}

const PROOF_NOT_SIGNED: &str = "failed to sign a DPoP proof";

async fn with_timeout<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    timeout(limit, operation).await.unwrap_or_else(|_| Err("timed out".into()))
}

/// The value of `result`; an error is logged.
fn log_error<T>(message: &'static str, result: Result<T, Cause>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(target: TARGET, %error, "{message}")).ok()
}
