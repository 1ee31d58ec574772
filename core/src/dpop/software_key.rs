//! A proof key in memory.

use std::fmt;

use serde_json::{Map, Value};

use super::ProofKey;
use crate::error::{Cause, Error, Result};
use crate::keys::{Algorithm, Key, KeyPair, PublicKey, RsaBits, Thumbprint};
use crate::types::SecretBytes;

/// A proof key that this process holds, ES256. It is as safe as the place where its PEM is kept:
/// where a device has a key store, implement [`ProofKey`] over that.
///
/// `Debug` shows its thumbprint.
pub struct SoftwareKey {
    key: Key,
    pem: SecretBytes,
}

impl SoftwareKey {
    const ALGORITHM: Algorithm = Algorithm::ES256;

    /// A new key.
    ///
    /// # Errors
    /// [`Error::Internal`] for want of randomness.
    pub fn generate() -> Result<Self> {
        let pair = KeyPair::generate(Self::ALGORITHM, RsaBits::default())?;
        Self::from_pem(pair.private_pem())
    }

    /// A key that was kept: PKCS#8 in PEM, for P-256.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `privateKey` when it is none.
    pub fn from_pem(pem: &SecretBytes) -> Result<Self> {
        let text = std::str::from_utf8(pem.expose())
            .map_err(|_| Error::config("privateKey", "is not a PEM file"))?;
        Ok(Self { key: Key::private_pem(Self::ALGORITHM, text)?, pem: pem.clone() })
    }

    /// The private key, to be kept where secrets are.
    pub const fn pem(&self) -> &SecretBytes {
        &self.pem
    }

    /// The public key in DER (SPKI, RFC 5280 §4.1).
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice.
    pub fn public_der(&self) -> Result<Vec<u8>> {
        let pem = self.public().map(PublicKey::to_pem).transpose()?.unwrap_or_default();
        let file = pem::parse(pem).map_err(|_| Error::internal("a public key is no PEM file"))?;
        Ok(file.into_contents())
    }

    /// What tokens that are bound to it say.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice.
    pub fn thumbprint(&self) -> Result<Thumbprint> {
        self.public()
            .map_or_else(|| Err(Error::internal("a key without a public part")), Thumbprint::of)
    }

    fn public(&self) -> Option<&PublicKey> {
        self.key.public()
    }
}

impl ProofKey for SoftwareKey {
    fn algorithm(&self) -> Algorithm {
        Self::ALGORITHM
    }

    fn public_jwk(&self) -> Map<String, Value> {
        self.public().map(PublicKey::jwk).unwrap_or_default()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Cause> {
        Ok(self.key.sign(message)?)
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareKey")
            .field("thumbprint", &self.thumbprint().ok())
            .finish_non_exhaustive()
    }
}
