//! An entry of the feed as stores keep it.

use serde::{Deserialize, Serialize};

use super::{FeedPage, Revocation};
use crate::error::{Error, Result};
use crate::types::Timestamp;

/// Its JSON.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    revocation: Revocation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published_at: Option<Timestamp>,
}

/// The text of an entry. `told` is the time on the store's clock, unless the store keeps that
/// elsewhere.
pub(crate) fn entry(revocation: &Revocation, published_at: Option<Timestamp>) -> Result<String> {
    serde_json::to_string(&Entry { revocation: revocation.clone(), published_at })
        .map_err(|_| Error::internal("a revocation did not serialize"))
}

impl FeedPage {
    /// Takes in the text of an entry. `told` is for stores that keep elsewhere when that was.
    pub(crate) fn push(&mut self, text: &str, published_at: Option<Timestamp>) {
        match serde_json::from_str::<Entry>(text) {
            Ok(entry) => {
                self.revocations.push(entry.revocation);
                self.published_at.extend(published_at.or(entry.published_at));
            }
            // Of a newer version: what comes after it must not be held up.
            Err(_) => {
                tracing::warn!(target: "regrant::store", "an entry of the revocation feed is of an unknown form");
            }
        }
    }
}
