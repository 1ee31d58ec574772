//! What the use of an access token tells about its session: [`decide_use`].
//!
//! The Redis store does the same in Lua (`op_record_use.lua`); a differential test compares the two.

use super::record::{Child, Record, SessionState};
use crate::types::{FamilyPosition, RevocationReason, Timestamp};

/// The use of an access token, as a verifier saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessTokenUse {
    /// The position of its refresh token in the token family.
    pub family_position: FamilyPosition,
    /// Whether the verifier's deny list names it as issued with a discarded child.
    pub denied: bool,
}

/// What the use of an access token tells about its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseOutcome {
    /// The client has received the child, so from now on use of its parent is reuse.
    ChildInUse,
    /// Nothing new.
    Unchanged,
    /// The access token was issued with a discarded child: reuse is detected and the session is
    /// revoked.
    Reuse,
    /// The session was revoked before.
    Revoked(RevocationReason),
    /// The session has expired.
    Expired,
}

/// The outcome of the use of an access token, and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseTransition {
    /// What the use tells.
    pub outcome: UseOutcome,
    /// The record to write; `None` when nothing changes.
    pub record: Option<Record>,
}

/// Decides about the use of an access token at `now`.
///
/// A use that is never reported leaves the child unused. A thief of the parent then gets a child on the
/// next branch instead of revoking the session at once, and reuse is detected when the client and the
/// thief refresh or use their access tokens next. No session is revoked for a report that is missing.
pub fn decide_use(record: &Record, token_use: &AccessTokenUse, now: Timestamp) -> UseTransition {
    let unchanged = |outcome| UseTransition { outcome, record: None };
    if now >= record.expires_at {
        return unchanged(UseOutcome::Expired);
    }
    if let SessionState::Revoked(reason) = record.state {
        return unchanged(UseOutcome::Revoked(reason));
    }
    let FamilyPosition { generation, branch } = token_use.family_position;
    let child = record.child.filter(|_| generation == record.generation.saturating_add(1));
    // The record names the discarded branches also where the verifier's deny list does not.
    if token_use.denied || child.is_some_and(|child| branch < child.branch) {
        return UseTransition {
            outcome: UseOutcome::Reuse,
            record: Some(record.revoked(RevocationReason::Reused, now)),
        };
    }
    match child {
        Some(child) if branch == child.branch && !child.used => UseTransition {
            outcome: UseOutcome::ChildInUse,
            record: Some(Record {
                child: Some(Child { used: true, ..child }),
                confirmed_at: record.confirmed_at.max(now),
                ..record.clone()
            }),
        },
        _ => unchanged(UseOutcome::Unchanged),
    }
}
