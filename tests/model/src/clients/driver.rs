//! The driver of a client's state machine: correct, or with a flaw.

use regrant::client::machine::{
    Action, Caller, DeviceTime, Event, Machine, RefreshAnswer, StorageRead,
};
use regrant::client::{SessionSettings, SignOutReason, TokenPair};
use regrant::types::AccessToken;

/// A flaw of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// No flaw.
    None,
    /// A pair is used before it is stored.
    UsesBeforeStoring,
    /// A failed write is reported as done.
    BelievesFailedWrites,
    /// The operation in flight is dropped when a caller gives up.
    DropsOnCancel,
    /// The storage is read once, and not again before a refresh.
    DoesNotReadAgain,
    /// A missing response is reported as the end of the session.
    SignsOutUnanswered,
    /// A busy server is reported as the end of the session.
    SignsOutWhenBusy,
    /// A superseded token is reported as the end of the session.
    SignsOutSuperseded,
    /// A failed read is reported as an empty storage.
    TakesUnreadForEmpty,
    /// The driver does not wait for the lock.
    IgnoresTheLock,
    /// The lock is released after the response, before the pair is stored.
    UnlocksTooSoon,
    /// The lock is never released.
    KeepsTheLock,
    /// Timers never fire.
    DoesNotWake,
}

/// One process of the app.
#[derive(Clone, Debug, Hash)]
pub struct Process {
    pub machine: Machine,
    /// The seconds by which its wall clock is ahead.
    pub offset: i64,
    /// The operation in flight.
    pub pending: Option<Action>,
    /// The waiting callers.
    pub callers: Vec<Caller>,
    pub asked: u64,
    /// The latest access token that this process got.
    pub given: Option<AccessToken>,
    /// For drivers with a flaw: a write that is not awaited, and the first read.
    pub unwritten: Option<TokenPair>,
    pub remembered: Option<StorageRead>,
}

impl Process {
    pub fn new(offset: i64) -> Self {
        Self {
            machine: Machine::new(SessionSettings::default()),
            offset,
            pending: None,
            callers: Vec::new(),
            asked: 0,
            given: None,
            unwritten: None,
            remembered: None,
        }
    }

    /// The pair that this process would store at a login.
    pub fn signs_in(mut self, now: DeviceTime, pair: TokenPair) -> TokenPair {
        let signs_in = Event::SignIn { caller: Caller(0), pair };
        let Some(Action::Lock { ticket }) = self.machine.handle(now, signs_in).pop() else {
            unreachable!("a sign-in takes the lock");
        };
        match self.machine.handle(now, Event::Locked { ticket }).pop() {
            Some(Action::Write { pair, .. }) => pair,
            other => unreachable!("a sign-in is stored, not {other:?}"),
        }
    }

    /// Whether no caller waits and nothing is in flight.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_none() && self.callers.is_empty() && self.machine.is_idle()
    }

    pub fn next_caller(&mut self) -> Caller {
        self.asked += 1;
        let caller = Caller(self.asked);
        self.callers.push(caller);
        caller
    }

    /// Reports an event to the machine.
    pub fn notify(&mut self, now: DeviceTime, event: Event, flaw: Flaw) -> Vec<Action> {
        let event = flaw.bend(event);
        let mut actions = self.machine.handle(now, event);
        if flaw == Flaw::UsesBeforeStoring
            && let Some(Action::Write { ticket, pair }) = actions.last().cloned()
        {
            actions.pop();
            self.unwritten = Some(pair);
            actions.extend(self.machine.handle(now, Event::Written { ticket, done: true }));
        }
        actions
    }
}

impl Flaw {
    /// The event as a driver with this flaw reports it.
    fn bend(self, event: Event) -> Event {
        let end = RefreshAnswer::SignedOut(SignOutReason::Unknown);
        match (self, event) {
            (Self::BelievesFailedWrites, Event::Written { ticket, .. }) => {
                Event::Written { ticket, done: true }
            }
            (Self::SignsOutUnanswered, Event::Unanswered { ticket }) => {
                Event::Answered { ticket, answer: end }
            }
            (Self::SignsOutWhenBusy, Event::Answered { ticket, answer }) => {
                let busy = matches!(answer, RefreshAnswer::Unavailable { .. });
                Event::Answered { ticket, answer: if busy { end } else { answer } }
            }
            (Self::SignsOutSuperseded, Event::Answered { ticket, answer }) => {
                let superseded = answer == RefreshAnswer::Superseded;
                Event::Answered { ticket, answer: if superseded { end } else { answer } }
            }
            (Self::TakesUnreadForEmpty, Event::Read { ticket, found: StorageRead::Failed }) => {
                Event::Read { ticket, found: StorageRead::Empty }
            }
            (_, event) => event,
        }
    }
}
