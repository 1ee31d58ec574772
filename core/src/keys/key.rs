//! A key and its name.
//!
//! A key is pinned to one algorithm, so that a token cannot choose how it is checked
//! (RFC 8725 §3.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::algorithm::{Algorithm, KeyKind, ShortSecret};
use super::backend::{Signer, Verifier};
use super::hmac::PreparedMac;
use super::pem::{PrivateKeyDer, PublicKeyBytes};
use super::public_key::PublicKey;
use crate::error::{Error, Result};
use crate::token::base64url;
use crate::token::jws::{self, Compact};
use crate::types::SecretBytes;

/// A key for one algorithm, with an optional name.
///
/// A key made from a secret or a private key signs and verifies, a key made from a public key only
/// verifies. It is checked when it is made; every constructor fails with [`Error::ConfigInvalid`]
/// for the field `secret`, `privateKey` or `publicKey`. `Debug` shows no key material.
pub struct Key {
    algorithm: Algorithm,
    id: Option<KeyId>,
    material: Material,
    verify_only: bool,
}

enum Material {
    Mac(PreparedMac),
    Pair(Signer, Verifier, PublicKey),
    Public(Verifier, PublicKey),
}

impl Key {
    /// An HMAC key from the bytes of `secret` as they are (text is not decoded).
    ///
    /// # Errors
    /// For the field `secret`: empty, shorter than the output of the hash (RFC 7518 §3.2) unless
    /// `short` allows it, or a key file; `algorithm` is not HS256, HS384 or HS512.
    ///
    /// ```
    /// use regrant::keys::{Algorithm, Key, ShortSecret};
    /// use regrant::types::SecretBytes;
    ///
    /// let secret = SecretBytes::new("32 random bytes, better than this");
    /// let key = Key::hmac(Algorithm::HS256, &secret, ShortSecret::Refuse)?;
    /// assert!(key.can_sign());
    /// # Ok::<(), regrant::Error>(())
    /// ```
    pub fn hmac(algorithm: Algorithm, secret: &SecretBytes, short: ShortSecret) -> Result<Self> {
        let mac = PreparedMac::new(algorithm, secret, short, "secret")?;
        Ok(Self::from_material(algorithm, Material::Mac(mac)))
    }

    /// A private key in PEM: PKCS#8, or PKCS#1 for RSA, not encrypted.
    ///
    /// # Errors
    /// For the field `privateKey`: not such a file, a key of another kind or curve than
    /// `algorithm` takes, or an RSA key of less than 2048 bits or more than 8192.
    pub fn private_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        Self::from_private(algorithm, &PrivateKeyDer::from_pem(algorithm, pem)?)
    }

    /// A private key in DER: PKCS#8, or PKCS#1 for RSA.
    ///
    /// # Errors
    /// As [`private_pem`](Self::private_pem).
    pub fn private_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        Self::from_private(algorithm, &PrivateKeyDer::from_der(algorithm, der)?)
    }

    /// A public key in PEM: SPKI, or PKCS#1 for RSA. It cannot sign.
    ///
    /// # Errors
    /// For the field `publicKey`: not such a file (a certificate is not one), a key of another
    /// kind or curve than `algorithm` takes, or an RSA key of a size that
    /// [`private_pem`](Self::private_pem) refuses.
    pub fn public_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        Self::from_public(algorithm, PublicKeyBytes::from_pem(algorithm, pem)?)
    }

    /// A public key in DER: SPKI, or PKCS#1 for RSA. It cannot sign.
    ///
    /// # Errors
    /// As [`public_pem`](Self::public_pem).
    pub fn public_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        Self::from_public(algorithm, PublicKeyBytes::from_der(algorithm, der)?)
    }

    fn from_private(algorithm: Algorithm, private: &PrivateKeyDer) -> Result<Self> {
        let (signer, bytes) = Signer::parse(algorithm, private)?;
        let verifier = Verifier::new(algorithm, &bytes)?;
        let public = PublicKey::from_checked(pair_kind(algorithm)?, bytes);
        Ok(Self::from_material(algorithm, Material::Pair(signer, verifier, public)))
    }

    pub(super) fn from_public(algorithm: Algorithm, bytes: PublicKeyBytes) -> Result<Self> {
        let verifier = Verifier::new(algorithm, &bytes)?;
        let public = PublicKey::from_checked(pair_kind(algorithm)?, bytes);
        Ok(Self::from_material(algorithm, Material::Public(verifier, public)))
    }

    const fn from_material(algorithm: Algorithm, material: Material) -> Self {
        Self { algorithm, id: None, material, verify_only: false }
    }

    /// Names the key: `id` is the `kid` of the tokens that it signs.
    #[must_use]
    pub fn with_id(mut self, id: KeyId) -> Self {
        self.id = Some(id);
        self
    }

    /// Whether a token that names `other` could mean this key as well: both have the same name and
    /// the same algorithm. Keys of different types may share a name (RFC 7517 §4.5).
    pub(super) fn has_name_of(&self, other: &Self) -> bool {
        self.id.is_some() && self.id == other.id && self.algorithm == other.algorithm
    }

    /// Takes away the ability to sign.
    pub(super) fn for_verifying(mut self) -> Self {
        self.verify_only = true;
        self
    }

    /// The algorithm that the key is pinned to.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key, if it has one.
    pub const fn id(&self) -> Option<&KeyId> {
        self.id.as_ref()
    }

    /// Whether the key can sign: it was made from a secret or a private key whose use allows it.
    pub const fn can_sign(&self) -> bool {
        !matches!(self.material, Material::Public(..)) && !self.verify_only
    }

    /// The public part; `None` for a secret.
    pub const fn public(&self) -> Option<&PublicKey> {
        match &self.material {
            Material::Mac(_) => None,
            Material::Pair(.., public) | Material::Public(_, public) => Some(public),
        }
    }

    /// The signature of `message` (RFC 7518 §3: the raw bytes, `r ‖ s` for ECDSA).
    ///
    /// # Errors
    /// [`Error::Internal`] for a key that cannot sign, and when the backend fails.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        match &self.material {
            _ if self.verify_only => Err(Error::internal("this key is not for signing")),
            Material::Mac(mac) => Ok(mac.sign(message)),
            Material::Pair(signer, ..) => signer.sign(message),
            Material::Public(..) => Err(Error::internal("a public key cannot sign")),
        }
    }

    /// Whether `signature` is this key's signature of `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Mac(mac) => mac.verify(message, signature),
            Material::Pair(_, verifier, _) | Material::Public(verifier, _) => {
                verifier.verify(message, signature)
            }
        }
    }
}

/// Without the rules of this crate: for callers that check headers and claims themselves. Others
/// use [`AccessVerifier`](crate::access::AccessVerifier), and an `Auth` to issue tokens.
impl Key {
    /// Signs a compact JWS (RFC 7515 §7.1) of a `header` that is base64url already and a `payload`
    /// that is not.
    ///
    /// The header is not checked: the caller ensures that its `alg` is this key's.
    ///
    /// # Errors
    /// [`Error::Internal`] for a key that cannot sign, and when the backend fails.
    pub fn sign_jws(&self, header: &str, payload: &str) -> Result<String> {
        jws::encode(header, payload, |message| self.sign(message))
    }

    /// Checks the signature of a compact JWS of any size, and nothing else: the caller compares
    /// `alg` with this key's and checks the claims, `exp` included.
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] unless there are three segments, none of them empty, and the
    /// third is canonical base64url; [`Error::SignatureInvalid`] when another key signed it.
    pub fn verify_jws(&self, token: &str) -> Result<()> {
        let compact = Compact::split(token, usize::MAX)?;
        let mut space = [0; ON_STACK];
        let decoded;
        let signature = if compact.signature.len() <= ON_STACK {
            base64url::decode_into(compact.signature, &mut space)?
        } else {
            decoded = base64url::decode(compact.signature)?;
            &decoded
        };
        if self.verify(compact.signing_input.as_bytes(), signature) {
            Ok(())
        } else {
            Err(Error::SignatureInvalid)
        }
    }
}

/// The length of a base64url RSA-4096 signature. Longer ones are decoded on the heap.
const ON_STACK: usize = 684;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .field("can_sign", &self.can_sign())
            .finish_non_exhaustive()
    }
}

fn pair_kind(algorithm: Algorithm) -> Result<KeyKind> {
    KeyKind::of(algorithm).ok_or_else(|| Error::internal("a secret is no key pair"))
}

/// The name of a key (RFC 7515 §4.1.4). It is not a secret.
///
/// A configured name has 1 to 128 visible ASCII characters; that in a JWK is any text of its issuer
/// (RFC 7517 §4.5).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Box<str>);

impl KeyId {
    /// The longest configured name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `kid` when it is empty, too long, or contains
    /// anything but visible ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > Self::MAX_BYTES || !visible {
            return Err(Error::config("kid", "expected 1 to 128 visible ASCII characters"));
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// The `kid` of a JWK: any text.
    pub(super) fn of_jwk(kid: &str) -> Self {
        Self(kid.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0.escape_debug())
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for KeyId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> Key {
        Key::hmac(Algorithm::HS256, &SecretBytes::new(secret), ShortSecret::Allow).unwrap()
    }

    /// The example of RFC 7515, appendix A.1.
    #[test]
    fn matches_the_example_of_rfc_7515() {
        let secret = base64url::decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        );
        let secret = SecretBytes::new(secret.unwrap());
        let key = Key::hmac(Algorithm::HS256, &secret, ShortSecret::Refuse).unwrap();
        let payload =
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let token = key.sign_jws("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", payload).unwrap();
        let signature = token.rsplit('.').next().unwrap();
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert!(key.verify_jws(&token).is_ok());
    }

    #[test]
    fn verify_jws_accepts_only_this_keys_signature() {
        let token = key("one").sign_jws("e30", "anything").unwrap();
        assert!(key("one").verify_jws(&token).is_ok());
        assert!(matches!(key("two").verify_jws(&token), Err(Error::SignatureInvalid)));
        let moved = token.replacen("e30.", "e31.", 1);
        assert!(matches!(key("one").verify_jws(&moved), Err(Error::SignatureInvalid)));
    }

    #[test]
    fn verify_jws_accepts_any_length_and_only_canonical_base64url() {
        let key = key("one");
        for length in [1, 4, 43, 684, 686, 4000] {
            let token = format!("e30.e30.{}", "A".repeat(length));
            let expected = if length % 4 == 1 { "TokenMalformed" } else { "SignatureInvalid" };
            assert_eq!(format!("{:?}", key.verify_jws(&token).unwrap_err()), expected, "{length}");
        }
        for malformed in ["e30.e30.", "e30..AA", ".e30.AA", "e30.AA", "e30.e30.AB", "e30.e30.AA=="]
        {
            let error = key.verify_jws(malformed).unwrap_err();
            assert!(matches!(error, Error::TokenMalformed), "{malformed}");
        }
    }

    #[test]
    fn key_id_is_1_to_128_visible_ascii_characters() {
        for good in ["a", "2026-01/primary", &"k".repeat(128)] {
            assert_eq!(KeyId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\n", "키", &"k".repeat(129)] {
            assert!(KeyId::new(bad).is_err(), "{bad:?}");
        }
    }
}
