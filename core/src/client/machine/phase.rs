//! What is under way. One thing at a time: whatever touches the storage or the refresh endpoint
//! comes after what was there before.

use std::time::Duration;

use crate::client::event::{Caller, Ticket};
use crate::client::now::Now;
use crate::client::pair::Pair;
use crate::client::reason::SignOutReason;
use crate::types::RefreshToken;

/// What is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Nothing.
    Idle,
    /// The storage is read without the lock.
    Looking(Ticket),
    /// The lock is being taken. It is held in all that follow.
    Locking(Ticket),
    /// The storage is read before a refresh.
    Reading(Ticket),
    /// The server is asked with this pair.
    Sending { ticket: Ticket, asked: Now, with: Pair },
    /// The server refused this pair; the storage is read again before that is believed.
    Rereading { ticket: Ticket, with: Pair, refused: Refused },
    /// The storage is read before it is written.
    Checking { ticket: Ticket, change: Change },
    /// The storage is written or cleared.
    Writing { ticket: Ticket, change: Change },
    /// That failed, and is to be tried again.
    Resting { until: Duration, change: Change },
}

impl Phase {
    /// The change that is under way.
    pub(super) fn change_mut(&mut self) -> Option<&mut Change> {
        match self {
            Self::Checking { change, .. }
            | Self::Writing { change, .. }
            | Self::Resting { change, .. } => Some(change),
            _ => None,
        }
    }

    /// The change that is under way.
    pub(super) fn change(&self) -> Option<&Change> {
        match self {
            Self::Checking { change, .. }
            | Self::Writing { change, .. }
            | Self::Resting { change, .. } => Some(change),
            _ => None,
        }
    }
}

/// How the server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Refused {
    Superseded,
    Finally(SignOutReason),
}

/// A change of the storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) what: What,
    /// Who waits to be told, unless it was told already that it takes too long.
    pub(super) caller: Option<Caller>,
    /// How often it failed.
    pub(super) failures: u32,
    /// When it is given up.
    pub(super) until: Duration,
}

/// What is changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// A refresh was answered.
    Renewed { child: Pair, parent: RefreshToken },
    /// The app has logged in.
    SignedIn { pair: Pair },
    /// The user signed out, or the server ended the session.
    SignedOut,
}

/// What the app wants done before any refresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Intent {
    SignIn { caller: Caller, pair: Pair, asked: Now },
    SignOut { caller: Caller, asked: Now },
}

impl Intent {
    pub(super) fn caller(&self) -> Caller {
        match self {
            Self::SignIn { caller, .. } | Self::SignOut { caller, .. } => *caller,
        }
    }

    pub(super) fn asked(&self) -> Now {
        match self {
            Self::SignIn { asked, .. } | Self::SignOut { asked, .. } => *asked,
        }
    }
}

/// A caller that waits for an access token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Waiter {
    pub(super) caller: Caller,
    /// When it is told to try later.
    pub(super) until: Duration,
}
