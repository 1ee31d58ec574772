//! A machine whose actions are carried out by hand.

use std::collections::VecDeque;
use std::time::Duration;

use regrant::client::{
    Action, Answer, Caller, Event, Found, Grant, Machine, Now, Pair, Refusal, Settings,
    SignOutReason, State, Ticket, Trouble,
};
use regrant::types::{AccessToken, RefreshToken, Timestamp};

/// How long every access token here lives.
pub const LIFETIME: Duration = Duration::from_secs(900);

/// What a caller was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Token(String),
    Done,
    SignIn(SignOutReason),
    Later(Trouble, Duration),
}

/// The machine, the clocks of its device, and what it wants done.
#[derive(Clone)]
pub struct Bench {
    pub machine: Machine,
    pub now: Now,
    /// The wall clock of the server.
    pub server: Timestamp,
    /// What is to be done, oldest first. Answers to callers are in `told`.
    pub wanted: VecDeque<Action>,
    pub told: Vec<(u64, Told)>,
    pub states: Vec<State>,
    pub locked: bool,
    /// What is in the storage.
    pub stored: Found,
    callers: u64,
}

pub fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.seed = 11;
    settings
}

/// A pair whose access token says nothing of itself.
pub fn pair(number: u32) -> Pair {
    let access = AccessToken::new(format!("a{number}"));
    Pair::new(access, RefreshToken::new(format!("r{number}"))).expires_in(LIFETIME)
}

impl Bench {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Settings) -> Self {
        let wall = Timestamp::from_seconds(1_700_000_000);
        Self {
            machine: Machine::new(settings),
            now: Now { monotonic: Duration::from_secs(5), wall },
            server: wall,
            wanted: VecDeque::new(),
            told: Vec::new(),
            states: Vec::new(),
            locked: false,
            stored: Found::Nothing,
            callers: 0,
        }
    }

    /// Signed in with pair 1.
    pub fn signed_in() -> Self {
        Self::signed_in_with(settings())
    }

    pub fn signed_in_with(settings: Settings) -> Self {
        let mut bench = Self::with(settings);
        let caller = bench.sign_in(pair(1));
        bench.locks();
        assert_eq!(bench.writes(true), pair_tokens(1));
        assert_eq!(bench.told_to(caller), Some(Told::Done));
        assert!(bench.is_at_rest());
        bench
    }

    /// Signed in, and the access token has expired.
    pub fn expired() -> Self {
        let mut bench = Self::signed_in();
        bench.wait(LIFETIME);
        bench
    }

    pub fn is_at_rest(&self) -> bool {
        self.wanted.is_empty() && !self.locked && self.machine.is_idle()
    }

    pub fn wait(&mut self, span: Duration) {
        self.now.monotonic += span;
        self.now.wall = self.now.wall.plus(span);
        self.server = self.server.plus(span);
    }

    /// Waits until the machine wants to be woken, and wakes it.
    pub fn wake(&mut self) {
        let at = self.machine.wake_at().expect("the machine waits for something");
        self.wait(at.saturating_sub(self.now.monotonic));
        self.event(Event::Tick);
    }

    pub fn event(&mut self, event: Event) {
        for action in self.machine.handle(self.now, event) {
            match action {
                Action::Give { caller, token } => {
                    self.told.push((caller.0, Told::Token(token.expose().to_owned())));
                }
                Action::Done { caller } => self.told.push((caller.0, Told::Done)),
                Action::Refuse { caller, refusal } => {
                    let told = match refusal {
                        Refusal::SignIn(reason) => Told::SignIn(reason),
                        Refusal::TryLater { trouble, retry_after } => {
                            Told::Later(trouble, retry_after)
                        }
                    };
                    self.told.push((caller.0, told));
                }
                Action::State(state) => self.states.push(state),
                Action::Unlock => {
                    assert!(std::mem::take(&mut self.locked), "it is unlocked");
                }
                action => self.wanted.push_back(action),
            }
        }
    }

    fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    pub fn want(&mut self) -> u64 {
        let caller = self.caller();
        self.event(Event::Want { caller });
        caller.0
    }

    pub fn want_another(&mut self, refused: &str) -> u64 {
        let caller = self.caller();
        self.event(Event::Refused { caller, token: AccessToken::new(refused) });
        caller.0
    }

    pub fn sign_in(&mut self, pair: Pair) -> u64 {
        let caller = self.caller();
        self.event(Event::SignIn { caller, pair });
        caller.0
    }

    pub fn sign_out(&mut self) -> u64 {
        let caller = self.caller();
        self.event(Event::SignOut { caller });
        caller.0
    }

    /// What this caller was answered; at most once.
    pub fn told_to(&self, caller: u64) -> Option<Told> {
        let told: Vec<_> = self.told.iter().filter(|(who, _)| *who == caller).collect();
        assert!(told.len() <= 1, "answered twice: {told:?}");
        told.first().map(|(_, told)| told.clone())
    }

    fn next(&mut self, what: &str) -> Action {
        self.wanted.pop_front().unwrap_or_else(|| panic!("nothing is wanted, let alone {what}"))
    }

    pub fn locks(&mut self) {
        let Action::Lock { ticket } = self.next("the lock") else { panic!("no lock") };
        assert!(!self.locked, "it is locked");
        self.locked = true;
        self.event(Event::Locked { ticket });
    }

    pub fn finds(&mut self, found: Found) {
        let Action::Read { ticket } = self.next("a read") else { panic!("no read") };
        self.event(Event::Read { ticket, found });
    }

    /// Finds what it has stored itself.
    pub fn finds_own(&mut self) {
        self.finds(self.stored.clone());
    }

    /// Finds what another process has stored.
    pub fn finds_pair(&mut self, number: u32) {
        self.stored = Found::Pair(self.of_another(number));
        self.finds_own();
    }

    /// A pair as another process would have stored it now.
    pub fn of_another(&self, number: u32) -> Pair {
        let mut other = Self { now: self.now, server: self.server, ..Self::new() };
        other.sign_in(pair(number));
        other.locks();
        match other.next("a write") {
            Action::Write { pair, .. } => pair,
            action => panic!("no write, but {action:?}"),
        }
    }

    /// Carries out a write, or not, and tells the tokens.
    pub fn writes(&mut self, done: bool) -> (String, String) {
        match self.next("a write") {
            Action::Write { ticket, pair } => {
                assert!(self.locked, "written without the lock");
                if done {
                    self.stored = Found::Pair(pair.clone());
                }
                self.event(Event::Written { ticket, done });
                let (access, refresh) = (pair.access_token(), pair.refresh_token());
                (access.expose().to_owned(), refresh.expose().to_owned())
            }
            action => panic!("no write, but {action:?}"),
        }
    }

    pub fn clears(&mut self, done: bool) {
        let Action::Clear { ticket } = self.next("a clear") else { panic!("no clear") };
        assert!(self.locked, "cleared without the lock");
        if done {
            self.stored = Found::Nothing;
        }
        self.event(Event::Written { ticket, done });
    }

    /// The refresh token that is sent.
    pub fn sends(&mut self) -> (Ticket, String) {
        match self.next("a request") {
            Action::Send { ticket, pair } => {
                assert!(self.locked, "sent without the lock");
                (ticket, pair.refresh_token().expose().to_owned())
            }
            action => panic!("no request, but {action:?}"),
        }
    }

    /// Lock, read, send with pair `number`.
    pub fn asks_with(&mut self, number: u32) -> Ticket {
        self.locks();
        self.finds_own();
        let (ticket, sent) = self.sends();
        assert_eq!(sent, format!("r{number}"));
        ticket
    }

    pub fn grants(&mut self, ticket: Ticket, number: u32) {
        let grant = Grant {
            access: AccessToken::new(format!("a{number}")),
            refresh: Some(RefreshToken::new(format!("r{number}"))),
            lifetime: Some(LIFETIME),
            date: Some(self.server),
        };
        self.event(Event::Answered { ticket, answer: Answer::Granted(grant) });
    }

    pub fn answers(&mut self, ticket: Ticket, answer: Answer) {
        self.event(Event::Answered { ticket, answer });
    }

    /// The whole way from pair `from` to pair `to`.
    pub fn renews(&mut self, from: u32, to: u32) {
        let ticket = self.asks_with(from);
        self.grants(ticket, to);
        self.finds_own();
        assert_eq!(self.writes(true), pair_tokens(to));
    }
}

pub fn pair_tokens(number: u32) -> (String, String) {
    (format!("a{number}"), format!("r{number}"))
}

pub fn token(number: u32) -> Option<Told> {
    Some(Told::Token(format!("a{number}")))
}
