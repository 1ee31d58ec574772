//! Where a token stands in its session's chain of rotations.

use serde::{Deserialize, Serialize};

/// How many rotations lie between the login (0) and a token.
pub type Generation = u32;

/// The place of a token in its session: the `gen` and `brn` claims.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Lineage {
    /// How many rotations lie between the login and the token.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// Which of its parent's children it is: 0 unless an earlier one was given up as lost.
    #[serde(rename = "brn")]
    pub branch: u32,
}
