//! What the use of an access token tells about its session.

use crate::types::{FamilyPosition, RevocationReason, Timestamp};

use super::record::{Child, Record, State};

/// An access token was seen in use by a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessTokenUse {
    /// Its place in the chain.
    pub family_position: FamilyPosition,
    /// Whether it was on the verifier's deny list.
    pub denied: bool,
}

/// What a sighting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Its answer has arrived at the client: its parent may not come back.
    Confirmed,
    /// It tells nothing new.
    Unchanged,
    /// It is of a child that was given up as lost: a second holder. The session is revoked.
    Theft,
    /// The session was ended before.
    Revoked(RevocationReason),
    /// The session is past its lifetime.
    Expired,
}

/// The meaning of a sighting and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// What the sighting means.
    pub confirmation: Confirmation,
    /// The record to write; `None` when nothing changed.
    pub record: Option<Record>,
}

/// Takes note of `sighting`. Losing one delays detection and never logs anybody out.
pub fn confirm(record: &Record, token_use: &AccessTokenUse, now: Timestamp) -> Confirmed {
    let unchanged = |confirmation| Confirmed { confirmation, record: None };
    if now >= record.expires_at {
        return unchanged(Confirmation::Expired);
    }
    if let State::Revoked(reason) = record.state {
        return unchanged(Confirmation::Revoked(reason));
    }
    // The record itself remembers which branches it gave up, so this holds also for verifiers
    // that no deny list has reached.
    let of_child = record.child.filter(|child| {
        token_use.family_position.generation == record.child_position(child.branch).generation
    });
    let abandoned = of_child.is_some_and(|child| token_use.family_position.branch < child.branch);
    if token_use.denied || abandoned {
        return Confirmed {
            confirmation: Confirmation::Theft,
            record: Some(record.revoked(RevocationReason::Reused, now)),
        };
    }
    match of_child {
        Some(child) if child.branch == token_use.family_position.branch && !child.used => {
            Confirmed {
                confirmation: Confirmation::Confirmed,
                record: Some(Record {
                    child: Some(Child { used: true, ..child }),
                    ..record.clone()
                }),
            }
        }
        _ => unchanged(Confirmation::Unchanged),
    }
}
