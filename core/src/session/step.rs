//! The decisions: [`step`] for a refresh token, [`record_use`] for an access token.
//!
//! `step` compares the generation of the token with that of the confirmed token in the record.
//! `p` is the token, `r` the record, `c` the child of the confirmed token, `G` the grace; the
//! first line that applies decides:
//!
//! | generation | condition | decision |
//! |---|---|---|
//! | any | `p` or the session has expired (see below) | expired |
//! | | the session was revoked | revoked |
//! | `p = r` | `p.id ≠ r.id` | theft: fork |
//! | | no child | issue a child on branch 0 |
//! | | `now − c.issued_at ≤ G` | the same child again; no write |
//! | | `c` was used | theft: the parent came back |
//! | | `c` was not used | discard `c`; issue a child on the next branch |
//! | `p > r` | `p = r + 1` and `p.branch < c.branch` | theft: discarded branch |
//! | | `c.issued_at > p.issued_at + G` | theft: older token |
//! | | `p = r + 1` and `p.parent ≠ r.id` | theft: fork |
//! | | else | `p` becomes the confirmed token; issue a child on branch 0 |
//! | `p < r` | `p = r − 1` and `now − r.confirmed_at ≤ G` | superseded |
//! | | else | theft: older token |
//!
//! With rotation off nothing is issued: the decision is to renew the access token alone.
//!
//! Every granted refresh moves the idle deadline of the record, with rotation off too, except the
//! replay of a child and a renewal within its grace, which belong to the refresh before. The deadline
//! is computed from the time or, if the clock was set back, from the time of the last refresh, and
//! moves back only when the session is revoked: a clock that was behind signs nobody out.
//!
//! The confirmed token of a live session expires with the idle deadline of the record, whatever its
//! `exp` says, because its client may have refreshed since it was issued. Any other token expires by
//! its `exp`, and so does the token of a legacy app.
//!
//! The Redis store does the same in Lua (`step.lua`, `op_confirm.lua`); a differential test
//! compares the two.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::policy::RefreshPolicy;
use super::record::{Child, Record, SessionState, TokenId};
use crate::types::{FamilyPosition, Generation, RevocationReason, Timestamp};

/// A refresh token whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshAttempt {
    /// The generation: the `gen` claim.
    pub generation: Generation,
    /// The branch: the `brn` claim.
    pub branch: u32,
    /// The id of the token's secret.
    pub id: TokenId,
    /// The id of the parent's secret: the `par` claim. `None` for the token of a login.
    pub parent: Option<TokenId>,
    /// The `iat` claim.
    pub issued_at: Timestamp,
    /// The `exp` claim.
    pub expires_at: Timestamp,
}

/// What to do about a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Issue a new child.
    Rotate(IssuedChild),
    /// Issue the same child again.
    Replay(IssuedChild),
    /// Issue an access token only; the client keeps its refresh token (rotation is off).
    Renew {
        /// When the session expires unless it is refreshed again.
        expires_at: Timestamp,
    },
    /// Issue nothing and revoke nothing: the client has a newer token and should use that.
    Superseded,
    /// Reuse is detected and the session is revoked.
    Theft(Theft),
    /// The session was revoked before.
    Revoked(RevocationReason),
    /// The token or the session has expired.
    Expired,
}

/// How reuse was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Theft {
    /// Two different tokens claim the same position in the family.
    Fork,
    /// The parent was used although its child is in use.
    ParentReturned,
    /// A discarded child was used.
    DiscardedBranch,
    /// A token was used after a later one.
    OlderToken,
}

impl Theft {
    /// The stable name: `fork`, `parent_returned`, `abandoned_branch` or `older_token`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::ParentReturned => "parent_returned",
            Self::DiscardedBranch => "abandoned_branch",
            Self::OlderToken => "older_token",
        }
    }
}

/// The child that a decision issues. With the secret of its parent, this determines the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedChild {
    /// Its position in the token family.
    pub family_position: FamilyPosition,
    /// Its `iat`.
    pub issued_at: Timestamp,
    /// Its `exp`.
    pub expires_at: Timestamp,
}

/// A child that was discarded because its response is taken for lost. Use of it, or of the access
/// token that was issued with it, is reuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedChild {
    /// Its position in the token family.
    #[serde(flatten)]
    pub family_position: FamilyPosition,
    /// The last instant at which it could be issued. A store that lost the record may issue
    /// another child at the same position later.
    pub issued_until: Timestamp,
}

impl DiscardedChild {
    /// Whether an access token with this position and `iat` was issued with this child. `iat` is in
    /// whole seconds, so instants are compared by their seconds.
    pub fn covers(&self, family_position: FamilyPosition, issued_at: Timestamp) -> bool {
        family_position == self.family_position
            && issued_at.as_seconds() <= self.issued_until.as_seconds()
    }
}

/// A decision about a refresh token, and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshTransition {
    /// What to do.
    pub decision: Decision,
    /// The record to write; `None` when nothing changes.
    pub record: Option<Record>,
    /// The child that this decision discards: its access token must be denied from now on.
    pub discarded: Option<DiscardedChild>,
}

/// Decides about a refresh token at `now`.
pub fn step(
    record: &Record,
    attempt: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    if now >= deadline(record, attempt) || now >= record.expires_at {
        return unchanged(Decision::Expired);
    }
    if let SessionState::Revoked(reason) = record.state {
        return unchanged(Decision::Revoked(reason));
    }
    match attempt.generation.cmp(&record.generation) {
        Ordering::Equal => same_generation(record, attempt, now, policy),
        Ordering::Greater => later_generation(record, attempt, now, policy),
        Ordering::Less => earlier_generation(record, attempt, now, policy),
    }
}

/// When the token expires.
fn deadline(record: &Record, attempt: &RefreshAttempt) -> Timestamp {
    let is_confirmed = attempt.generation == record.generation && attempt.id == record.id;
    let is_legacy = record.migrated && record.generation == 0;
    match record.state {
        SessionState::Live if is_confirmed && !is_legacy => record.idle_deadline,
        _ => attempt.expires_at,
    }
}

/// The confirmed token is used again, or another one in its place.
fn same_generation(
    record: &Record,
    attempt: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    if attempt.id != record.id {
        return theft(record, Theft::Fork, now);
    }
    let Some(child) = record.child else {
        return issue(record, 0, attempt.issued_at, now, policy);
    };
    if now <= child.issued_at.plus(policy.grace) {
        return unchanged(match policy.rotate {
            true => Decision::Replay(issued(record, child, policy)),
            false => Decision::Renew { expires_at: record.idle_deadline },
        });
    }
    if child.used {
        return theft(record, Theft::ParentReturned, now);
    }
    // Either the response with the child was lost, or a thief has it. This client gets the next
    // branch, and use of the discarded one gives the other away.
    let mut next = issue(record, child.branch.saturating_add(1), child.issued_at, now, policy);
    if policy.rotate {
        next.discarded = Some(DiscardedChild {
            family_position: record.child_position(child.branch),
            issued_until: child.issued_at.plus(policy.grace),
        });
    }
    next
}

/// A token that this record does not know: the child or, where the store lost writes, a later
/// descendant. Its signature proves that it was issued.
fn later_generation(
    record: &Record,
    attempt: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    let is_next = attempt.generation == record.generation.saturating_add(1);
    if let Some(child) = record.child {
        if is_next && attempt.branch < child.branch {
            return theft(record, Theft::DiscardedBranch, now);
        }
        if child.issued_at > attempt.issued_at.plus(policy.grace) {
            return theft(record, Theft::OlderToken, now);
        }
    }
    if is_next && attempt.parent != Some(record.id) {
        return theft(record, Theft::Fork, now);
    }
    let confirmed = Record {
        generation: attempt.generation,
        id: attempt.id,
        child: None,
        confirmed_at: now,
        ..record.clone()
    };
    issue(&confirmed, 0, attempt.issued_at, now, policy)
}

/// A token from before the confirmed one.
fn earlier_generation(
    record: &Record,
    attempt: &RefreshAttempt,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    let is_parent = attempt.generation.saturating_add(1) == record.generation;
    if is_parent && now <= record.confirmed_at.plus(policy.grace) {
        return unchanged(Decision::Superseded);
    }
    theft(record, Theft::OlderToken, now)
}

/// Issues a child, later than `after` even where the clock went back; none with rotation off.
fn issue(
    record: &Record,
    branch: u32,
    after: Timestamp,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    let earliest = Timestamp::from_millis(after.as_millis().saturating_add(1));
    let issued_at = now.max(earliest.min(Record::MAX_TIMESTAMP));
    let idle_deadline =
        issued_at.plus(policy.idle_ttl).max(record.idle_deadline).min(record.expires_at);
    let mut next = Record { idle_deadline, ..record.clone() };
    let decision = if policy.rotate {
        let child = Child { branch, issued_at, used: false };
        next.child = Some(child);
        Decision::Rotate(issued(&next, child, policy))
    } else {
        Decision::Renew { expires_at: idle_deadline }
    };
    RefreshTransition { decision, record: Some(next), discarded: None }
}

/// The child as it is issued, the first time and again: its expiry depends on nothing that changes.
fn issued(record: &Record, child: Child, policy: &RefreshPolicy) -> IssuedChild {
    IssuedChild {
        family_position: record.child_position(child.branch),
        issued_at: child.issued_at,
        expires_at: child.issued_at.plus(policy.idle_ttl).min(record.expires_at),
    }
}

fn unchanged(decision: Decision) -> RefreshTransition {
    RefreshTransition { decision, record: None, discarded: None }
}

fn theft(record: &Record, theft: Theft, now: Timestamp) -> RefreshTransition {
    RefreshTransition {
        decision: Decision::Theft(theft),
        record: Some(record.revoked(RevocationReason::Reused, now)),
        discarded: None,
    }
}

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
    Confirmed,
    /// Nothing new.
    Unchanged,
    /// The access token was issued with a discarded child: reuse, and the session is revoked.
    Theft,
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

/// Records the use of an access token at `now`. A use that is never recorded delays the detection of
/// reuse and signs nobody out.
pub fn record_use(record: &Record, token_use: &AccessTokenUse, now: Timestamp) -> UseTransition {
    let unchanged = |outcome| UseTransition { outcome, record: None };
    if now >= record.expires_at {
        return unchanged(UseOutcome::Expired);
    }
    if let SessionState::Revoked(reason) = record.state {
        return unchanged(UseOutcome::Revoked(reason));
    }
    let FamilyPosition { generation, branch } = token_use.family_position;
    let child = record.child.filter(|_| generation == record.generation.saturating_add(1));
    // The record knows which branches were discarded, also where the deny list of the verifier
    // does not.
    if token_use.denied || child.is_some_and(|child| branch < child.branch) {
        return UseTransition {
            outcome: UseOutcome::Theft,
            record: Some(record.revoked(RevocationReason::Reused, now)),
        };
    }
    match child {
        Some(child) if branch == child.branch && !child.used => UseTransition {
            outcome: UseOutcome::Confirmed,
            record: Some(Record { child: Some(Child { used: true, ..child }), ..record.clone() }),
        },
        _ => unchanged(UseOutcome::Unchanged),
    }
}
