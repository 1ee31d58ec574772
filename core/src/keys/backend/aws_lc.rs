//! AWS-LC. Verification keeps the parsed key, which the provider of `jsonwebtoken` does not:
//! parsing it again would cost as much as a third of an RSA verification.

use aws_lc_rs::signature as aws;
pub(super) use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as PROVIDER;

use crate::error::{Error, Result};
use crate::keys::algorithm::Algorithm;
use crate::keys::document::PublicDocument;

/// A public key, checked and parsed, with its algorithm.
pub(in crate::keys) struct Verifier(aws::ParsedPublicKey);

impl Verifier {
    pub(in crate::keys) fn new(algorithm: Algorithm, document: &PublicDocument) -> Result<Self> {
        let refuse = || Error::config("publicKey", format!("is not a valid {algorithm} key"));
        let scheme: &'static dyn aws::VerificationAlgorithm = match algorithm {
            Algorithm::RS256 => &aws::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::RS384 => &aws::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::RS512 => &aws::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::PS256 => &aws::RSA_PSS_2048_8192_SHA256,
            Algorithm::PS384 => &aws::RSA_PSS_2048_8192_SHA384,
            Algorithm::PS512 => &aws::RSA_PSS_2048_8192_SHA512,
            Algorithm::ES256 => &aws::ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &aws::ECDSA_P384_SHA384_FIXED,
            Algorithm::EdDSA => &aws::ED25519,
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return Err(refuse()),
        };
        aws::ParsedPublicKey::new(scheme, &document.0).map(Self).map_err(|_| refuse())
    }

    pub(in crate::keys) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}
