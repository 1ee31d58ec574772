//! How every process learns of a revocation: a log in the store that each of them follows.

use std::time::Duration;

use async_trait::async_trait;

use super::Revocation;
use crate::error::Result;
use crate::types::Timestamp;

/// How far a process has read. Its text is the store's own; the default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedCursor(pub String);

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct FeedPage {
    /// In the order in which they were told.
    pub revocations: Vec<Revocation>,
    /// When they were told, by the store's clock, as far as that is known: for measuring only.
    pub published_at: Vec<Timestamp>,
    /// Where to read on.
    pub next: FeedCursor,
    /// Whether this was all; else there is more to be read at once.
    pub complete: bool,
}

/// A log of revocations that several processes share.
#[async_trait]
pub trait RevocationFeed: Send + Sync {
    /// Tells all processes. Once this is acknowledged, whoever reads on finds it. Telling twice
    /// does no harm.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn publish(&self, revocations: &[Revocation]) -> Result<()>;

    /// Reads on from `cursor`; where there is nothing new, waits for up to `wait`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage>;

    /// The clock that [`FeedPage::published_at`] goes by, to measure how long entries are on their way;
    /// `None` where that is not known.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn now(&self) -> Result<Option<Timestamp>> {
        Ok(None)
    }
}
