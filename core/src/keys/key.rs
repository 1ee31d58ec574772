//! A key: pinned to one algorithm, so that a token cannot choose how it is checked
//! (RFC 8725 §3.1).

use std::fmt;

use super::algorithm::Algorithm;
use super::backend::{Signer, Verifier};
use super::document::{PrivateDocument, PublicDocument};
use super::hmac::{PreparedMac, ShortSecret};
use super::key_id::KeyId;
use super::key_kind::KeyKind;
use super::public_key::PublicKey;
use crate::error::{Error, Result};
use crate::types::SecretBytes;

/// A key for one algorithm, with an optional name.
///
/// One made from a secret or a private key signs and verifies, one made from a public key only
/// verifies. Everything about it is checked when it is made; every constructor answers
/// [`Error::ConfigInvalid`] for the field `secret`, `privateKey` or `publicKey`.
/// `Debug` shows no key material.
pub struct Key {
    algorithm: Algorithm,
    id: Option<KeyId>,
    material: Material,
    only_verifies: bool,
}

enum Material {
    Mac(PreparedMac),
    Pair(Signer, Verifier, PublicKey),
    Public(Verifier, PublicKey),
}

impl Key {
    /// An HMAC key: the bytes of `secret` as they are (text is not decoded).
    ///
    /// # Errors
    /// For the field `secret`: empty, shorter than the output of the hash (RFC 7518 §3.2) unless
    /// `short` allows it, or a PEM file; `algorithm` that is not HS256, HS384 or HS512.
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
        Ok(Self::of(algorithm, Material::Mac(mac)))
    }

    /// A private key in PEM: PKCS#8, or PKCS#1 for RSA, not encrypted.
    ///
    /// # Errors
    /// For the field `privateKey`: not such a file, a key of another kind or curve than
    /// `algorithm` needs, or an RSA key of less than 2048 bits.
    pub fn private_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        Self::from_private(algorithm, &PrivateDocument::from_pem(algorithm, pem)?)
    }

    /// A private key in DER: PKCS#8, or PKCS#1 for RSA.
    ///
    /// # Errors
    /// As [`private_pem`](Self::private_pem).
    pub fn private_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        Self::from_private(algorithm, &PrivateDocument::from_der(algorithm, der)?)
    }

    /// A public key in PEM: SPKI, or PKCS#1 for RSA. It cannot sign.
    ///
    /// # Errors
    /// For the field `publicKey`: not such a file (a certificate is not one), a key of another
    /// kind or curve than `algorithm` needs, or an RSA key of less than 2048 bits.
    pub fn public_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        Self::from_public(algorithm, PublicDocument::from_pem(algorithm, pem)?)
    }

    /// A public key in DER: SPKI, or PKCS#1 for RSA. It cannot sign.
    ///
    /// # Errors
    /// As [`public_pem`](Self::public_pem).
    pub fn public_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        Self::from_public(algorithm, PublicDocument::from_der(algorithm, der)?)
    }

    const fn of(algorithm: Algorithm, material: Material) -> Self {
        Self { algorithm, id: None, material, only_verifies: false }
    }

    fn from_private(algorithm: Algorithm, document: &PrivateDocument) -> Result<Self> {
        let (signer, public) = Signer::new(algorithm, document)?;
        let verifier = Verifier::new(algorithm, &public)?;
        let public = PublicKey::unchecked(kind_of(algorithm)?, public);
        Ok(Self::of(algorithm, Material::Pair(signer, verifier, public)))
    }

    pub(super) fn from_public(algorithm: Algorithm, document: PublicDocument) -> Result<Self> {
        let verifier = Verifier::new(algorithm, &document)?;
        let public = PublicKey::unchecked(kind_of(algorithm)?, document);
        Ok(Self::of(algorithm, Material::Public(verifier, public)))
    }

    /// The public key of a JWK (RFC 7517 §4) for `algorithm`, which its `alg` and its kind must
    /// allow; `use`, `key_ops` and private members count as in a set.
    #[cfg(feature = "client")]
    pub(crate) fn from_public_jwk(
        jwk: &serde_json::Map<String, serde_json::Value>,
        algorithm: Algorithm,
    ) -> Result<Self, super::JwkError> {
        let key = super::jwk::read(jwk, algorithm)?;
        if key.algorithm == algorithm { Ok(key) } else { Err(super::JwkError::AlgorithmMismatch) }
    }

    /// The same key under the name `id`, the `kid` of the tokens that it signs.
    #[must_use]
    pub fn with_id(mut self, id: KeyId) -> Self {
        self.id = Some(id);
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

    /// The same key, which does not sign any more.
    pub(super) fn for_verifying(mut self) -> Self {
        self.only_verifies = true;
        self
    }

    /// Whether the key can sign: whether it was made from a secret or a private key, which may be
    /// used for that.
    pub const fn can_sign(&self) -> bool {
        !matches!(self.material, Material::Public(..)) && !self.only_verifies
    }

    /// The public part; `None` for a secret, which has none.
    pub const fn public(&self) -> Option<&PublicKey> {
        match &self.material {
            Material::Mac(_) => None,
            Material::Pair(.., public) | Material::Public(_, public) => Some(public),
        }
    }

    /// The signature of `message` (RFC 7518 §3: the raw bytes, `r ‖ s` for ECDSA).
    ///
    /// # Errors
    /// [`Error::Internal`] for a public key, and when the backend fails.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        match &self.material {
            _ if self.only_verifies => Err(Error::internal("this key is not for signing")),
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

fn kind_of(algorithm: Algorithm) -> Result<KeyKind> {
    KeyKind::of(algorithm).ok_or_else(|| Error::internal("a secret is no key pair"))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .field("can_sign", &self.can_sign())
            .finish_non_exhaustive()
    }
}
