//! Where sessions live. One trait, several homes, one contract suite over all of them.

mod address;
mod answer;
mod failures;
#[cfg(feature = "file")]
pub mod file;
mod filter;
mod health;
mod memory;
mod operations;
#[cfg(feature = "redis")]
pub mod redis;
mod redis_options;
mod room;

pub use address::StoreAddress;
pub(crate) use address::is_redis;
pub use answer::{
    Created, Refreshed, Replicated, RevocationOutcome, RevokedSession, RevokedSessions,
    StoredSession,
};
pub use failures::{FailureCounter, FailureKey, Failures};
pub use filter::SessionFilter;
pub use health::{ServerHealth, StoreHealth, StoreWarning, StoreWarningCode};
pub use memory::MemoryStore;
pub use redis_options::{Eviction, RedisCredentials, RedisOptions, RedisTls};

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::revocation::RevocationFeed;
use crate::session::{
    AccessTokenUse, NewSession, RefreshAttempt, RefreshPolicy, TheftScope, UseOutcome,
};
use crate::types::{RevocationReason, SessionId, Subject};

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
    ) -> Result<Created>;

    /// Decides about a refresh attempt ([`step`](crate::session::step)) and writes what
    /// changed. `None` when the session is not known.
    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        attempt: &RefreshAttempt,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>>;

    /// Takes note that an access token was used ([`record_use`](crate::session::record_use)). `None`
    /// when the session is not known.
    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>>;

    /// Ends a session. One that was ended before keeps its reason.
    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession>;

    /// Ends those sessions of a user that `which` means.
    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions>;

    /// The log by which processes tell each other of revocations; `None` where no other process
    /// can share the store.
    fn feed(&self) -> Option<&dyn RevocationFeed> {
        None
    }

    /// The counter of failed attempts; `None` where the store has none, and nothing is limited.
    fn failures(&self) -> Option<&dyn FailureCounter> {
        None
    }

    /// All sessions of a user that have not expired, live and revoked, in no order.
    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>>;

    /// How the store is doing. A store that cannot be reached is a report, and no error.
    async fn health(&self) -> StoreHealth {
        StoreHealth::of_answering("other", self).await
    }
}
