//! What to do about a refresh token: [`decide_refresh`].
//!
//! It compares the generation of the presented token with that of the confirmed token in the record: the newest that a
//! client has presented. A branch counts the children of it that were discarded.
//! `p` is the presented token, `r` the record, `c` its child, `G` the grace, `U` the longer grace of a
//! child that nobody has used, `u` the time of the first use of `c`; the first line that applies decides:
//!
//! | generation | condition | decision |
//! |---|---|---|
//! | any | `p` or the session has expired (see below) | `Expired` |
//! | | `r.state` is `Revoked` | `Revoked` |
//! | `p = r` | `p.id ≠ r.id` | `Reuse(Fork)` |
//! | | no `c` | `Rotate`, on branch 0 |
//! | | `c.used` and `now − u > G` | `Reuse(ParentReturned)` |
//! | | `now − c.issued_at ≤ U` | `Replay`; no write, unless `c` is unused and this is in the last `G` of `U`: then `r.confirmed_at` becomes `now` |
//! | | `c.used`, or `now − r.confirmed_at ≤ G` and `now − c.issued_at ≤ U + G` | `Superseded` |
//! | | else | `Rotate`, on the next branch; `c` becomes a `DiscardedChild` |
//! | `p > r` | `c`, `p = r + 1` and `p.branch < c.branch` | `Reuse(DiscardedBranch)` |
//! | | `c` and `c.issued_at > p.issued_at + U` | `Reuse(OlderToken)` |
//! | | `p = r + 1` and `p.parent ≠ r.id` | `Reuse(Fork)` |
//! | | else | `p` becomes the confirmed token; `Rotate`, on branch 0 |
//! | `p < r` | `p = r − 1` and `now − r.confirmed_at ≤ G` | `Superseded` |
//! | | else | `Reuse(OlderToken)` |
//!
//! Without rotation the decision is `Renew` in place of `Rotate` while the session has never rotated: `r`
//! is of generation 0 and has no `c`. A session that has rotated always rotates, whatever the policy says
//! and the request asks, because a thief who could choose would use the owner's token and never be
//! detected.
//!
//! `U` is for responses that are slower than `G`: the child is lost only when its client has had enough time
//! to receive and use it, so a late response carries the token that the client's other tabs got. The first
//! use of the child ends `U`. From then on the parent gets the child for another `G` only, because requests
//! that other tabs sent at the same time may still arrive. So a thief of the parent can get the child for at
//! most `G` after its owner's first use.
//! `u` is `r.confirmed_at` or, if that is later, `c.issued_at`.
//!
//! After a client got `c` in the last `G` of `U`, a copy of its request may arrive when `U` is over. To discard `c`
//! then would sign that client out. So for `G` after such an answer the parent gets nothing; the record tells by
//! `r.confirmed_at`, which is otherwise before `c.issued_at` while nobody has used `c`.
//!
//! `Rotate`, and `Renew` in place of it, move the idle deadline of the record to `idle_ttl` after the
//! refresh. The time of the refresh is later than that of the refresh before, also when the clock was set
//! back, and the deadline moves back only when the session is revoked.
//!
//! The confirmed token of a live session expires with the idle deadline of the record, whatever its
//! `exp` says, because its client may have refreshed since it was issued. Any other token expires by
//! its `exp`, and so does the migrated token of a legacy app.
//!
//! The Redis store does the same in Lua (`step.lua`); a differential test compares the two.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::policy::RefreshPolicy;
use super::record::{Child, Record, SessionState, TokenId};
use crate::types::{FamilyPosition, Generation, RevocationReason, Timestamp};

/// A refresh token that a client presents and whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentedToken {
    /// The generation: the `gen` claim.
    pub generation: Generation,
    /// The branch: the `brn` claim.
    pub branch: u32,
    /// The id of the token's secret.
    pub id: TokenId,
    /// The id of the parent's secret: the `par` claim. `None` for the token of a login.
    pub parent: Option<TokenId>,
    /// The `iat` claim; in refresh tokens milliseconds, not a NumericDate.
    pub issued_at: Timestamp,
    /// The `exp` claim, likewise.
    pub expires_at: Timestamp,
}

/// What to do about a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Issue a new child.
    Rotate(IssuedChild),
    /// Issue the same child again.
    Replay(IssuedChild),
    /// Issue an access token only; the client keeps its refresh token (rotation is off, and the
    /// session has never rotated).
    Renew {
        /// When the session expires unless it is refreshed again.
        expires_at: Timestamp,
    },
    /// Issue nothing and revoke nothing: the client has a newer token and should use that, or try again.
    Superseded,
    /// Reuse is detected and the session is revoked.
    Reuse(ReuseEvidence),
    /// The session was revoked before.
    Revoked(RevocationReason),
    /// The token or the session has expired.
    Expired,
}

/// What shows that a token is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReuseEvidence {
    /// Two different tokens claim the same position in the family.
    Fork,
    /// The parent was used although its child is in use.
    ParentReturned,
    /// A discarded child was used.
    DiscardedBranch,
    /// A token was used after a later one.
    OlderToken,
}

impl ReuseEvidence {
    /// All kinds of evidence.
    pub const ALL: [Self; 4] =
        [Self::Fork, Self::ParentReturned, Self::DiscardedBranch, Self::OlderToken];

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

/// The child that a decision issues. With the secret of its parent, this determines the secret of the token (`jti`); its
/// claims are not part of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedChild {
    /// Its position in the token family.
    pub family_position: FamilyPosition,
    /// Its `iat`.
    pub issued_at: Timestamp,
    /// Its `exp`.
    pub expires_at: Timestamp,
}

impl IssuedChild {
    /// The same whenever the child is issued: its expiry depends on nothing but the policy and what the record keeps.
    fn of(record: &Record, child: Child, policy: &RefreshPolicy) -> Self {
        Self {
            family_position: record.child_position(child.branch),
            issued_at: child.issued_at,
            expires_at: child.issued_at.plus(policy.idle_ttl).min(record.expires_at),
        }
    }
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
    /// whole seconds in an access token, so instants are compared by their seconds.
    pub fn was_issued_with(&self, family_position: FamilyPosition, issued_at: Timestamp) -> bool {
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
pub fn decide_refresh(
    record: &Record,
    token: &PresentedToken,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    if now >= deadline(record, token) || now >= record.expires_at {
        return unchanged(Decision::Expired);
    }
    if let SessionState::Revoked(reason) = record.state {
        return unchanged(Decision::Revoked(reason));
    }
    match token.generation.cmp(&record.generation) {
        Ordering::Equal => same_generation(record, token, now, policy),
        Ordering::Greater => later_generation(record, token, now, policy),
        Ordering::Less => earlier_generation(record, token, now, policy),
    }
}

/// When the token expires, unless its session does before.
pub(crate) fn deadline(record: &Record, token: &PresentedToken) -> Timestamp {
    let is_confirmed = token.generation == record.generation && token.id == record.id;
    let is_legacy = record.migrated && record.generation == 0;
    match record.state {
        SessionState::Live if is_confirmed && !is_legacy => record.idle_deadline,
        _ => token.expires_at,
    }
}

/// The confirmed token is used again, or another one in its place.
fn same_generation(
    record: &Record,
    token: &PresentedToken,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    if token.id != record.id {
        return reuse(record, ReuseEvidence::Fork, now);
    }
    let Some(child) = record.child else {
        return rotate_or_renew(record, 0, token.issued_at, now, policy);
    };
    let first_use = child.issued_at.max(record.confirmed_at);
    if child.used && now > first_use.plus(policy.grace) {
        return reuse(record, ReuseEvidence::ParentReturned, now);
    }
    let replayed_until = child.issued_at.plus(policy.unused_grace);
    if now <= replayed_until {
        let replay = Decision::Replay(IssuedChild::of(record, child, policy));
        let is_late = !child.used && now > replayed_until.minus(policy.grace);
        let confirmed_at = record.confirmed_at.max(now);
        let noted = is_late.then(|| Record { confirmed_at, ..record.clone() });
        return RefreshTransition { decision: replay, record: noted, discarded: None };
    }
    let answered_at = record.confirmed_at.min(replayed_until);
    if child.used || now <= answered_at.plus(policy.grace) {
        return unchanged(Decision::Superseded);
    }
    // Either the response with the child was lost, or a thief has it. This client gets the next
    // branch, and use of the discarded child is reuse.
    let mut next =
        rotate_or_renew(record, child.branch.saturating_add(1), child.issued_at, now, policy);
    next.discarded = Some(DiscardedChild {
        family_position: record.child_position(child.branch),
        issued_until: replayed_until,
    });
    next
}

/// A token that this record does not know: the child or, where the store lost writes, a later
/// descendant. Its signature proves that it was issued.
fn later_generation(
    record: &Record,
    token: &PresentedToken,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    let is_next = token.generation == record.generation.saturating_add(1);
    if let Some(child) = record.child {
        if is_next && token.branch < child.branch {
            return reuse(record, ReuseEvidence::DiscardedBranch, now);
        }
        if child.issued_at > token.issued_at.plus(policy.unused_grace) {
            return reuse(record, ReuseEvidence::OlderToken, now);
        }
    }
    if is_next && token.parent != Some(record.id) {
        return reuse(record, ReuseEvidence::Fork, now);
    }
    let confirmed = Record {
        generation: token.generation,
        id: token.id,
        child: None,
        confirmed_at: now,
        ..record.clone()
    };
    rotate_or_renew(&confirmed, 0, token.issued_at, now, policy)
}

/// A token from before the confirmed one.
fn earlier_generation(
    record: &Record,
    token: &PresentedToken,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    let is_previous_generation = token.generation.saturating_add(1) == record.generation;
    if is_previous_generation && now <= record.confirmed_at.plus(policy.grace) {
        return unchanged(Decision::Superseded);
    }
    reuse(record, ReuseEvidence::OlderToken, now)
}

/// Issues a child, or renews a session that has never rotated with rotation off, at an instant after
/// `later_than` even where the clock was set back.
fn rotate_or_renew(
    record: &Record,
    branch: u32,
    later_than: Timestamp,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> RefreshTransition {
    let earliest = Timestamp::from_millis(later_than.as_millis().saturating_add(1));
    let issued_at = now.max(earliest.min(Record::MAX_TIMESTAMP));
    let idle_deadline =
        issued_at.plus(policy.idle_ttl).max(record.idle_deadline).min(record.expires_at);
    let mut next = Record { idle_deadline, ..record.clone() };
    let has_rotated = record.generation > 0 || record.child.is_some();
    let decision = if policy.rotate || has_rotated {
        let child = Child { branch, issued_at, used: false };
        next.child = Some(child);
        Decision::Rotate(IssuedChild::of(&next, child, policy))
    } else {
        Decision::Renew { expires_at: idle_deadline }
    };
    RefreshTransition { decision, record: Some(next), discarded: None }
}

fn unchanged(decision: Decision) -> RefreshTransition {
    RefreshTransition { decision, record: None, discarded: None }
}

fn reuse(record: &Record, evidence: ReuseEvidence, now: Timestamp) -> RefreshTransition {
    RefreshTransition {
        decision: Decision::Reuse(evidence),
        record: Some(record.revoked(RevocationReason::Reused, now)),
        discarded: None,
    }
}
