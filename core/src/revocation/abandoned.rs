//! A child that was given up as lost, and the access tokens that came with it.

use serde::{Deserialize, Serialize};

use crate::identity::Lineage;
use crate::time::Timestamp;

/// A child that was given up as lost: whoever uses what came with it is a second holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandoned {
    /// Its place in the chain.
    #[serde(flatten)]
    pub lineage: Lineage,
    /// Up to when it could be handed out. A store that lost the record of it gives its place to
    /// another child, but only later.
    pub issued_until: Timestamp,
}

impl Abandoned {
    /// Whether an access token of this place and this `iat` came with it. `iat` is in whole
    /// seconds, so the instants are compared by their seconds.
    pub fn covers(&self, lineage: Lineage, issued_at: Timestamp) -> bool {
        lineage == self.lineage && issued_at.as_seconds() <= self.issued_until.as_seconds()
    }
}
