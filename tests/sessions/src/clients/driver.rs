//! What stands between a machine and the world: it does as it is told, or is broken on purpose.

use regrant::client::{
    Action, Caller, DeviceTime, Event, Machine, RefreshAnswer, SessionSettings, SignOutReason,
    StorageRead, TokenPair,
};
use regrant::types::AccessToken;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Nothing.
    None,
    /// A pair is used before it is stored.
    UsesBeforeStoring,
    /// A write that failed is taken for done.
    BelievesFailedWrites,
    /// What is under way is dropped when a caller gives up.
    DropsOnCancel,
    /// The storage is read once, and not again before a refresh.
    DoesNotReadAgain,
    /// No answer is taken for the end of the session.
    SignsOutUnanswered,
    /// A busy server is taken for the end of the session.
    SignsOutWhenBusy,
    /// A superseded token is taken for the end of the session.
    SignsOutSuperseded,
    /// A storage that cannot be read is taken for an empty one.
    TakesUnreadForEmpty,
    /// It does not wait for the lock.
    IgnoresTheLock,
    /// The lock is released when the server has answered, before the pair is stored.
    UnlocksTooSoon,
    /// The lock stays taken when all is done.
    KeepsTheLock,
    /// It does not wake.
    DoesNotWake,
}

/// One process of the app.
#[derive(Clone, Debug, Hash)]
pub struct Process {
    pub machine: Machine,
    /// By how many seconds its wall clock is ahead.
    pub offset: i64,
    /// What it wants done and awaits a report of.
    pub pending: Option<Action>,
    /// Who waits for an answer.
    pub callers: Vec<Caller>,
    pub asked: u64,
    /// The access token that it was last given.
    pub given: Option<AccessToken>,
    /// A write that it does not wait for, and what was last found: for processes that are broken.
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

    /// What this process would store of the pair of a login.
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

    /// Nobody waits, and nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_none() && self.callers.is_empty() && self.machine.is_idle()
    }

    pub fn next_caller(&mut self) -> Caller {
        self.asked += 1;
        let caller = Caller(self.asked);
        self.callers.push(caller);
        caller
    }

    /// The machine, told of an event.
    pub fn tell(&mut self, now: DeviceTime, event: Event, flaw: Flaw) -> Vec<Action> {
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
    /// The event as a broken driver tells it.
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
