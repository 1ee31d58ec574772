//! The state machine of a client session, without I/O.
//!
//! This file holds the state and the dispatch of events. The three flows are in `acquire` (a token
//! for a caller), `refresh` (the pair) and `persist` (a change to the storage), what follows a sign-out is in
//! `revocation`, and `retry` has the settings and the backoff.

mod acquire;
mod persist;
mod refresh;
pub(super) mod retry;
mod revocation;

use std::collections::VecDeque;
use std::time::Duration;

use crate::types::{AccessToken, RefreshToken};

use super::clock::ServerClock;
use super::error::{SessionError, SessionState, SignOutReason, TransientError};
use super::pair::{DpopBinding, TokenPair};
use retry::{Failures, Jitter, SessionSettings};
use revocation::{Revocation, Revoked};

pub use super::clock::DeviceTime;
pub use super::event::{
    Action, Caller, Event, RefreshAnswer, RevocationAnswer, StorageRead, Ticket,
};
pub use super::pair::Grant;

/// The client's side of the flow for one token storage, without I/O: it receives [`Event`]s with
/// the current time and returns [`Action`]s.
///
/// It guarantees, however it is driven:
/// - One refresh at a time, across processes if the storage has a lock.
/// - The storage is read before a refresh, and again before it is written.
/// - A token is neither returned to a caller nor used for a refresh before it is stored.
/// - A refresh that was started continues even if every caller cancels.
/// - A temporary failure never signs out: only the user does, a final rejection by the server, or stored tokens or a key
///   that are lost for good.
/// - Every caller receives a reply, even if a report never arrives: within
///   [`SessionSettings::wait_timeout`], or [`SessionSettings::persist_timeout`] once its change to
///   the storage has started. The driver only has to wake the machine at [`Machine::wake_at`].
///
/// `PartialEq` and `Hash` cover the whole state, so that a model checker can search the states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    settings: SessionSettings,
    tokens: TokenState,
    /// The refresh token of an ended session, until the storage is known not to contain it.
    ended: Option<(RefreshToken, SignOutReason)>,
    /// The access token that a server rejected last.
    rejected: Option<AccessToken>,
    /// When a rejected access token was last renewed.
    rejected_renewed_at: Option<Duration>,
    clock: Option<ServerClock>,
    /// A random extension of the refresh margin, so that not all clients refresh at once.
    early_refresh: Duration,
    phase: Phase,
    /// Whether the storage lock is held.
    locked: bool,
    waiters: Vec<Waiter>,
    commands: VecDeque<Command>,
    /// Sessions that are signed out here and that the server has yet to revoke (`revocation.rs`).
    revocations: Vec<Revocation>,
    /// The session that the server revoked last, until the storage no longer says that it is to be revoked.
    revoked: Option<Revoked>,
    /// Whether to refresh although no caller waits.
    background_refresh: bool,
    /// Whether the state is to be known without a call ([`Event::Start`]).
    is_started: bool,
    /// When to read the storage again, which could not be read.
    reread: Option<Reread>,
    failures: Failures,
    jitter: Jitter,
    last_ticket: u64,
    published_state: SessionState,
}

/// A read of the storage without which the state stays unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reread {
    at: Duration,
    /// How often it has failed so far.
    failures: u32,
}

/// What is known about the stored tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum TokenState {
    Unknown,
    Held(TokenPair),
    SignedOut(SignOutReason),
}

/// A caller that waits for an access token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiter {
    caller: Caller,
    deadline: Duration,
}

/// A sign-in or sign-out requested by the app. Commands run before any refresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Command {
    SignIn {
        caller: Caller,
        pair: TokenPair,
        requested_at: DeviceTime,
    },
    /// `held` is the pair from before the sign-out, which the machine has dropped by the time the command runs; used if
    /// the storage cannot be read.
    SignOut {
        caller: Caller,
        requested_at: DeviceTime,
        held: Option<TokenPair>,
    },
}

impl Command {
    fn caller(&self) -> Caller {
        match self {
            Self::SignIn { caller, .. } | Self::SignOut { caller, .. } => *caller,
        }
    }

    fn requested_at(&self) -> DeviceTime {
        match self {
            Self::SignIn { requested_at, .. } | Self::SignOut { requested_at, .. } => *requested_at,
        }
    }
}

/// The operation in progress, and the report that it waits for. There is one at a time. The lock
/// is held in every phase after `Locking`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// Reading the storage without the lock.
    ReadingUnlocked(Ticket),
    /// Taking the lock.
    Locking(Ticket),
    /// Reading the storage before a refresh.
    Reading(Ticket),
    /// Waiting for the refresh endpoint.
    Refreshing {
        ticket: Ticket,
        requested_at: DeviceTime,
        pair: TokenPair,
    },
    /// Reading the storage again: the server rejected `pair`, but another process may have stored a
    /// newer one.
    Rereading {
        ticket: Ticket,
        pair: TokenPair,
        rejection: Rejection,
    },
    /// Reading the storage before a write.
    Checking {
        ticket: Ticket,
        change: PendingChange,
    },
    /// Writing or clearing the storage.
    Writing {
        ticket: Ticket,
        change: PendingChange,
    },
    /// Waiting to retry a failed change.
    RetryWait {
        until: Duration,
        change: PendingChange,
    },
}

impl Phase {
    fn change(&self) -> Option<&PendingChange> {
        match self {
            Self::Checking { change, .. }
            | Self::Writing { change, .. }
            | Self::RetryWait { change, .. } => Some(change),
            _ => None,
        }
    }

    fn change_mut(&mut self) -> Option<&mut PendingChange> {
        match self {
            Self::Checking { change, .. }
            | Self::Writing { change, .. }
            | Self::RetryWait { change, .. } => Some(change),
            _ => None,
        }
    }
}

/// How the server rejected a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rejection {
    Superseded,
    Final(SignOutReason),
}

/// A change to the storage that is in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PendingChange {
    change: StorageChange,
    /// The caller to reply to, unless it already received a timeout.
    caller: Option<Caller>,
    failures: u32,
    /// When to give up.
    deadline: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum StorageChange {
    /// A refresh replaced `parent` by `child`.
    Renewed { child: TokenPair, parent: RefreshToken },
    /// The user signed in.
    SignedIn { pair: TokenPair },
    /// The user signed out, or the server ended the session.
    SignedOut,
    /// The user signed out: replaces the stored pair by a note that its session is yet to be revoked.
    /// `pair` is the held pair until the storage is read, then the stored one.
    Retired { pair: Option<TokenPair> },
    /// The server has revoked the session of this refresh token: removes its note.
    Forgotten { refresh: RefreshToken },
}

impl Machine {
    /// Creates a machine that has not read its storage yet.
    pub fn new(settings: SessionSettings) -> Self {
        let jitter = Jitter::new(settings.seed);
        Self {
            settings,
            tokens: TokenState::Unknown,
            ended: None,
            rejected: None,
            rejected_renewed_at: None,
            clock: None,
            early_refresh: Duration::ZERO,
            phase: Phase::Idle,
            locked: false,
            waiters: Vec::new(),
            commands: VecDeque::new(),
            revocations: Vec::new(),
            revoked: None,
            background_refresh: false,
            is_started: false,
            reread: None,
            failures: Failures::default(),
            jitter,
            last_ticket: 0,
            published_state: SessionState::Unknown,
        }
    }

    /// Processes `event` and returns the actions to perform, in order.
    pub fn handle(&mut self, now: DeviceTime, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Start => self.start(&mut out),
            Event::Acquire { caller } => self.acquire(caller, now, &mut out),
            Event::Renew { caller, rejected } => self.renew(caller, rejected, now, &mut out),
            Event::Cancel { caller } => self.waiters.retain(|waiter| waiter.caller != caller),
            Event::SignIn { caller, pair } if !self.has_key_of(&pair) => {
                let error = SessionError::SignIn(SignOutReason::OtherKey);
                out.push(Action::Fail { caller, error });
            }
            Event::SignIn { caller, pair } => {
                let command = Command::SignIn { caller, pair, requested_at: now };
                self.submit(command, now, &mut out);
            }
            Event::SignOut { caller } => {
                let held = self.held().cloned();
                self.sign_out(SignOutReason::ByUser, &mut out);
                self.submit(Command::SignOut { caller, requested_at: now, held }, now, &mut out);
            }
            Event::Locked { ticket } => self.on_locked(ticket, now, &mut out),
            Event::LockFailed { ticket, cause } => {
                self.on_lock_failed(ticket, cause, now, &mut out);
            }
            Event::Read { ticket, found } => self.on_read(ticket, found, now, &mut out),
            Event::Written { ticket, done } => self.on_written(ticket, done, now, &mut out),
            Event::Answered { ticket, answer } => self.on_answered(ticket, answer, now, &mut out),
            Event::Unanswered { ticket } => self.on_unanswered(ticket, now, &mut out),
            Event::Revoked { ticket, answer } => self.on_revoked(ticket, answer, now, &mut out),
            Event::Tick => self.on_tick(now, &mut out),
        }
        self.send_revocations(now, &mut out);
        self.start_next(now, &mut out);
        let state = self.state();
        if state != self.published_state {
            self.published_state = state;
            // First, so that a caller that receives a reply sees the matching state.
            out.insert(0, Action::StateChanged(state));
        }
        out
    }

    /// The monotonic time by which the machine needs an [`Event::Tick`], unless another event
    /// arrives before.
    pub fn wake_at(&self) -> Option<Duration> {
        let attempt = match &self.phase {
            Phase::RetryWait { until, .. } => Some(*until),
            Phase::Idle if !self.waiters.is_empty() => Some(self.failures.retry_at()),
            Phase::Idle => self.reread_at(),
            _ => None,
        };
        let waiters = self.waiters.iter().map(|waiter| waiter.deadline);
        let commands = self.commands.iter().map(|command| self.deadline(command.requested_at()));
        let change = self.phase.change().filter(|change| change.caller.is_some());
        let revocations = self.revocations.iter().map(Revocation::wake_at);
        let revocations = revocations.chain(self.revoked.iter().map(Revoked::wake_at));
        let change = change.map(|change| change.deadline);
        waiters.chain(commands).chain(change).chain(attempt).chain(revocations.flatten()).min()
    }

    /// Whether a user is signed in, as far as the machine knows.
    pub fn state(&self) -> SessionState {
        match &self.tokens {
            TokenState::Unknown => SessionState::Unknown,
            TokenState::Held(_) => SessionState::SignedIn,
            TokenState::SignedOut(reason) => SessionState::SignedOut(*reason),
        }
    }

    /// The estimate of the server's clock.
    pub(in crate::client) fn server_clock(&self) -> Option<ServerClock> {
        self.clock
    }

    /// Whether nothing is in progress and no caller waits. A revocation that waits to be retried is
    /// not in progress: it is in the storage.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
            && self.waiters.is_empty()
            && self.commands.is_empty()
            && self.revoked.is_none()
            && !self.revocations.iter().any(Revocation::is_in_progress)
    }

    /// Reads the storage, so that the state is known.
    fn start(&mut self, out: &mut Vec<Action>) {
        self.is_started = true;
        if self.phase == Phase::Idle && self.tokens == TokenState::Unknown {
            let ticket = self.next_ticket();
            self.phase = Phase::ReadingUnlocked(ticket);
            out.push(Action::Read { ticket });
        }
    }

    /// Starts the next operation, if nothing is in progress.
    fn start_next(&mut self, now: DeviceTime, out: &mut Vec<Action>) {
        if self.phase != Phase::Idle {
            return;
        }
        if !self.commands.is_empty() || self.revoked.is_some() {
            return self.take_lock(out);
        }
        let is_wanted = !self.waiters.is_empty() || self.background_refresh;
        let may_attempt = is_wanted && now.monotonic >= self.failures.retry_at();
        let rereads = self.reread_at().is_some_and(|at| now.monotonic >= at);
        if !may_attempt && !rereads {
            return;
        }
        match self.tokens {
            // Usually the storage has a fresh token, and the lock is not needed.
            TokenState::Unknown | TokenState::SignedOut(_) => {
                let ticket = self.next_ticket();
                self.phase = Phase::ReadingUnlocked(ticket);
                out.push(Action::Read { ticket });
            }
            TokenState::Held(_) => self.take_lock(out),
        }
    }

    /// When to read the storage again, while the state is unknown and an app may wait for it.
    fn reread_at(&self) -> Option<Duration> {
        self.reread.filter(|_| self.tokens == TokenState::Unknown).map(|reread| reread.at)
    }

    fn on_tick(&mut self, now: DeviceTime, out: &mut Vec<Action>) {
        self.retry_change(now, out);
        let error = self.failures.error(now.monotonic);
        self.waiters.retain(|waiter| {
            let waits = now.monotonic < waiter.deadline;
            if !waits {
                out.push(Action::Fail { caller: waiter.caller, error });
            }
            waits
        });
        if let Some(change) = self.phase.change_mut()
            && now.monotonic >= change.deadline
        {
            fail_caller(change.caller.take(), TransientError::Storage, out);
        }
        // Dropped: carried out later, it would surprise a caller that was told it failed.
        while let Some(command) = self.commands.front()
            && now.monotonic >= self.deadline(command.requested_at())
        {
            fail_caller(Some(command.caller()), TransientError::Timeout, out);
            self.commands.pop_front();
        }
        for revocation in &mut self.revocations {
            revocation.on_tick(now.monotonic, out);
        }
        if let Some(revoked) = &mut self.revoked {
            revoked.on_tick(now.monotonic, out);
        }
    }

    /// Holds `pair`, which is known to be stored.
    fn hold(&mut self, pair: TokenPair, now: DeviceTime) {
        if self.clock.is_none() {
            self.clock = Some(ServerClock::from_skew(pair.skew_ms.unwrap_or(0), now));
        }
        let is_new = !matches!(&self.tokens, TokenState::Held(held) if *held == pair);
        if is_new {
            self.early_refresh = self.jitter.up_to(self.refresh_margin(&pair) / 2);
            self.tokens = TokenState::Held(pair);
        }
    }

    fn held(&self) -> Option<&TokenPair> {
        match &self.tokens {
            TokenState::Held(pair) => Some(pair),
            TokenState::Unknown | TokenState::SignedOut(_) => None,
        }
    }

    /// Ends the session in memory. The storage is empty, or is cleared next.
    fn sign_out(&mut self, reason: SignOutReason, out: &mut Vec<Action>) {
        if let TokenState::Held(pair) = &self.tokens {
            self.ended = Some((pair.refresh.clone(), reason));
        }
        self.tokens = TokenState::SignedOut(reason);
        self.background_refresh = false;
        self.fail_waiters(SessionError::SignIn(reason), out);
    }

    /// Whether `pair` is bound to the configured key, or to none.
    fn has_key_of(&self, pair: &TokenPair) -> bool {
        match pair.binding() {
            DpopBinding::Key(key) => self.settings.key == Some(key),
            DpopBinding::Bearer | DpopBinding::Unknown => true,
        }
    }

    fn fail_waiters(&mut self, error: SessionError, out: &mut Vec<Action>) {
        let fail = |waiter: Waiter| Action::Fail { caller: waiter.caller, error };
        out.extend(self.waiters.drain(..).map(fail));
    }

    fn take_lock(&mut self, out: &mut Vec<Action>) {
        let ticket = self.next_ticket();
        self.phase = Phase::Locking(ticket);
        out.push(Action::Lock { ticket });
    }

    /// Ends the operation in progress and releases the lock.
    fn finish(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Idle;
        if std::mem::take(&mut self.locked) {
            out.push(Action::Unlock);
        }
    }

    fn deadline(&self, requested_at: DeviceTime) -> Duration {
        requested_at.monotonic.saturating_add(self.settings.wait_timeout)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }
}

/// Replies to the caller of a command that was not carried out.
fn fail_caller(caller: Option<Caller>, cause: TransientError, out: &mut Vec<Action>) {
    let error = SessionError::Retry { cause, retry_after: Duration::ZERO };
    out.extend(caller.map(|caller| Action::Fail { caller, error }));
}
