//! Access tokens that are revoked before they expire.
//!
//! Access tokens are verified without I/O, so each process keeps a deny list in memory. A
//! revocation is applied to the list of the process that makes it and published to the
//! [`RevocationFeed`] in the store, from which the other processes read it. An entry is kept until
//! every token that it denies has expired.
//!
//! Nothing that a client can repeat grows the feed without limit: what was published is not
//! published again, a user has a limited number of entries, and a full feed collapses into one
//! cut-off time ([`RevocationTarget::Cutoff`]).

pub(crate) mod deny_list;
pub(crate) mod entries;
mod feed;

use serde::{Deserialize, Serialize};

use crate::session::DiscardedChild;
use crate::types::{SessionId, Subject, Timestamp};

pub(crate) use deny_list::DenyList;
pub(crate) use entries::{Denial, TokenIdentity};
pub use feed::{FeedCursor, FeedPage, MAX_FEED_BYTES, MAX_FEED_ENTRIES, RevocationFeed};
pub(crate) use feed::{cutoff_entry, feed_entry};

/// A revocation of access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The tokens to deny.
    #[serde(flatten)]
    pub target: RevocationTarget,
    /// When every token that this denies has expired, so that the revocation is no longer needed.
    #[serde(rename = "until")]
    pub expires_at: Timestamp,
    /// The realm whose tokens to deny, by its name in the store. `None`: every realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<Box<str>>,
}

impl Revocation {
    /// Denies `target` until `expires_at`, in every realm.
    pub const fn new(target: RevocationTarget, expires_at: Timestamp) -> Self {
        Self { target, expires_at, realm: None }
    }
}

/// The access tokens that a revocation denies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "refuse")]
#[non_exhaustive]
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
    /// All access tokens of a session that the store does not know, if it belongs to this user. The
    /// store cannot tell whose session it was, so the tokens of other users are not denied.
    UserSession {
        /// The user.
        #[serde(rename = "sub")]
        subject: Subject,
        /// The session.
        #[serde(rename = "sid")]
        session: SessionId,
    },
    /// A user's access tokens of which it is not known whether they are revoked: their clients must
    /// refresh, which asks the store.
    UserCutoff {
        /// The user.
        #[serde(rename = "sub")]
        subject: Subject,
        /// Tokens issued up to this instant are denied.
        #[serde(rename = "before")]
        issued_until: Timestamp,
        /// The session whose tokens are not denied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        except: Option<SessionId>,
    },
    /// All access tokens, of which it is not known whether they are revoked: the feed overflowed,
    /// and every client must refresh once.
    Cutoff {
        /// Tokens issued up to this instant are denied.
        #[serde(rename = "before")]
        issued_until: Timestamp,
    },
}
