//! AWS-LC. Verification keeps the parsed key, which the provider of `jsonwebtoken` does not:
//! parsing it again would cost as much as a third of an RSA verification.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as aws;
pub(super) use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as PROVIDER;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::keys::algorithm::Algorithm;
use crate::keys::document::PublicDocument;
use crate::keys::generate::RsaBits;
use crate::keys::key_kind::KeyKind;

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

/// A new private key as PKCS#8.
pub(in crate::keys) fn generate(kind: KeyKind, bits: RsaBits) -> Result<Zeroizing<Vec<u8>>> {
    let document = match kind {
        KeyKind::Rsa => rsa(bits),
        KeyKind::P256 => ecdsa(&aws::ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyKind::P384 => ecdsa(&aws::ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyKind::Ed25519 => aws::Ed25519KeyPair::generate()
            .and_then(|pair| pair.to_pkcs8v1())
            .map(|document| document.as_ref().to_vec()),
    };
    document.map(Zeroizing::new).map_err(|_| Error::internal("AWS-LC made no key"))
}

fn rsa(bits: RsaBits) -> std::result::Result<Vec<u8>, Unspecified> {
    let size = match bits {
        RsaBits::B2048 => KeySize::Rsa2048,
        RsaBits::B3072 => KeySize::Rsa3072,
        RsaBits::B4096 => KeySize::Rsa4096,
    };
    let der: Pkcs8V1Der<'_> = aws::RsaKeyPair::generate(size)?.as_der()?;
    Ok(der.as_ref().to_vec())
}

fn ecdsa(curve: &'static aws::EcdsaSigningAlgorithm) -> std::result::Result<Vec<u8>, Unspecified> {
    Ok(aws::EcdsaKeyPair::generate(curve)?.to_pkcs8v1()?.as_ref().to_vec())
}
