//! How every process learns of a revocation: a log in the store that each of them follows.

use std::time::Duration;

use async_trait::async_trait;

use super::Revocation;
use crate::error::Result;

/// How far a process has read. Its text is the store's own; the default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub String);

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order in which they were told.
    pub revocations: Vec<Revocation>,
    /// Where to read on.
    pub next: Cursor,
    /// Whether this was all; else there is more to be read at once.
    pub complete: bool,
}

impl Page {
    /// Takes in an entry as a store keeps it: the JSON of a [`Revocation`].
    pub(crate) fn push(&mut self, entry: &str) {
        match serde_json::from_str(entry) {
            Ok(revocation) => self.revocations.push(revocation),
            // Of a newer version: what comes after it must not be held up.
            Err(_) => {
                tracing::warn!(target: "regrant::store", "an entry of the revocation feed is of an unknown form");
            }
        }
    }
}

/// A log of revocations that several processes share.
#[async_trait]
pub trait RevocationFeed: Send + Sync {
    /// Tells all processes. Once this is acknowledged, whoever reads on finds it. Telling twice
    /// does no harm.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn tell(&self, revocations: &[Revocation]) -> Result<()>;

    /// Reads on from `cursor`; where there is nothing new, waits for up to `wait`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn read(&self, cursor: &Cursor, wait: Duration) -> Result<Page>;
}
