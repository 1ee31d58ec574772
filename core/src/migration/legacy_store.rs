//! What is asked of the Redis that the old app keeps its refresh tokens in.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{MigrationMarker, RevokedBefore};
use crate::error::Result;
use crate::types::{SessionId, Subject};

/// What is there of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The value under the old key: the user's id or e-mail address.
    pub value: Option<String>,
    /// The note that the token was taken over.
    pub mark: Option<MigrationMarker>,
}

/// How taking over went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOutcome {
    /// The note that stands now. `None` when the old key was gone and no sweep had removed it:
    /// the user was logged out meanwhile, and nothing was noted.
    pub mark: Option<MigrationMarker>,
    /// Which of the user's tokens were ended.
    pub ended: Option<RevokedBefore>,
}

/// Some keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys. A key may be on several pages.
    pub keys: Vec<String>,
    /// Where the next page begins; 0 after the last.
    pub next: u64,
}

/// The old app's store of refresh tokens, and the notes beside it. Every operation is atomic and
/// can be repeated without harm.
#[async_trait]
pub trait LegacyStore: Send + Sync + fmt::Debug {
    /// What is there of the token `key` and its session.
    async fn look(&self, key: &str, session: &SessionId) -> Result<Lookup>;

    /// Notes that a token was taken over, if its key is still there. [`Kept`](super::Place::Kept):
    /// the key stays and ends after `ttl`, as the note does. [`Swept`](super::Place::Swept): the
    /// key is removed.
    async fn take_over(
        &self,
        key: &str,
        session: &SessionId,
        mark: &MigrationMarker,
        ttl: Duration,
    ) -> Result<ImportOutcome>;

    /// Removes the key of a token, so that the old processes refuse it too. Gives whether it was
    /// there, and the note about it.
    async fn remove(
        &self,
        key: &str,
        session: &SessionId,
    ) -> Result<(bool, Option<MigrationMarker>)>;

    /// Notes which tokens of a user are ended; what a note says that reaches further stays.
    async fn end_all_of(&self, subject: &Subject, ended: &RevokedBefore) -> Result<()>;

    /// Keys from `cursor` on, 0 for the first page; none of the notes. A key that is there all the
    /// while is on some page.
    async fn keys(&self, cursor: u64) -> Result<KeyPage>;
}
