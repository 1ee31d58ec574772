//! HMAC keys: for access tokens (HS256 to HS512) and for refresh tokens (always HS256).
//!
//! A key is prepared once: each message starts from a clone of the hash states after the key block,
//! which saves two of the four compressions that a short message costs.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, ShortSecret};
use super::pem;
use crate::error::{Error, Result};
use crate::types::{Realm, Realms, SecretBytes};

/// A prepared HMAC key.
#[derive(Clone)]
pub(super) enum PreparedMac {
    Sha256(Hmac<Sha256>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl PreparedMac {
    /// Prepares `secret`; errors name the configuration field `field`.
    pub(super) fn new(
        algorithm: Algorithm,
        secret: &SecretBytes,
        short: ShortSecret,
        field: &'static str,
    ) -> Result<Self> {
        let output_bytes = match algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err(Error::config(field, format!("{algorithm} does not use a secret"))),
        };
        check_length(secret, output_bytes, algorithm.as_str(), short, field)?;
        let bytes = secret.expose();
        if let Some(found) = pem::key_format_of(bytes) {
            return Err(Error::config(field, format!("{found} is not an HMAC secret")));
        }
        let mac = match algorithm {
            Algorithm::HS384 => Hmac::new_from_slice(bytes).map(Box::new).map(Self::Sha384),
            Algorithm::HS512 => Hmac::new_from_slice(bytes).map(Box::new).map(Self::Sha512),
            _ => Hmac::new_from_slice(bytes).map(Self::Sha256),
        };
        mac.map_err(|_| Error::config(field, "not usable as an HMAC secret"))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        fn sign(mac: impl Mac, message: &[u8]) -> Vec<u8> {
            mac.chain_update(message).finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha256(mac) => sign(mac.clone(), message),
            Self::Sha384(mac) => sign(mac.as_ref().clone(), message),
            Self::Sha512(mac) => sign(mac.as_ref().clone(), message),
        }
    }

    /// Compares in constant time. A signature of another length never matches.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        fn verify(mac: impl Mac, message: &[u8], signature: &[u8]) -> bool {
            mac.chain_update(message).verify_slice(signature).is_ok()
        }
        match self {
            Self::Sha256(mac) => verify(mac.clone(), message, signature),
            Self::Sha384(mac) => verify(mac.as_ref().clone(), message, signature),
            Self::Sha512(mac) => verify(mac.as_ref().clone(), message, signature),
        }
    }
}

/// Rejects an empty secret, and one shorter than `least` bytes unless `short` allows it.
fn check_length(
    secret: &SecretBytes,
    least: usize,
    purpose: &str,
    short: ShortSecret,
    field: &'static str,
) -> Result<()> {
    let length = secret.expose().len();
    if length == 0 {
        return Err(Error::config(field, "is empty"));
    }
    if length < least && short == ShortSecret::Refuse {
        return Err(Error::config(
            field,
            format!(
                "has {length} bytes; {purpose} needs at least {least}: `regrant keys secret` makes one \
                 (to keep an existing secret, allow short ones: allowShortSecret)"
            ),
        ));
    }
    Ok(())
}

/// The HKDF info string of refresh secrets. Changing it signs every user out.
const REFRESH_INFO: &[u8] = b"regrant refresh token v1";

/// The HKDF info string of a realm's secret, before the realm's name. Changing it signs every user out.
const REALM_INFO: &[u8] = b"regrant refresh realm v1\0";

const REFRESH_FIELD: &str = "refreshSecret";

/// An HS256 secret for refresh tokens, prepared once. `Debug` shows nothing of it.
///
/// It is never a secret that a verifier of access tokens holds.
#[derive(Clone)]
pub struct RefreshSecret(PreparedMac);

impl RefreshSecret {
    /// Derives the secret from the app's one secret by HKDF-SHA256 (RFC 5869) without salt.
    ///
    /// A verifier whose HMAC key is `secret`, such as the legacy app's, does not accept tokens
    /// signed with the derived secret. The derived secret is no harder to guess than `secret`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `refreshSecret` when `secret` is empty.
    pub fn derived_from(secret: &SecretBytes) -> Result<Self> {
        check_length(secret, 1, "the derivation", ShortSecret::Refuse, REFRESH_FIELD)?;
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret.expose())
            .expand(REFRESH_INFO, derived.as_mut_slice())
            .map_err(|_| Error::internal("HKDF rejected 32 bytes"))?;
        Self::new(&SecretBytes::new(derived.as_slice()), ShortSecret::Refuse)
    }

    /// Uses `secret` as it is: at least 32 bytes unless `short` allows less.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `refreshSecret` when it is empty or too short.
    pub fn new(secret: &SecretBytes, short: ShortSecret) -> Result<Self> {
        PreparedMac::new(Algorithm::HS256, secret, short, REFRESH_FIELD).map(Self)
    }

    /// The secret of a realm: HKDF-Expand (RFC 5869 §2.3) of this secret, so that the tokens of one
    /// realm are not valid in another one. The realm without a name has this secret itself.
    fn in_realm(&self, realm: &Realm) -> Result<Self> {
        if realm.tag().is_none() {
            return Ok(self.clone());
        }
        // The first block of HKDF-Expand, which is all that 32 bytes need.
        let info = [REALM_INFO, realm.name().as_bytes(), &[1]].concat();
        let derived = Zeroizing::new(self.sign(&info));
        Self::new(&SecretBytes::new(derived.as_slice()), ShortSecret::Refuse)
    }

    /// The HMAC-SHA-256 of `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut signature = [0; 32];
        signature.copy_from_slice(&self.0.sign(message));
        signature
    }

    /// Whether `signature` is the HMAC-SHA-256 of `message`, in constant time.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature)
    }
}

impl fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshSecret([redacted])")
    }
}

/// The secret that signs refresh tokens, and retired ones that only verify them.
///
/// Keep a retired secret for the lifetime of a refresh token, then drop it.
#[derive(Clone, Debug)]
pub struct RefreshKeys {
    active: RefreshSecret,
    retired: Vec<RefreshSecret>,
}

impl RefreshKeys {
    /// Signs and verifies with `active` alone.
    pub const fn new(active: RefreshSecret) -> Self {
        Self { active, retired: Vec::new() }
    }

    /// Also accepts signatures made with `secret`.
    #[must_use]
    pub fn with_retired(mut self, secret: RefreshSecret) -> Self {
        self.retired.push(secret);
        self
    }

    /// The secrets of a realm, which also accept the tokens of the realms whose sessions go on.
    ///
    /// # Errors
    /// [`Error::Internal`], never in practice.
    #[doc(hidden)]
    pub fn in_realms(&self, realms: &Realms) -> Result<Self> {
        let secrets = || std::iter::once(&self.active).chain(&self.retired);
        let derived =
            realms.iter().flat_map(|realm| secrets().map(|secret| secret.in_realm(realm)));
        let mut derived = derived.collect::<Result<Vec<_>>>()?.into_iter();
        let active = derived.next().ok_or_else(|| Error::internal("no realm"))?;
        Ok(Self { active, retired: derived.collect() })
    }

    /// The HMAC-SHA-256 of `message` under the active secret.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.active.sign(message)
    }

    /// Whether `signature` is the HMAC-SHA-256 of `message` under the active or a retired secret.
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

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231 §4.2, §4.3 and §4.7: a short key, a text as key, a key longer than a block.
    #[test]
    fn matches_the_examples_of_rfc_4231() {
        for (key, message, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let mac = PreparedMac::new(
                Algorithm::HS256,
                &SecretBytes::new(key),
                ShortSecret::Allow,
                "secret",
            );
            assert_eq!(hex(&mac.unwrap().sign(message)), expected);
        }
    }

    #[test]
    fn only_the_exact_signature_verifies() {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let mac = PreparedMac::new(algorithm, &secret("s"), ShortSecret::Allow, "secret");
            let mac = mac.unwrap();
            let signature = mac.sign(b"message");
            assert!(mac.verify(b"message", &signature));
            assert!(!mac.verify(b"messagf", &signature));
            for index in 0..signature.len() {
                for bit in 0..8 {
                    let mut other = signature.clone();
                    other[index] ^= 1 << bit;
                    assert!(!mac.verify(b"message", &other), "{algorithm} {index} {bit}");
                }
            }
            for other in [
                &signature[..signature.len() - 8],
                &signature[1..],
                &[],
                &[signature.as_slice(), &[0; 8]].concat(),
            ] {
                assert!(!mac.verify(b"message", other), "{algorithm} {}", other.len());
            }
        }
    }

    #[test]
    fn derived_secret_differs_from_its_root() {
        let root = secret("an access secret of 32 bytes or more");
        let derived = RefreshSecret::derived_from(&root).unwrap();
        let plain = RefreshSecret::new(&root, ShortSecret::Refuse).unwrap();
        assert!(derived.verify(b"message", &derived.sign(b"message")));
        assert!(!plain.verify(b"message", &derived.sign(b"message")));
        assert!(!derived.verify(b"other", &derived.sign(b"message")));
    }

    /// Computed with `openssl kdf` and `openssl mac`: the derivation must never change.
    #[test]
    fn derivation_is_stable() {
        let derived = RefreshSecret::derived_from(&secret("SECRET_KEY")).unwrap();
        assert_eq!(
            hex(&derived.sign(b"message")),
            "8de0729c1340e0c45a6187a198e538152b74964765c0c07bcf6f822d034960d5"
        );
    }

    #[test]
    fn short_and_empty_refresh_secrets() {
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
