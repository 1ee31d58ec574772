//! What a machine is told, and what it wants done.

use crate::types::AccessToken;

use super::answer::Answer;
use super::pair::Pair;
use super::reason::{Refusal, State};

/// One who asked for something and will be answered once. Chosen by whoever drives the machine;
/// never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// Ties a report to the action that it is about. Reports with an old ticket are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u64);

/// What was found in the storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// A pair.
    Pair(Pair),
    /// Nothing.
    Nothing,
    /// Something that is not a pair.
    Unreadable,
    /// The storage could not be read.
    Failed,
}

/// What happens to a machine.
#[derive(Clone, Debug)]
pub enum Event {
    /// A caller wants an access token.
    Want {
        /// Who.
        caller: Caller,
    },
    /// The server refused (401) this access token, and a caller wants another one.
    Refused {
        /// Who.
        caller: Caller,
        /// The token that was refused.
        token: AccessToken,
    },
    /// A caller does not want its answer any more. Nothing else stops.
    Cancel {
        /// Who.
        caller: Caller,
    },
    /// The app has logged in.
    SignIn {
        /// Who is to be told when the pair is stored.
        caller: Caller,
        /// The pair that the login was answered with.
        pair: Pair,
    },
    /// The user signs out.
    SignOut {
        /// Who is to be told when the storage is cleared.
        caller: Caller,
    },
    /// The lock was taken.
    Locked {
        /// Of the action.
        ticket: Ticket,
    },
    /// The lock could not be taken: it is not held.
    LockFailed {
        /// Of the action.
        ticket: Ticket,
    },
    /// The storage was read.
    Read {
        /// Of the action.
        ticket: Ticket,
        /// What was found.
        found: Found,
    },
    /// The storage was written or cleared, or that failed.
    Written {
        /// Of the action.
        ticket: Ticket,
        /// Whether it is done. When not, it may be done nevertheless.
        done: bool,
    },
    /// The server answered.
    Answered {
        /// Of the action.
        ticket: Ticket,
        /// What it said.
        answer: Answer,
    },
    /// No answer came, and none will be waited for. Whether the request arrived is not known.
    Unanswered {
        /// Of the action.
        ticket: Ticket,
    },
    /// Time has passed: see [`Machine::wake_at`](super::Machine::wake_at).
    Tick,
}

/// What is to be done, in this order. Every action with a ticket is reported on by an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Answer the caller: use this token.
    Give {
        /// Who.
        caller: Caller,
        /// The token.
        token: AccessToken,
    },
    /// Answer the caller: there is none.
    Refuse {
        /// Who.
        caller: Caller,
        /// Why.
        refusal: Refusal,
    },
    /// Answer the caller: signed in, or signed out.
    Done {
        /// Who.
        caller: Caller,
    },
    /// Take the lock of the storage, against every other process. A storage that has none
    /// reports at once that it is taken.
    Lock {
        /// For the report.
        ticket: Ticket,
    },
    /// Release the lock. Not reported on.
    Unlock,
    /// Read the storage.
    Read {
        /// For the report.
        ticket: Ticket,
    },
    /// Store this pair in place of whatever is there, durably.
    Write {
        /// For the report.
        ticket: Ticket,
        /// The pair.
        pair: Pair,
    },
    /// Remove whatever is stored, durably.
    Clear {
        /// For the report.
        ticket: Ticket,
    },
    /// Ask the refresh endpoint with this pair. Once sent, it is not taken back.
    Send {
        /// For the report.
        ticket: Ticket,
        /// The pair.
        pair: Pair,
    },
    /// Tell whoever watches.
    State(State),
}
