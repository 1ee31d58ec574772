//! The task behind a [`Session`](super::Session): performs the machine's actions and reports their
//! results back as events.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};
use zeroize::Zeroizing;

use super::DeviceClock;
use super::dpop::DpopClient;
use super::storage::{StorageError, StorageLock, TokenStorage, is_lost, write_or_restore};
use crate::client::attempt::Sent;
use crate::client::endpoint::RefreshEndpoint;
use crate::client::error::{
    SessionError, SessionState, SignOutOutcome, SignOutReason, TransientError,
};
use crate::client::event::{
    Action, Caller, Event, RefreshAnswer, RevocationAnswer, StorageRead, Ticket,
};
use crate::client::machine::Machine;
use crate::client::pair::{DpopBinding, TokenPair};
use crate::dpop::ProofKeyError;
use crate::error::{Cause, Error};
use crate::transport::{HttpRequest, HttpResponse, Transport};
use crate::types::AccessToken;

/// The target of log events. They contain no token.
const TARGET: &str = "regrant::client";

/// The reply to a caller.
pub(super) type Reply = Result<Success, SessionError>;

#[derive(Debug)]
pub(super) enum Success {
    Token(AccessToken),
    /// A sign-in, or a sign-out in which the server has no part, is complete.
    Done,
    SignedOut(SignOutOutcome),
}

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
const KEY_LOST: SessionError = SessionError::SignIn(SignOutReason::KeyLost);

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
    pub(super) storage_timeout: Duration,
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
        self.handle(Event::Start);
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
            Action::Give { caller, token } => self.reply(caller, Ok(Success::Token(token))),
            Action::Fail { caller, error } => self.reply(caller, Err(error)),
            Action::Done { caller } => self.reply(caller, Ok(Success::Done)),
            Action::SignedOut { caller, outcome } => {
                self.reply(caller, Ok(Success::SignedOut(outcome)));
            }
            Action::StateChanged(state) => {
                tracing::info!(target: TARGET, %state, "session state changed");
                self.states.send_replace(state);
            }
            Action::Lock { ticket } => self.take_lock(ticket),
            Action::Unlock => self.lock = None,
            Action::Read { ticket } => self.read(ticket),
            Action::Write { ticket, pair } => self.write(ticket, pair.to_bytes()),
            Action::Retire { ticket, pair } => self.write(ticket, pair.to_retired_bytes()),
            Action::Clear { ticket } => self.clear(ticket),
            Action::Send { ticket, pair } => self.send(ticket, pair),
            Action::Revoke { ticket, pair } => self.revoke(ticket, pair),
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
        let failed = move |cause| Event::LockFailed { ticket, cause };
        self.spawn_job(failed(TransientError::Storage), async move {
            let Ok(locked) = timeout(lock_timeout, storage.lock()).await else {
                tracing::warn!(target: TARGET, "another process holds the token storage lock");
                return Some(Report::Event(failed(TransientError::StorageLocked)));
            };
            let cause = match locked.as_ref().err().and_then(|error| error.downcast_ref()) {
                Some(StorageError::FolderMissing) => TransientError::StorageFolderMissing,
                Some(StorageError::Lost) | None => TransientError::Storage,
            };
            let lock = log_error("failed to lock the token storage", locked);
            Some(lock.map_or_else(
                || Report::Event(failed(cause)),
                |lock| Report::Locked { ticket, lock },
            ))
        });
    }

    fn read(&self, ticket: Ticket) {
        let (storage, limit) = (Arc::clone(&self.io.storage), self.io.storage_timeout);
        self.spawn_job(Event::Read { ticket, found: StorageRead::Failed }, async move {
            let read = with_timeout(limit, storage.read()).await;
            let found = match read {
                Err(error) if is_lost(&error) => {
                    tracing::warn!(target: TARGET, %error, "the token storage lost its content");
                    StorageRead::Lost
                }
                read => {
                    let bytes = log_error("failed to read the token storage", read)?;
                    StorageRead::of_bytes(bytes.as_ref().map(|bytes| bytes.as_slice()))
                }
            };
            Some(Report::Event(Event::Read { ticket, found }))
        });
    }

    fn write(&self, ticket: Ticket, value: Result<Zeroizing<Vec<u8>>, Error>) {
        let (storage, limit) = (Arc::clone(&self.io.storage), self.io.storage_timeout);
        self.spawn_job(Event::Written { ticket, done: false }, async move {
            let value = value.ok()?;
            let written = with_timeout(limit, write_or_restore(&*storage, value)).await;
            log_error("failed to write the token storage", written)?;
            Some(Report::Event(Event::Written { ticket, done: true }))
        });
    }

    fn clear(&self, ticket: Ticket) {
        let (storage, limit) = (Arc::clone(&self.io.storage), self.io.storage_timeout);
        self.spawn_job(Event::Written { ticket, done: false }, async move {
            let cleared = with_timeout(limit, storage.clear()).await;
            log_error("failed to clear the token storage", cleared)?;
            Some(Report::Event(Event::Written { ticket, done: true }))
        });
    }

    fn revoke(&self, ticket: Ticket, pair: TokenPair) {
        let refresher = self.io.refresher.clone();
        let failed = RevocationAnswer::Unavailable { retry_after: None };
        self.spawn_job(Event::Revoked { ticket, answer: failed }, async move {
            let answer = refresher.revoke(&pair).await?;
            Some(Report::Event(Event::Revoked { ticket, answer }))
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
                    let proof = proof.map_err(|error| match ProofNotSigned::of(&error) {
                        ProofNotSigned::KeyLost => KEY_LOST,
                        ProofNotSigned::Now => PROOF_FAILED,
                    });
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
        let answer = match self.exchange(pair, || Some(self.endpoint.request(pair))).await? {
            Ok(response) => self.endpoint.read(&response),
            Err(ProofNotSigned::KeyLost) => RefreshAnswer::SignedOut(SignOutReason::KeyLost),
            Err(ProofNotSigned::Now) => {
                RefreshAnswer::Unavailable { cause: TransientError::ProofKey, retry_after: None }
            }
        };
        if let RefreshAnswer::Granted(grant) = &answer
            && let Some(dpop) = &self.dpop
            && let Some(issued_at) = grant.issued_at()
        {
            dpop.set_server_time(issued_at);
        }
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

    /// Revokes the session of `pair`. `None` if no response was received.
    async fn revoke(&self, pair: &TokenPair) -> Option<RevocationAnswer> {
        if !self.endpoint.has_logout() {
            return Some(RevocationAnswer::Refused);
        }
        let request = || self.endpoint.logout_request(pair);
        let answer = match self.exchange(pair, request).await? {
            Ok(response) => self.endpoint.read_logout(&response),
            // The server accepts these tokens from nobody any more.
            Err(ProofNotSigned::KeyLost) => RevocationAnswer::Refused,
            Err(ProofNotSigned::Now) => RevocationAnswer::Unavailable { retry_after: None },
        };
        tracing::debug!(target: TARGET, ?answer, "asked the server to revoke the session");
        Some(answer)
    }

    /// The response to `request`, which contains the refresh token of `pair`. `None` if no response
    /// was received.
    ///
    /// If the pair is bound to the session's key, the request carries a proof, and is repeated once if
    /// the server rejects the proof: it does so before it processes the token.
    async fn exchange(
        &self,
        pair: &TokenPair,
        request: impl Fn() -> Option<HttpRequest>,
    ) -> Option<Result<HttpResponse, ProofNotSigned>> {
        // A session that signed in without a key continues without proofs.
        let Some(dpop) = self.dpop.as_ref().filter(|_| pair.binding() != DpopBinding::Bearer)
        else {
            return self.send(request()?).await.map(Ok);
        };
        let mut is_retry = false;
        loop {
            let mut request = request()?;
            let proof = dpop.prove(request.method.to_owned(), request.url.clone(), None);
            let proof = match with_timeout(self.request_timeout, proof).await {
                Ok(proof) => proof,
                Err(error) => return Some(Err(ProofNotSigned::of(&error))),
            };
            request.headers.push(("dpop".to_owned(), proof));
            let url = request.url.clone();
            let response = self.send(request).await?;
            dpop.observe_response(&url, &response);
            let sent = Sent { token: None, proof: true, is_retry };
            if sent.retry(&response).is_none() {
                return Some(Ok(response));
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

/// The key did not sign a proof.
enum ProofNotSigned {
    Now,
    /// It never will.
    KeyLost,
}

impl ProofNotSigned {
    /// The meaning of an error, which is logged.
    fn of(error: &Cause) -> Self {
        tracing::warn!(target: TARGET, %error, "failed to sign a DPoP proof");
        match error.downcast_ref() {
            Some(ProofKeyError::Lost) => Self::KeyLost,
            _ => Self::Now,
        }
    }
}

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
