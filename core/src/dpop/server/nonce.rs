//! Nonces (RFC 9449 §8), which show that a proof was made recently.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::keys::RefreshKeys;
use crate::token::base64url;
use crate::types::Timestamp;

/// Keeps the MACs of nonces apart from signatures of tokens under the same secret.
const NONCE_LABEL: &str = "regrant dpop nonce v1 ";

/// Issues nonces (RFC 9449 §8) without storing them: a nonce is a MAC of the period in which it is
/// issued, so all processes with the same refresh secret issue and accept the same nonces.
pub struct NonceIssuer {
    keys: RwLock<RefreshKeys>,
    lifetime: Duration,
}

impl NonceIssuer {
    /// Nonces under `keys`, a new one every `lifetime`. A nonce is accepted for up to twice that.
    pub fn new(keys: RefreshKeys, lifetime: Duration) -> Self {
        Self { keys: RwLock::new(keys), lifetime: lifetime.max(Duration::from_secs(1)) }
    }

    /// Replaces the keys. Nonces under the retired ones among them are accepted.
    pub(crate) fn set_keys(&self, keys: RefreshKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The nonce at `now`, for the header `DPoP-Nonce`.
    pub fn current(&self, now: Timestamp) -> String {
        base64url::encode(&self.keys().sign(&nonce_message(self.period(now))))
    }

    /// Whether `nonce` is that of this period or the one before, in constant time.
    pub(super) fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        let Ok(mac) = base64url::decode(nonce) else { return false };
        let (keys, period) = (self.keys(), self.period(now));
        [period, period.saturating_sub(1)]
            .into_iter()
            .any(|period| keys.verify(&nonce_message(period), &mac))
    }

    /// For how long a nonce is accepted.
    pub(super) fn max_age(&self) -> Duration {
        self.lifetime * 2
    }

    fn keys(&self) -> RwLockReadGuard<'_, RefreshKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn period(&self, now: Timestamp) -> i64 {
        now.as_seconds() / i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)
    }
}

fn nonce_message(period: i64) -> Vec<u8> {
    format!("{NONCE_LABEL}{period}").into_bytes()
}

impl fmt::Debug for NonceIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceIssuer").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RefreshSecret;
    use crate::types::SecretBytes;

    fn nonces(secret: &str) -> NonceIssuer {
        let secret = RefreshSecret::derived_from(&SecretBytes::new(secret)).unwrap();
        NonceIssuer::new(RefreshKeys::new(secret), Duration::from_secs(300))
    }

    #[test]
    fn a_nonce_is_accepted_in_its_period_and_the_next() {
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
    fn nonces_under_a_retired_secret_are_accepted() {
        let at = Timestamp::from_seconds(600);
        let secret = |text| RefreshSecret::derived_from(&SecretBytes::new(text)).unwrap();
        let rotated = nonces("a");
        let old = rotated.current(at);
        rotated.set_keys(RefreshKeys::new(secret("b")).with_retired(secret("a")));
        assert!(rotated.accepts(&old, at) && rotated.accepts(&nonces("b").current(at), at));
        rotated.set_keys(RefreshKeys::new(secret("b")));
        assert!(!rotated.accepts(&old, at));
    }
}
