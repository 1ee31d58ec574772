//! The inputs and outputs of [`Machine`](super::machine::Machine): [`Event`]s report what happened,
//! [`Action`]s say what to do.

use std::time::Duration;

use crate::types::AccessToken;

use super::error::{SessionError, SessionState, SignOutOutcome, SignOutReason, TransientError};
use super::pair::{Grant, TokenPair};

/// Identifies a caller, which receives exactly one reply. Chosen by the driver and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// Ties a report to the [`Action`] that it is about. Reports with an old ticket are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u64);

/// What happened, as reported to the machine.
#[derive(Clone, Debug)]
pub enum Event {
    /// The session starts: read the storage, so that the state is known. Sends no refresh.
    Start,
    /// A caller wants an access token.
    Acquire {
        /// The caller.
        caller: Caller,
    },
    /// A server rejected this access token with 401, and the caller wants another one.
    Renew {
        /// The caller.
        caller: Caller,
        /// The rejected token.
        rejected: AccessToken,
    },
    /// A caller no longer waits for its reply. Nothing else stops.
    Cancel {
        /// The caller.
        caller: Caller,
    },
    /// The user has logged in.
    SignIn {
        /// The caller; receives its reply once the pair is stored.
        caller: Caller,
        /// The pair from the login response.
        pair: TokenPair,
    },
    /// The user signs out.
    SignOut {
        /// The caller; receives its reply once the storage is cleared.
        caller: Caller,
    },
    /// The storage lock was taken.
    Locked {
        /// From the action.
        ticket: Ticket,
    },
    /// The storage lock could not be taken and is not held.
    LockFailed {
        /// From the action.
        ticket: Ticket,
        /// Why.
        cause: TransientError,
    },
    /// The storage was read, or the read failed.
    Read {
        /// From the action.
        ticket: Ticket,
        /// The result.
        found: StorageRead,
    },
    /// The storage was written or cleared, or that failed.
    Written {
        /// From the action.
        ticket: Ticket,
        /// Whether the write is known to have succeeded. `false` means that the outcome is unknown.
        done: bool,
    },
    /// The refresh endpoint answered.
    Answered {
        /// From the action.
        ticket: Ticket,
        /// The answer.
        answer: RefreshAnswer,
    },
    /// The refresh request failed without a response. It may or may not have arrived.
    Unanswered {
        /// From the action.
        ticket: Ticket,
    },
    /// The logout endpoint answered, or the request failed.
    Revoked {
        /// From the action.
        ticket: Ticket,
        /// The answer.
        answer: RevocationAnswer,
    },
    /// Time has passed: see [`Machine::wake_at`](super::machine::Machine::wake_at).
    Tick,
}

/// What the driver must do, in order. Every action with a ticket is reported back by an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reply to the caller with this token.
    Give {
        /// The caller.
        caller: Caller,
        /// The token.
        token: AccessToken,
    },
    /// Reply to the caller with this error.
    Fail {
        /// The caller.
        caller: Caller,
        /// The error.
        error: SessionError,
    },
    /// Reply to the caller that its sign-in or sign-out is complete.
    Done {
        /// The caller.
        caller: Caller,
    },
    /// Reply to the caller of a sign-out that involves the server: see
    /// [`SessionSettings::revoke_on_sign_out`](super::SessionSettings::revoke_on_sign_out).
    SignedOut {
        /// The caller.
        caller: Caller,
        /// What was achieved.
        outcome: SignOutOutcome,
    },
    /// Lock the storage against every other process. For a storage without a lock, report success
    /// at once.
    Lock {
        /// For the report.
        ticket: Ticket,
    },
    /// Release the lock. Not reported back.
    Unlock,
    /// Read the storage.
    Read {
        /// For the report.
        ticket: Ticket,
    },
    /// Durably replace the content of the storage with this pair.
    Write {
        /// For the report.
        ticket: Ticket,
        /// The pair.
        pair: TokenPair,
    },
    /// Durably clear the storage.
    Clear {
        /// For the report.
        ticket: Ticket,
    },
    /// Durably replace the content of the storage with the note that the session of this pair is
    /// signed out and remains to be revoked.
    Retire {
        /// For the report, an [`Event::Written`].
        ticket: Ticket,
        /// The pair.
        pair: TokenPair,
    },
    /// Ask the logout endpoint to revoke the session of this pair.
    Revoke {
        /// For the report.
        ticket: Ticket,
        /// The pair.
        pair: TokenPair,
    },
    /// Send a refresh request for this pair. It is never aborted by the machine.
    Send {
        /// For the report.
        ticket: Ticket,
        /// The pair.
        pair: TokenPair,
    },
    /// Notify the watchers of the session state.
    StateChanged(SessionState),
}

/// The result of reading the storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageRead {
    /// A token pair.
    Pair(TokenPair),
    /// A pair that was signed out and remains to be revoked.
    Retired(TokenPair),
    /// The storage is empty.
    Empty,
    /// The stored bytes are not a token pair.
    Unreadable,
    /// The storage has lost its content for good.
    Lost,
    /// The storage could not be read.
    Failed,
}

impl StorageRead {
    /// Parses the stored bytes; `None` for an empty storage.
    pub fn of_bytes(bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => Self::Empty,
            Some(bytes) => match TokenPair::from_bytes(bytes) {
                Some((pair, false)) => Self::Pair(pair),
                Some((pair, true)) => Self::Retired(pair),
                None => Self::Unreadable,
            },
        }
    }
}

/// The meaning of a response from the refresh endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefreshAnswer {
    /// New tokens.
    Granted(Grant),
    /// The refresh token was replaced a moment ago: retry with the newest one.
    Superseded,
    /// The session is over: the user must sign in.
    SignedOut(SignOutReason),
    /// A temporary failure, or a response that says nothing about the session.
    Unavailable {
        /// What failed.
        cause: TransientError,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// The meaning of a response from the logout endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationAnswer {
    /// The session is over.
    Revoked,
    /// The server refuses: another attempt would not succeed either.
    Refused,
    /// A temporary failure, or no answer.
    Unavailable {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_storage_is_distinguished_from_an_unreadable_one() {
        assert_eq!(StorageRead::of_bytes(None), StorageRead::Empty);
        for bad in [
            "",
            "{",
            "{}",
            r#"{"version":3,"accessToken":"a","refreshToken":"r"}"#,
            r#"{"version":1,"accessToken":"a"}"#,
        ] {
            let read = StorageRead::of_bytes(Some(bad.as_bytes()));
            assert_eq!(read, StorageRead::Unreadable, "{bad}");
        }
    }
}
