//! An entry of the feed as stores keep it.

use serde::{Deserialize, Serialize};

use super::{Page, Revocation};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Its JSON.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    revocation: Revocation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Timestamp>,
}

/// The text of an entry. `told` is the time on the store's clock, unless the store keeps that
/// elsewhere.
pub(crate) fn entry(revocation: &Revocation, told: Option<Timestamp>) -> Result<String> {
    serde_json::to_string(&Entry { revocation: revocation.clone(), told })
        .map_err(|_| Error::internal("a revocation did not serialize"))
}

impl Page {
    /// Takes in the text of an entry. `told` is for stores that keep elsewhere when that was.
    pub(crate) fn push(&mut self, text: &str, told: Option<Timestamp>) {
        match serde_json::from_str::<Entry>(text) {
            Ok(entry) => {
                self.revocations.push(entry.revocation);
                self.told.extend(told.or(entry.told));
            }
            // Of a newer version: what comes after it must not be held up.
            Err(_) => {
                tracing::warn!(target: "regrant::store", "an entry of the revocation feed is of an unknown form");
            }
        }
    }
}
