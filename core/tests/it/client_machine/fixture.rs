//! A machine whose actions are performed by the tests.

use std::collections::VecDeque;
use std::time::Duration;

use regrant::client::machine::{
    Action, Caller, DeviceTime, Event, Grant, Machine, RefreshAnswer, StorageRead, Ticket,
};
use regrant::client::{
    SessionError, SessionSettings, SessionState, SignOutOutcome, SignOutReason, TokenPair,
    TransientError,
};
use regrant::types::{AccessToken, RefreshToken, Timestamp};

/// The lifetime of every access token here.
pub const LIFETIME: Duration = Duration::from_secs(900);

/// What a caller received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Token(String),
    Done,
    SignedOut(SignOutOutcome),
    SignIn(SignOutReason),
    Later(TransientError, Duration),
}

/// The machine, the clocks of its device, and the actions it waits for.
#[derive(Clone)]
pub struct MachineFixture {
    pub machine: Machine,
    pub now: DeviceTime,
    /// The wall clock of the server.
    pub server: Timestamp,
    /// The actions to perform, oldest first. Replies to callers are in `replies`.
    pub pending: VecDeque<Action>,
    pub replies: Vec<(u64, Reply)>,
    pub states: Vec<SessionState>,
    pub locked: bool,
    /// What is in the storage.
    pub stored: StorageRead,
    callers: u64,
}

pub fn settings() -> SessionSettings {
    let mut settings = SessionSettings::default();
    settings.seed = 11;
    settings
}

/// A pair with an opaque access token.
pub fn pair(number: u32) -> TokenPair {
    let access = AccessToken::new(format!("a{number}"));
    TokenPair::new(access, RefreshToken::new(format!("r{number}"))).expires_in(LIFETIME)
}

impl MachineFixture {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: SessionSettings) -> Self {
        let wall = Timestamp::from_seconds(1_700_000_000);
        Self {
            machine: Machine::new(settings),
            now: DeviceTime { monotonic: Duration::from_secs(5), wall },
            server: wall,
            pending: VecDeque::new(),
            replies: Vec::new(),
            states: Vec::new(),
            locked: false,
            stored: StorageRead::Empty,
            callers: 0,
        }
    }

    /// Signed in with pair 1.
    pub fn signed_in() -> Self {
        Self::signed_in_with(settings())
    }

    pub fn signed_in_with(settings: SessionSettings) -> Self {
        let mut fixture = Self::with(settings);
        let caller = fixture.sign_in(pair(1));
        fixture.finish_lock();
        assert_eq!(fixture.finish_write(true), pair_tokens(1));
        assert_eq!(fixture.reply_to(caller), Some(Reply::Done));
        assert!(fixture.is_idle());
        fixture
    }

    /// Signed in, and the access token has expired.
    pub fn expired() -> Self {
        let mut fixture = Self::signed_in();
        fixture.wait(LIFETIME);
        fixture
    }

    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && !self.locked && self.machine.is_idle()
    }

    pub fn wait(&mut self, span: Duration) {
        self.now.monotonic += span;
        self.now.wall = self.now.wall.plus(span);
        self.server = self.server.plus(span);
    }

    /// Waits until the machine wants to be woken, and wakes it.
    pub fn wake(&mut self) {
        let at = self.machine.wake_at().expect("the machine has set a timer");
        self.wait(at.saturating_sub(self.now.monotonic));
        self.handle(Event::Tick);
    }

    pub fn handle(&mut self, event: Event) {
        for action in self.machine.handle(self.now, event) {
            match action {
                Action::Give { caller, token } => {
                    self.replies.push((caller.0, Reply::Token(token.expose().to_owned())));
                }
                Action::Done { caller } => self.replies.push((caller.0, Reply::Done)),
                Action::Fail { caller, error } => {
                    let reply = match error {
                        SessionError::SignIn(reason) => Reply::SignIn(reason),
                        SessionError::Retry { cause, retry_after } => {
                            Reply::Later(cause, retry_after)
                        }
                    };
                    self.replies.push((caller.0, reply));
                }
                Action::SignedOut { caller, outcome } => {
                    self.replies.push((caller.0, Reply::SignedOut(outcome)));
                }
                Action::StateChanged(state) => self.states.push(state),
                Action::Unlock => {
                    assert!(std::mem::take(&mut self.locked), "it is unlocked");
                }
                action => self.pending.push_back(action),
            }
        }
    }

    fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    pub fn acquire(&mut self) -> u64 {
        let caller = self.caller();
        self.handle(Event::Acquire { caller });
        caller.0
    }

    pub fn renew(&mut self, refused: &str) -> u64 {
        let caller = self.caller();
        self.handle(Event::Renew { caller, rejected: AccessToken::new(refused) });
        caller.0
    }

    pub fn sign_in(&mut self, pair: TokenPair) -> u64 {
        let caller = self.caller();
        self.handle(Event::SignIn { caller, pair });
        caller.0
    }

    pub fn sign_out(&mut self) -> u64 {
        let caller = self.caller();
        self.handle(Event::SignOut { caller });
        caller.0
    }

    /// What this caller received; at most once.
    pub fn reply_to(&self, caller: u64) -> Option<Reply> {
        let replies: Vec<_> = self.replies.iter().filter(|(who, _)| *who == caller).collect();
        assert!(replies.len() <= 1, "answered twice: {replies:?}");
        replies.first().map(|(_, reply)| reply.clone())
    }

    fn next(&mut self, what: &str) -> Action {
        self.pending
            .pop_front()
            .unwrap_or_else(|| panic!("expected {what}, but no action is pending"))
    }

    pub fn finish_lock(&mut self) {
        let Action::Lock { ticket } = self.next("the lock") else { panic!("no lock") };
        assert!(!self.locked, "it is locked");
        self.locked = true;
        self.handle(Event::Locked { ticket });
    }

    pub fn finish_read(&mut self, found: StorageRead) {
        let Action::Read { ticket } = self.next("a read") else { panic!("no read") };
        self.handle(Event::Read { ticket, found });
    }

    /// Performs a read that returns the pair that the machine stored last.
    pub fn finish_read_stored(&mut self) {
        self.finish_read(self.stored.clone());
    }

    /// Performs a read that returns a pair of another process.
    pub fn finish_read_of_other(&mut self, number: u32) {
        self.stored = StorageRead::Pair(self.pair_of_other_process(number));
        self.finish_read_stored();
    }

    /// A pair as another process would store it now.
    pub fn pair_of_other_process(&self, number: u32) -> TokenPair {
        let mut other = Self { now: self.now, server: self.server, ..Self::new() };
        other.sign_in(pair(number));
        other.finish_lock();
        match other.next("a write") {
            Action::Write { pair, .. } => pair,
            action => panic!("no write, but {action:?}"),
        }
    }

    /// Performs a write, or fails it, and returns its tokens.
    pub fn finish_write(&mut self, done: bool) -> (String, String) {
        match self.next("a write") {
            Action::Write { ticket, pair } => {
                assert!(self.locked, "written without the lock");
                if done {
                    self.stored = StorageRead::Pair(pair.clone());
                }
                self.handle(Event::Written { ticket, done });
                let (access, refresh) = (pair.access_token(), pair.refresh_token());
                (access.expose().to_owned(), refresh.expose().to_owned())
            }
            action => panic!("no write, but {action:?}"),
        }
    }

    pub fn finish_clear(&mut self, done: bool) {
        let Action::Clear { ticket } = self.next("a clear") else { panic!("no clear") };
        assert!(self.locked, "cleared without the lock");
        if done {
            self.stored = StorageRead::Empty;
        }
        self.handle(Event::Written { ticket, done });
    }

    /// Writes the note that a session remains to be revoked, or fails to; returns its refresh token.
    pub fn finish_retire(&mut self, done: bool) -> String {
        match self.next("a note") {
            Action::Retire { ticket, pair } => {
                assert!(self.locked, "written without the lock");
                if done {
                    self.stored = StorageRead::Retired(pair.clone());
                }
                self.handle(Event::Written { ticket, done });
                pair.refresh_token().expose().to_owned()
            }
            action => panic!("no note, but {action:?}"),
        }
    }

    /// The refresh token whose session is to be revoked.
    pub fn take_revoke(&mut self) -> (Ticket, String) {
        let is_revoke = |action: &Action| matches!(action, Action::Revoke { .. });
        let index = self.pending.iter().position(is_revoke).expect("a revocation");
        match self.pending.remove(index) {
            Some(Action::Revoke { ticket, pair }) => {
                (ticket, pair.refresh_token().expose().to_owned())
            }
            _ => unreachable!(),
        }
    }

    /// The refresh token that is sent.
    pub fn take_send(&mut self) -> (Ticket, String) {
        match self.next("a request") {
            Action::Send { ticket, pair } => {
                assert!(self.locked, "sent without the lock");
                (ticket, pair.refresh_token().expose().to_owned())
            }
            action => panic!("no request, but {action:?}"),
        }
    }

    /// Lock, read, send with pair `number`.
    pub fn start_refresh(&mut self, number: u32) -> Ticket {
        self.finish_lock();
        self.finish_read_stored();
        let (ticket, sent) = self.take_send();
        assert_eq!(sent, format!("r{number}"));
        ticket
    }

    pub fn grant(&mut self, ticket: Ticket, number: u32) {
        let grant = Grant {
            access: AccessToken::new(format!("a{number}")),
            refresh: Some(RefreshToken::new(format!("r{number}"))),
            lifetime: Some(LIFETIME),
            date: Some(self.server),
        };
        self.handle(Event::Answered { ticket, answer: RefreshAnswer::Granted(grant) });
    }

    pub fn answer(&mut self, ticket: Ticket, answer: RefreshAnswer) {
        self.handle(Event::Answered { ticket, answer });
    }

    /// A complete refresh from pair `from` to pair `to`.
    pub fn complete_refresh(&mut self, from: u32, to: u32) {
        let ticket = self.start_refresh(from);
        self.grant(ticket, to);
        self.finish_read_stored();
        assert_eq!(self.finish_write(true), pair_tokens(to));
    }
}

pub fn pair_tokens(number: u32) -> (String, String) {
    (format!("a{number}"), format!("r{number}"))
}

pub fn token(number: u32) -> Option<Reply> {
    Some(Reply::Token(format!("a{number}")))
}
