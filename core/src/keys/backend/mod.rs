//! The only place that knows which library computes asymmetric signatures.
//!
//! The provider is named explicitly, so that a program in which both features are on (through
//! other crates, for example) gets AWS-LC instead of a panic at first use.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
mod rust_crypto;

#[cfg(feature = "aws-lc-rs")]
use aws_lc as chosen;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
use rust_crypto as chosen;

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!("regrant needs one of its features `aws-lc-rs` and `rust-crypto`");

pub(super) use chosen::{Verifier, generate};

use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::EllipticCurve;

use super::algorithm::{Algorithm, Family};
use super::document::{PrivateDocument, PublicDocument};
use crate::error::{Error, Result};

/// A private key, checked, with its algorithm.
pub(super) struct Signer {
    algorithm: jsonwebtoken::Algorithm,
    key: EncodingKey,
}

impl Signer {
    /// The signer, and the public part that was derived from it.
    pub(super) fn new(
        algorithm: Algorithm,
        document: &PrivateDocument,
    ) -> Result<(Self, PublicDocument)> {
        let provider_algorithm = provider_algorithm(algorithm);
        let der = document.0.as_slice();
        let utils = &chosen::PROVIDER.key_utils;
        let refuse = |_| Error::config("privateKey", format!("is not a valid {algorithm} key"));
        let (key, public) = match algorithm.family() {
            Family::Rsa => {
                let (modulus, exponent) =
                    (utils.rsa_pub_components_from_private_key)(der).map_err(refuse)?;
                let public = PublicDocument::from_rsa_components(&modulus, &exponent)?;
                (EncodingKey::from_rsa_der(der), public)
            }
            Family::Ec => {
                let (_, x, y) = (utils.ec_pub_components_from_private_key)(der, provider_algorithm)
                    .map_err(refuse)?;
                (EncodingKey::from_ec_der(der), PublicDocument::from_coordinates(&x, &y))
            }
            Family::Ed => {
                let public =
                    (utils.ed_pub_components_from_private_key)(der, &EllipticCurve::Ed25519)
                        .map_err(refuse)?;
                (EncodingKey::from_ed_der(der), PublicDocument(public))
            }
            Family::Hmac => {
                return Err(Error::config(
                    "privateKey",
                    format!("{algorithm} takes a secret, not a private key"),
                ));
            }
        };
        Ok((Self { algorithm: provider_algorithm, key }, public))
    }

    /// # Errors
    /// [`Error::Internal`] when the backend fails, for want of randomness for example.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        // Built per call: the provider's signers are not `Sync`.
        (chosen::PROVIDER.signer_factory)(&self.algorithm, &self.key)
            .ok()
            .and_then(|signer| signer.try_sign(message).ok())
            .ok_or_else(|| Error::internal("the private key failed to sign"))
    }
}

const fn provider_algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as Provider;
    match algorithm {
        Algorithm::HS256 => Provider::HS256,
        Algorithm::HS384 => Provider::HS384,
        Algorithm::HS512 => Provider::HS512,
        Algorithm::RS256 => Provider::RS256,
        Algorithm::RS384 => Provider::RS384,
        Algorithm::RS512 => Provider::RS512,
        Algorithm::PS256 => Provider::PS256,
        Algorithm::PS384 => Provider::PS384,
        Algorithm::PS512 => Provider::PS512,
        Algorithm::ES256 => Provider::ES256,
        Algorithm::ES384 => Provider::ES384,
        Algorithm::EdDSA => Provider::EdDSA,
    }
}
