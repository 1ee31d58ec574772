//! The decision about one presented refresh token.

use crate::revocation::DiscardedChild;
use crate::types::{FamilyPosition, Generation, RevocationReason, Timestamp};

use super::TokenId;
use super::policy::RefreshPolicy;
use super::record::{Child, Record, State};

/// A refresh token whose signature was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshAttempt {
    /// Its generation: the `gen` claim.
    pub generation: Generation,
    /// Its branch: the `brn` claim.
    pub branch: u32,
    /// The id of its secret.
    pub id: TokenId,
    /// The id of its parent's secret: the `par` claim; `None` for the token of a login.
    pub parent: Option<TokenId>,
    /// When it was minted: the `iat` claim.
    pub issued_at: Timestamp,
    /// When it ends: the `exp` claim.
    pub expires_at: Timestamp,
}

/// The child that a decision hands out. With the parent's secret this is all that it takes to
/// mint it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedChild {
    /// Its place in the chain.
    pub family_position: FamilyPosition,
    /// Its `iat`.
    pub issued_at: Timestamp,
    /// Its `exp`.
    pub expires_at: Timestamp,
}

/// How a second holder was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Theft {
    /// Two different tokens claim the same place in the chain.
    Fork,
    /// The parent is back although its child is in use.
    ParentReturned,
    /// A child that was given up as lost is in use.
    AbandonedBranch,
    /// A token was used after a later one of another holder.
    OlderToken,
}

impl Theft {
    /// The stable name: `fork`, `parent_returned`, `abandoned_branch` or `older_token`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::ParentReturned => "parent_returned",
            Self::AbandonedBranch => "abandoned_branch",
            Self::OlderToken => "older_token",
        }
    }
}

/// What is to be done about a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Hand out a new child.
    Rotate(IssuedChild),
    /// Hand out the same child once more.
    Replay(IssuedChild),
    /// Hand out an access token only; the refresh token stays (rotation off).
    Renew,
    /// No token and no revocation: the holder has a newer token, let it ask with that.
    Superseded,
    /// Two holders: the session is revoked.
    Theft(Theft),
    /// The session was ended before.
    Revoked(RevocationReason),
    /// The token or the session is past its lifetime.
    Expired,
}

/// A decision and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is to be done.
    pub decision: Decision,
    /// The record to write; `None` when nothing changed.
    pub record: Option<Record>,
    /// The access tokens that came with this child are to be refused from now on.
    pub denied: Option<DiscardedChild>,
}

impl Step {
    fn unchanged(decision: Decision) -> Self {
        Self { decision, record: None, denied: None }
    }

    fn theft(record: &Record, theft: Theft, now: Timestamp) -> Self {
        Self {
            decision: Decision::Theft(theft),
            record: Some(record.revoked(RevocationReason::Reused, now)),
            denied: None,
        }
    }
}

/// Decides about `presented` at `now`.
pub fn step(
    record: &Record,
    presented: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> Step {
    if now >= presented.expires_at || now >= record.expires_at {
        return Step::unchanged(Decision::Expired);
    }
    if let State::Revoked(reason) = record.state {
        return Step::unchanged(Decision::Revoked(reason));
    }
    if presented.generation == record.generation {
        confirmed_again(record, presented, now, policy)
    } else if presented.generation > record.generation {
        newer(record, presented, now, policy)
    } else {
        older(record, presented, now, policy)
    }
}

/// The confirmed token is presented once more, or another one in its place.
fn confirmed_again(
    record: &Record,
    presented: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> Step {
    if presented.id != record.id {
        return Step::theft(record, Theft::Fork, now);
    }
    let Some(child) = record.child else {
        return issue(record, now.max(after(presented.issued_at)), 0, policy, now);
    };
    if now <= child.issued_at.plus(policy.grace) {
        // Tabs, retries and double clicks converge on one child.
        return Step::unchanged(if policy.rotate {
            Decision::Replay(minted(record, child))
        } else {
            Decision::Renew
        });
    }
    if child.used {
        return Step::theft(record, Theft::ParentReturned, now);
    }
    // The child was never seen: its answer was lost, or a thief holds it. The holder in front of
    // us gets the next branch, and whoever uses the abandoned one gives himself away.
    let mut next =
        issue(record, now.max(after(child.issued_at)), child.branch.saturating_add(1), policy, now);
    if policy.rotate {
        next.denied = Some(DiscardedChild {
            family_position: record.child_position(child.branch),
            issued_until: child.issued_at.plus(policy.grace),
        });
    }
    next
}

/// A token that this record has not seen: the child, or, where the store lost writes, a later
/// descendant. Its signature proves that it was minted.
fn newer(
    record: &Record,
    presented: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> Step {
    if let Some(child) = record.child {
        if presented.generation == record.generation.saturating_add(1)
            && presented.branch < child.branch
        {
            return Step::theft(record, Theft::AbandonedBranch, now);
        }
        if child.issued_at > presented.issued_at.plus(policy.grace) {
            return Step::theft(record, Theft::OlderToken, now);
        }
    }
    if presented.generation == record.generation.saturating_add(1)
        && presented.parent != Some(record.id)
    {
        return Step::theft(record, Theft::Fork, now);
    }
    let confirmed_at = Record {
        generation: presented.generation,
        id: presented.id,
        child: None,
        confirmed_at: now,
        ..record.clone()
    };
    let mut next = issue(&confirmed_at, now.max(after(presented.issued_at)), 0, policy, now);
    next.record.get_or_insert(confirmed_at);
    next
}

/// A token from before the confirmed one.
fn older(
    record: &Record,
    presented: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> Step {
    let parent = presented.generation.saturating_add(1) == record.generation;
    if parent && now <= record.confirmed_at.plus(policy.grace) {
        return Step::unchanged(Decision::Superseded);
    }
    Step::theft(record, Theft::OlderToken, now)
}

/// Mints a child at `at`; with rotation off, none.
fn issue(
    record: &Record,
    at: Timestamp,
    branch: u32,
    policy: &RefreshPolicy,
    now: Timestamp,
) -> Step {
    if !policy.rotate {
        return Step::unchanged(Decision::Renew);
    }
    let child = Child { branch, issued_at: at, used: false };
    let next = Record {
        child: Some(child),
        idle_deadline: now.plus(policy.idle_ttl).min(record.expires_at),
        ..record.clone()
    };
    Step { decision: Decision::Rotate(minted(&next, child)), record: Some(next), denied: None }
}

fn minted(record: &Record, child: Child) -> IssuedChild {
    IssuedChild {
        family_position: record.child_position(child.branch),
        issued_at: child.issued_at,
        expires_at: record.idle_deadline,
    }
}

/// The first instant later than `instant` that a record can hold.
fn after(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_add(1)).min(Record::LAST_INSTANT)
}
