//! What a store answers.

use crate::session::{Decision, DiscardedChild, Record};
use crate::types::SessionId;

/// A session of a user, with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its id.
    pub id: SessionId,
    /// Its record.
    pub record: Record,
}

/// What a store answers to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The record of the session.
    pub record: Record,
    /// The user's sessions that had to give way to it, in no order; told again when the login is
    /// repeated.
    pub displaced: Vec<SessionId>,
}

/// What a store answers to a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// What is to be done.
    pub decision: Decision,
    /// The access tokens that came with this child are to be refused from now on.
    pub discarded: Option<DiscardedChild>,
}

/// What a store answers to the revocation of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedSession {
    /// What became of the session.
    pub outcome: RevocationOutcome,
    /// Whether replicas have it.
    pub replicated: Replicated,
}

/// What became of a session that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// It was live until now.
    Revoked,
    /// It had been revoked before, and keeps that reason.
    AlreadyRevoked,
    /// There is no such session of this user, or it has expired.
    Unknown,
}

/// What a store answers to the revocation of several sessions of a user, in no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSessions {
    /// Those that were live until now.
    pub revoked: Vec<SessionId>,
    /// Those that were meant and had been revoked before; they keep their reasons.
    pub already_revoked: Vec<SessionId>,
    /// Whether replicas have it.
    pub replicated: Replicated,
}

/// Whether a revocation is safe from the loss of the one server that acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicated {
    /// The store has no replicas, or was not set up to wait for them.
    NotAsked,
    /// As many replicas as are wanted have it.
    Yes,
    /// Too few replicas had it in time: a failover may bring the session back.
    No,
}

impl Replicated {
    /// Yes or no; `None` where it was not asked.
    pub const fn answer(self) -> Option<bool> {
        match self {
            Self::NotAsked => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}
