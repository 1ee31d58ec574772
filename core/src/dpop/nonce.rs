//! Nonces that a server gives out and nobody has to remember (RFC 9449 §8).

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::keys::RefreshKeys;
use crate::token::base64url;
use crate::types::Timestamp;

/// Nothing that is signed as a token begins like this.
const LABEL: &str = "regrant dpop nonce v1 ";

/// Makes and knows the nonces of a server: each is a MAC of the span of time that it is of, so all
/// processes with the same refresh secret give and take the same ones.
pub struct Nonces {
    keys: RwLock<RefreshKeys>,
    lifetime: Duration,
}

impl Nonces {
    /// Nonces under `keys`, a new one every `lifetime`. One is accepted for up to twice that.
    pub fn new(keys: RefreshKeys, lifetime: Duration) -> Self {
        Self { keys: RwLock::new(keys), lifetime: lifetime.max(Duration::from_secs(1)) }
    }

    /// Goes on with these keys. What the retired ones among them made is accepted.
    #[cfg(feature = "server")]
    pub(crate) fn set_keys(&self, keys: RefreshKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// For how long a proof with a nonce may be used.
    pub(super) fn longest_life(&self) -> Duration {
        self.lifetime * 2
    }

    /// The nonce of this moment, for the header `DPoP-Nonce`.
    pub fn current(&self, now: Timestamp) -> String {
        base64url::encode(&self.keys().sign(&message(self.span(now))))
    }

    /// Whether `nonce` is that of this moment or the one before, in constant time.
    pub(super) fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        let Ok(mac) = base64url::decode(nonce) else { return false };
        let (keys, span) = (self.keys(), self.span(now));
        [span, span.saturating_sub(1)].into_iter().any(|span| keys.verify(&message(span), &mac))
    }

    fn keys(&self) -> RwLockReadGuard<'_, RefreshKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn span(&self, now: Timestamp) -> i64 {
        now.as_seconds() / i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)
    }
}

fn message(span: i64) -> Vec<u8> {
    format!("{LABEL}{span}").into_bytes()
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RefreshSecret;
    use crate::types::SecretBytes;

    fn nonces(secret: &str) -> Nonces {
        let secret = RefreshSecret::derived_from(&SecretBytes::new(secret)).unwrap();
        Nonces::new(RefreshKeys::new(secret), Duration::from_secs(300))
    }

    #[test]
    fn one_is_good_for_its_span_and_the_next() {
        let at = Timestamp::from_seconds;
        let nonce = nonces("a").current(at(600));
        assert_eq!(nonce.len(), 43);
        for seconds in [600, 899, 900, 1199] {
            assert!(nonces("a").accepts(&nonce, at(seconds)), "{seconds}");
        }
        for seconds in [0, 599, 1200, 9999] {
            assert!(!nonces("a").accepts(&nonce, at(seconds)), "{seconds}");
        }
        assert!(!nonces("b").accepts(&nonce, at(600)));
        assert!(!nonces("a").accepts("", at(600)));
    }

    #[test]
    #[cfg(feature = "server")]
    fn a_retired_secret_goes_on_counting() {
        let at = Timestamp::from_seconds(600);
        let secret = |text| RefreshSecret::derived_from(&SecretBytes::new(text)).unwrap();
        let exchanged = nonces("a");
        let old = exchanged.current(at);
        exchanged.set_keys(RefreshKeys::new(secret("b")).with_retired(secret("a")));
        assert!(exchanged.accepts(&old, at) && exchanged.accepts(&nonces("b").current(at), at));
        exchanged.set_keys(RefreshKeys::new(secret("b")));
        assert!(!exchanged.accepts(&old, at));
    }
}
