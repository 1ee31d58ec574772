//! What proofs are accepted.

use std::time::Duration;

/// How proofs are checked. [`Default`] is what the fields say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProofPolicy {
    /// How long after its `iat` a proof may arrive: 60 seconds. Not asked of one with a nonce,
    /// whose age the nonce tells (RFC 9449 §11.1).
    pub max_age: Duration,
    /// How far `iat` may be ahead of the clock here: 10 seconds.
    pub leeway: Duration,
    /// How many used proofs are remembered in this process, so that none is used twice: 100,000,
    /// some 5 MB. When they are as many, requests are refused until the oldest have expired.
    pub capacity: usize,
}

impl Default for ProofPolicy {
    fn default() -> Self {
        let (max_age, leeway) = (Duration::from_secs(60), Duration::from_secs(10));
        Self { max_age, leeway, capacity: 100_000 }
    }
}
