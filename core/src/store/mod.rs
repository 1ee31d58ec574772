//! Where sessions live. One trait, several homes, one contract suite over all of them.

mod address;
#[cfg(feature = "file")]
pub mod file;
mod memory;
mod operations;
pub mod packed;
#[cfg(feature = "redis")]
pub mod redis;

pub use address::StoreAddress;
pub use memory::MemoryStore;

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::identity::{SessionId, Subject};
use crate::revocation::{Abandoned, RevocationFeed, RevocationReason};
use crate::session::{
    Confirmation, Decision, NewSession, Presented, Record, RefreshPolicy, Sighting, TheftScope,
};

/// What a store answers to a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// What is to be done.
    pub decision: Decision,
    /// The access tokens that came with this child are to be refused from now on.
    pub denied: Option<Abandoned>,
}

/// A session of a user, with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its id.
    pub id: SessionId,
    /// Its record.
    pub record: Record,
}

/// A home for sessions.
///
/// Every operation is atomic, takes its time from the store's own clock, and answers within a
/// bounded time. Where the store cannot be reached it fails with
/// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable) and may or may not have been
/// carried out: every operation can be repeated without harm.
#[async_trait]
pub trait SessionStore: Send + Sync + fmt::Debug {
    /// Begins a session and gives its record. Where the id is known already its record is given
    /// and nothing changes.
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Record>;

    /// Decides about a presented refresh token ([`step`](crate::session::step)) and writes what
    /// changed. `None` when the session is not known.
    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        presented: &Presented,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>>;

    /// Takes note that an access token was used ([`confirm`](crate::session::confirm)). `None`
    /// when the session is not known.
    async fn confirm(
        &self,
        subject: &Subject,
        session: &SessionId,
        sighting: &Sighting,
        on_theft: TheftScope,
    ) -> Result<Option<Confirmation>>;

    /// Ends a session; tells whether it was live.
    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool>;

    /// Ends all sessions of a user; gives those that were live.
    async fn revoke_all(
        &self,
        subject: &Subject,
        reason: RevocationReason,
    ) -> Result<Vec<SessionId>>;

    /// The log by which processes tell each other of revocations; `None` where no other process
    /// can share the store.
    fn feed(&self) -> Option<&dyn RevocationFeed> {
        None
    }

    /// All sessions of a user that have not expired, live and revoked, in no order.
    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>>;
}
