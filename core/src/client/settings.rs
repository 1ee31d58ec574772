//! How patient a client is.

use std::time::Duration;

use crate::keys::Thumbprint;

/// How a client goes about refreshing. Construct with [`Settings::default`] and change what
/// differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Settings {
    /// An access token is handed out only if it lives at least this long, if one can be had.
    /// Default 30 seconds; never more than a third of the token's lifetime.
    pub min_ttl: Duration,
    /// How long a caller waits before it is told to try later. What it waited for goes on.
    /// Default 30 seconds.
    pub patience: Duration,
    /// After the first failure the next attempt waits this long, and twice as long after each
    /// further one; half of it is random. Default half a second.
    pub backoff: Duration,
    /// The longest such wait. Default one minute.
    pub longest_backoff: Duration,
    /// After so many failures in a row the circuit is open: callers are told to try later at
    /// once, until the next attempt is due. Default 3.
    pub failures_to_open: u32,
    /// For how long a failed write is repeated, while the lock is held, before it is given up.
    /// Default 5 seconds: shorter than the grace of a server, so that also without a lock no pair
    /// is stored that another process has made the server give up.
    pub persist_for: Duration,
    /// An access token that was got because the server refused the one before, and is refused as
    /// well, is not renewed again for so long. Default 5 seconds; never more than half of the
    /// token's lifetime.
    pub refusal_gap: Duration,
    /// Where the random numbers begin: another one for every process.
    pub seed: u64,
    /// The key at hand (DPoP, RFC 9449): with tokens that are bound to another one nothing can be
    /// done. A `SessionBuilder` that is given a `proof_key` sets it; set it where it is the transport
    /// that adds proofs.
    pub key: Option<Thumbprint>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(30),
            patience: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(60),
            failures_to_open: 3,
            persist_for: Duration::from_secs(5),
            refusal_gap: Duration::from_secs(5),
            seed: 0,
            key: None,
        }
    }
}
