//! A child that was given up as lost, and the access tokens that came with it.

use serde::{Deserialize, Serialize};

use crate::types::{FamilyPosition, Timestamp};

/// A child that was given up as lost: whoever uses what came with it is a second holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedChild {
    /// Its place in the chain.
    #[serde(flatten)]
    pub family_position: FamilyPosition,
    /// Up to when it could be handed out. A store that lost the record of it gives its place to
    /// another child, but only later.
    pub issued_until: Timestamp,
}

impl DiscardedChild {
    /// Whether an access token of this place and this `iat` came with it. `iat` is in whole
    /// seconds, so the instants are compared by their seconds.
    pub fn covers(&self, family_position: FamilyPosition, issued_at: Timestamp) -> bool {
        family_position == self.family_position
            && issued_at.as_seconds() <= self.issued_until.as_seconds()
    }
}
