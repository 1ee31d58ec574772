//! The secret that signs refresh tokens: never one that any verifier of access tokens holds.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::hmac::{PreparedMac, ShortSecret, check_length};
use crate::error::{Error, Result};
use crate::types::SecretBytes;

/// The HKDF info string. Changing it signs everybody out.
const INFO: &[u8] = b"regrant refresh token v1";

const FIELD: &str = "refreshSecret";

/// An HS256 secret for refresh tokens, prepared once. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RefreshSecret(PreparedMac);

impl RefreshSecret {
    /// Derives it from the app's one secret by HKDF-SHA256 (RFC 5869) without salt.
    ///
    /// No verifier that holds `secret` as its HMAC key, the old app's included, accepts what the
    /// derived secret signed. It is as hard to guess as `secret` is, and not harder.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `refreshSecret` when `secret` is empty.
    pub fn derived_from(secret: &SecretBytes) -> Result<Self> {
        check_length(secret, 1, "the derivation", ShortSecret::Refuse, FIELD)?;
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret.expose())
            .expand(INFO, derived.as_mut_slice())
            .map_err(|_| Error::internal("HKDF refused 32 bytes"))?;
        Self::new(&SecretBytes::new(derived.as_slice()), ShortSecret::Refuse)
    }

    /// Takes a secret of its own: at least 32 bytes unless `short` allows less.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `refreshSecret` when it is empty or too short.
    pub fn new(secret: &SecretBytes, short: ShortSecret) -> Result<Self> {
        PreparedMac::new(Algorithm::HS256, secret, short, FIELD).map(Self)
    }

    /// The HMAC-SHA-256 of `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut signature = [0; 32];
        signature.copy_from_slice(&self.0.sign(message));
        signature
    }

    /// Whether `signature` is that of `message`, in constant time.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature)
    }
}

impl fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshSecret([redacted])")
    }
}

/// The secret that signs refresh tokens now, and those that signed them before.
///
/// Retire a secret for as long as a refresh token lives, then drop it.
#[derive(Clone, Debug)]
pub struct RefreshKeys {
    active: RefreshSecret,
    retired: Vec<RefreshSecret>,
}

impl RefreshKeys {
    /// Signs with `active` and verifies with it alone.
    pub const fn new(active: RefreshSecret) -> Self {
        Self { active, retired: Vec::new() }
    }

    /// Accepts what `secret` signed as well.
    #[must_use]
    pub fn with_retired(mut self, secret: RefreshSecret) -> Self {
        self.retired.push(secret);
        self
    }

    /// The HMAC-SHA-256 of `message` under the active secret.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.active.sign(message)
    }

    /// Whether `signature` is that of `message` under the active or a retired secret.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.active.verify(message, signature)
            || self.retired.iter().any(|secret| secret.verify(message, signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::new(text)
    }

    #[test]
    fn the_derived_secret_is_not_the_given_one() {
        let root = secret("an access secret of 32 bytes or more");
        let derived = RefreshSecret::derived_from(&root).unwrap();
        let given = RefreshSecret::new(&root, ShortSecret::Refuse).unwrap();
        assert!(derived.verify(b"message", &derived.sign(b"message")));
        assert!(!given.verify(b"message", &derived.sign(b"message")));
        assert!(!derived.verify(b"other", &derived.sign(b"message")));
    }

    /// Computed with `openssl kdf` and `openssl mac`: the derivation must never change.
    #[test]
    fn the_derivation_is_fixed() {
        let derived = RefreshSecret::derived_from(&secret("SECRET_KEY")).unwrap();
        assert_eq!(
            hex(&derived.sign(b"message")),
            "8de0729c1340e0c45a6187a198e538152b74964765c0c07bcf6f822d034960d5"
        );
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn short_and_empty_secrets() {
        assert!(RefreshSecret::derived_from(&secret("")).is_err());
        assert!(RefreshSecret::derived_from(&secret("short")).is_ok());
        assert!(RefreshSecret::new(&secret("short"), ShortSecret::Refuse).is_err());
        assert!(RefreshSecret::new(&secret("short"), ShortSecret::Allow).is_ok());
        assert!(RefreshSecret::new(&secret(""), ShortSecret::Allow).is_err());
    }

    #[test]
    fn retired_secrets_verify_and_do_not_sign() {
        let old = RefreshSecret::derived_from(&secret("old")).unwrap();
        let new = RefreshSecret::derived_from(&secret("new")).unwrap();
        let keys = RefreshKeys::new(new.clone()).with_retired(old.clone());
        assert!(keys.verify(b"message", &old.sign(b"message")));
        assert_eq!(keys.sign(b"message"), new.sign(b"message"));
        assert!(!RefreshKeys::new(new).verify(b"message", &old.sign(b"message")));
    }

    #[test]
    fn debug_is_redacted() {
        let keys = RefreshKeys::new(RefreshSecret::derived_from(&secret("root")).unwrap());
        assert_eq!(
            format!("{keys:?}"),
            "RefreshKeys { active: RefreshSecret([redacted]), retired: [] }"
        );
    }
}
