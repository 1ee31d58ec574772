//! New key pairs.

use std::fmt;

use super::algorithm::Algorithm;
use super::backend;
use super::document::write_pem;
use super::key_kind::KeyKind;
use super::public_key::PublicKey;
use crate::error::{Error, Result};
use crate::types::SecretBytes;

/// The size of an RSA modulus, in bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048: what most verifiers expect.
    #[default]
    B2048,
    /// 3072: as strong as 128 bits.
    B3072,
    /// 4096.
    B4096,
}

/// A new key pair. `Debug` shows the public part alone.
pub struct KeyPair {
    private: SecretBytes,
    public: PublicKey,
}

impl KeyPair {
    /// A key pair for `algorithm`; `bits` counts for RSA alone.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `algorithm` when it takes a secret, or RSA in a build
    /// without AWS-LC; [`Error::Internal`] for want of randomness.
    ///
    /// ```
    /// use regrant::keys::{Algorithm, Key, KeyPair, RsaBits};
    ///
    /// let pair = KeyPair::generate(Algorithm::ES256, RsaBits::default())?;
    /// let pem = std::str::from_utf8(pair.private_pem().expose()).unwrap();
    /// assert!(Key::private_pem(Algorithm::ES256, pem)?.can_sign());
    /// # Ok::<(), regrant::Error>(())
    /// ```
    pub fn generate(algorithm: Algorithm, bits: RsaBits) -> Result<Self> {
        let kind = KeyKind::of(algorithm).ok_or_else(|| {
            Error::config("algorithm", format!("{algorithm} takes a secret, not a key pair"))
        })?;
        let pem = write_pem("PRIVATE KEY", backend::generate(kind, bits)?.to_vec());
        Ok(Self { public: PublicKey::from_pem(&pem)?, private: SecretBytes::new(pem) })
    }

    /// The private key in PEM (PKCS#8).
    pub const fn private_pem(&self) -> &SecretBytes {
        &self.private
    }

    /// The public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;

    #[test]
    fn every_pair_signs_and_verifies_for_its_algorithm() {
        let is_made = |algorithm: &Algorithm| match KeyKind::of(*algorithm) {
            None => false,
            Some(KeyKind::Rsa) => cfg!(feature = "aws-lc-rs"),
            Some(_) => true,
        };
        for algorithm in Algorithm::ALL.into_iter().filter(is_made) {
            let pair = KeyPair::generate(algorithm, RsaBits::B2048).unwrap();
            let pem = std::str::from_utf8(pair.private_pem().expose()).unwrap();
            let private = Key::private_pem(algorithm, pem).unwrap();
            let public = Key::public_pem(algorithm, &pair.public().to_pem().unwrap()).unwrap();
            assert!(public.verify(b"message", &private.sign(b"message").unwrap()), "{algorithm}");
        }
    }

    #[test]
    #[cfg(feature = "aws-lc-rs")]
    fn rsa_has_the_size_that_was_asked_for() {
        let pair = KeyPair::generate(Algorithm::RS256, RsaBits::B3072).unwrap();
        assert_eq!(pair.public().rsa_bits(), Some(3072));
    }

    #[test]
    fn a_secret_is_no_pair() {
        let refused = KeyPair::generate(Algorithm::HS256, RsaBits::default()).unwrap_err();
        assert!(refused.to_string().contains("takes a secret"), "{refused}");
    }
}
