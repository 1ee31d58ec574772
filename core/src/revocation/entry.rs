//! What is refused before its time.

use serde::{Deserialize, Serialize};

use super::DiscardedChild;
use crate::types::{SessionId, Subject, Timestamp};

/// What is refused from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "refuse")]
pub enum RevocationTarget {
    /// All access tokens of a session.
    Session {
        /// The session.
        sid: SessionId,
    },
    /// The access tokens that came with a child that was given up as lost.
    Child {
        /// The session.
        sid: SessionId,
        /// The child.
        #[serde(flatten)]
        abandoned: DiscardedChild,
    },
    /// A user's access tokens that name no session and were issued up to an instant.
    Subject {
        /// The user.
        sub: Subject,
        /// The instant.
        before: Timestamp,
    },
}

/// A revocation and the instant from which it is moot, because every token that it is about has
/// expired by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What is refused.
    #[serde(flatten)]
    pub what: RevocationTarget,
    /// From when on it is moot.
    pub until: Timestamp,
}
