//! Access tokens that are revoked before they expire.
//!
//! Access tokens are verified without I/O, so each process keeps a deny list in memory. A
//! revocation is applied to the list of the process that makes it and published to the
//! [`RevocationFeed`] in the store, from which the other processes read it. An entry is kept until
//! every token that it denies has expired.

pub(crate) mod deny_list;
mod feed;

use serde::{Deserialize, Serialize};

use crate::session::DiscardedChild;
use crate::types::{SessionId, Subject, Timestamp};

pub(crate) use deny_list::{Denial, DenyList, TokenIdentity};
pub(crate) use feed::feed_entry;
pub use feed::{FeedCursor, FeedPage, RevocationFeed};

/// A revocation of access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The tokens to deny.
    #[serde(flatten)]
    pub target: RevocationTarget,
    /// When every token that this denies has expired, so that the revocation is no longer needed.
    #[serde(rename = "until")]
    pub expires_at: Timestamp,
}

/// The access tokens that a revocation denies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "refuse")]
pub enum RevocationTarget {
    /// All access tokens of a session.
    Session {
        /// The session.
        #[serde(rename = "sid")]
        session: SessionId,
    },
    /// The access tokens that were issued with a discarded child.
    Child {
        /// The session.
        #[serde(rename = "sid")]
        session: SessionId,
        /// The child.
        #[serde(flatten)]
        child: DiscardedChild,
    },
    /// A user's access tokens that name no session.
    Subject {
        /// The user.
        #[serde(rename = "sub")]
        subject: Subject,
        /// Tokens issued up to this instant are denied.
        #[serde(rename = "before")]
        issued_until: Timestamp,
    },
}
