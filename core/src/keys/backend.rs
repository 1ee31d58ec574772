//! The only file that knows which library computes asymmetric signatures: AWS-LC or RustCrypto.
//!
//! `jsonwebtoken` panics at first use if both of its backend features are on and none is installed.
//! This file names the provider, so such a program gets AWS-LC.

use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::EllipticCurve;
use pkcs8::SecretDocument;

#[cfg(feature = "aws-lc-rs")]
use self::aws_lc as active;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
use self::rust_crypto as active;
use super::algorithm::{Algorithm, KeyKind, RsaBits};
use super::pem::{self, PrivateKeyDer, PublicKeyBytes};
use crate::error::{Error, Result};

pub(super) use active::{Verifier, generate};

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!("regrant needs one of its features `aws-lc-rs` and `rust-crypto`");

/// A checked private key and its algorithm.
pub(super) struct Signer {
    algorithm: jsonwebtoken::Algorithm,
    key: EncodingKey,
}

impl Signer {
    /// Parses a private key for `algorithm` and derives its public key.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `privateKey` when the backend rejects the key.
    pub(super) fn parse(
        algorithm: Algorithm,
        private: &PrivateKeyDer,
    ) -> Result<(Self, PublicKeyBytes)> {
        let provider_algorithm = provider_algorithm(algorithm);
        let utils = &active::PROVIDER.key_utils;
        let der = private.as_bytes();
        let invalid = |_| invalid_key(pem::PRIVATE, algorithm);
        let (key, public) = match KeyKind::of(algorithm) {
            Some(KeyKind::Rsa) => {
                let (modulus, exponent) =
                    (utils.rsa_pub_components_from_private_key)(der).map_err(invalid)?;
                let public = PublicKeyBytes::from_rsa_components(&modulus, &exponent)?;
                (EncodingKey::from_rsa_der(der), public)
            }
            Some(KeyKind::P256 | KeyKind::P384) => {
                let (_, x, y) = (utils.ec_pub_components_from_private_key)(der, provider_algorithm)
                    .map_err(invalid)?;
                (EncodingKey::from_ec_der(der), PublicKeyBytes::from_coordinates(&x, &y))
            }
            Some(KeyKind::Ed25519) => {
                let point =
                    (utils.ed_pub_components_from_private_key)(der, &EllipticCurve::Ed25519)
                        .map_err(invalid)?;
                (EncodingKey::from_ed_der(der), PublicKeyBytes::from_ed25519(&point)?)
            }
            None => return Err(pem::takes_secret(pem::PRIVATE, algorithm)),
        };
        Ok((Self { algorithm: provider_algorithm, key }, public))
    }

    /// Signs as JWS does (ECDSA: `r ‖ s`).
    ///
    /// # Errors
    /// [`Error::Internal`] when the backend fails, for example for lack of randomness.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        // Built per call: the provider's signers are not `Sync`.
        (active::PROVIDER.signer_factory)(&self.algorithm, &self.key)
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

fn invalid_key(field: &'static str, algorithm: Algorithm) -> Error {
    Error::config(field, format!("is not a valid {algorithm} key"))
}

/// AWS-LC. Its [`Verifier`](aws_lc::Verifier) keeps the parsed key, unlike the provider of
/// `jsonwebtoken`: parsing costs up to a third of an RSA verification.
#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::error::Unspecified;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature as aws;
    pub(super) use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as PROVIDER;

    use super::{
        Algorithm, Error, KeyKind, PublicKeyBytes, Result, RsaBits, SecretDocument, invalid_key,
        pem,
    };

    /// A checked and parsed public key and its algorithm.
    pub(in crate::keys) struct Verifier(aws::ParsedPublicKey);

    impl Verifier {
        pub(in crate::keys) fn new(algorithm: Algorithm, public: &PublicKeyBytes) -> Result<Self> {
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
                Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                    return Err(pem::takes_secret(pem::PUBLIC, algorithm));
                }
            };
            aws::ParsedPublicKey::new(scheme, public.as_bytes())
                .map(Self)
                .map_err(|_| invalid_key(pem::PUBLIC, algorithm))
        }

        pub(in crate::keys) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            self.0.verify_sig(message, signature).is_ok()
        }
    }

    /// A new private key in PKCS#8. `bits` is the size of an RSA key.
    pub(in crate::keys) fn generate(kind: KeyKind, bits: RsaBits) -> Result<SecretDocument> {
        let document = match kind {
            KeyKind::Rsa => rsa(bits),
            KeyKind::P256 => ecdsa(&aws::ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => ecdsa(&aws::ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyKind::Ed25519 => aws::Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .and_then(|pkcs8| document(pkcs8.as_ref())),
        };
        document.map_err(|_| Error::internal("AWS-LC failed to generate a key"))
    }

    fn rsa(bits: RsaBits) -> Result<SecretDocument, Unspecified> {
        let size = match bits {
            RsaBits::B2048 => KeySize::Rsa2048,
            RsaBits::B3072 => KeySize::Rsa3072,
            RsaBits::B4096 => KeySize::Rsa4096,
        };
        let pkcs8: Pkcs8V1Der<'_> = aws::RsaKeyPair::generate(size)?.as_der()?;
        document(pkcs8.as_ref())
    }

    fn ecdsa(curve: &'static aws::EcdsaSigningAlgorithm) -> Result<SecretDocument, Unspecified> {
        document(aws::EcdsaKeyPair::generate(curve)?.to_pkcs8v1()?.as_ref())
    }

    fn document(pkcs8: &[u8]) -> Result<SecretDocument, Unspecified> {
        SecretDocument::try_from(pkcs8).map_err(|_| Unspecified)
    }
}

/// RustCrypto, through the provider of `jsonwebtoken`, except for the verification by RSA: there the
/// provider takes no key of more than 4096 bits, and parses the key for every signature.
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
mod rust_crypto {
    use jsonwebtoken::DecodingKey;
    pub(super) use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER as PROVIDER;
    use pkcs8::der::Encode as _;
    use pkcs8::der::asn1::OctetStringRef;
    use pkcs8::{AlgorithmIdentifierRef, AssociatedOid, EncodePrivateKey as _, PrivateKeyInfo};
    use rsa::sha2::digest::{Digest, DynDigest};
    use rsa::sha2::{Sha256, Sha384, Sha512};
    use rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPublicKey};
    use zeroize::Zeroizing;

    use super::{
        Algorithm, Error, KeyKind, PublicKeyBytes, Result, RsaBits, SecretDocument, invalid_key,
        pem, provider_algorithm,
    };

    /// A checked public key and its algorithm.
    pub(in crate::keys) enum Verifier {
        Rsa(Algorithm, RsaPublicKey),
        Other(jsonwebtoken::Algorithm, DecodingKey),
    }

    impl Verifier {
        pub(in crate::keys) fn new(algorithm: Algorithm, public: &PublicKeyBytes) -> Result<Self> {
            let bytes = public.as_bytes();
            let invalid = |_| invalid_key(pem::PUBLIC, algorithm);
            let key = match KeyKind::of(algorithm) {
                Some(KeyKind::Rsa) => {
                    let invalid = || invalid_key(pem::PUBLIC, algorithm);
                    let (modulus, exponent) = public.rsa_components().ok_or_else(invalid)?;
                    let [n, e] = [modulus, exponent].map(BigUint::from_bytes_be);
                    let key = RsaPublicKey::new_with_max_size(n, e, pem::RSA_MAX_BITS);
                    return Ok(Self::Rsa(algorithm, key.map_err(|_| invalid())?));
                }
                Some(KeyKind::P256 | KeyKind::P384) => DecodingKey::from_ec_der(bytes),
                Some(KeyKind::Ed25519) => DecodingKey::from_ed_der(bytes),
                None => return Err(pem::takes_secret(pem::PUBLIC, algorithm)),
            };
            let algorithm = provider_algorithm(algorithm);
            (PROVIDER.verifier_factory)(&algorithm, &key).map_err(invalid)?;
            Ok(Self::Other(algorithm, key))
        }

        pub(in crate::keys) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            match self {
                Self::Rsa(algorithm, key) => verify_rsa(*algorithm, key, message, signature),
                // Built per call: the provider's verifiers are not `Sync`.
                Self::Other(algorithm, key) => (PROVIDER.verifier_factory)(algorithm, key)
                    .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok()),
            }
        }
    }

    fn verify_rsa(
        algorithm: Algorithm,
        key: &RsaPublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        fn pkcs1<H: Digest + AssociatedOid>(
            key: &RsaPublicKey,
            message: &[u8],
            sig: &[u8],
        ) -> bool {
            key.verify(Pkcs1v15Sign::new::<H>(), &H::digest(message), sig).is_ok()
        }
        fn pss<H>(key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool
        where
            H: Digest + DynDigest + Send + Sync + 'static,
        {
            // The salt is as long as the hash (RFC 7518 §3.5).
            key.verify(Pss::new::<H>(), &H::digest(message), signature).is_ok()
        }
        match algorithm {
            Algorithm::RS256 => pkcs1::<Sha256>(key, message, signature),
            Algorithm::RS384 => pkcs1::<Sha384>(key, message, signature),
            Algorithm::RS512 => pkcs1::<Sha512>(key, message, signature),
            Algorithm::PS256 => pss::<Sha256>(key, message, signature),
            Algorithm::PS384 => pss::<Sha384>(key, message, signature),
            Algorithm::PS512 => pss::<Sha512>(key, message, signature),
            _ => false,
        }
    }

    /// A new private key in PKCS#8.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `algorithm` with RSA: such keys are generated on servers, whose
    /// builds have AWS-LC.
    pub(in crate::keys) fn generate(kind: KeyKind, _: RsaBits) -> Result<SecretDocument> {
        match kind {
            KeyKind::P256 => random_scalar::<_, _, 32>(p256::SecretKey::from_slice)?
                .to_pkcs8_der()
                .map_err(|_| encoding_failed()),
            KeyKind::P384 => random_scalar::<_, _, 48>(p384::SecretKey::from_slice)?
                .to_pkcs8_der()
                .map_err(|_| encoding_failed()),
            KeyKind::Ed25519 => ed25519_document(random::<32>()?.as_slice()),
            KeyKind::Rsa => Err(Error::config(
                "algorithm",
                "this build of regrant (RustCrypto) cannot generate RSA keys: use `openssl genpkey`, or a build with AWS-LC",
            )),
        }
    }

    /// RFC 8410 §7: the seed is an OCTET STRING inside that of PKCS#8.
    fn ed25519_document(seed: &[u8]) -> Result<SecretDocument> {
        let inner = OctetStringRef::new(seed).and_then(|seed| seed.to_der()).map(Zeroizing::new);
        let inner = inner.map_err(|_| encoding_failed())?;
        let algorithm = AlgorithmIdentifierRef { oid: pem::ED25519, parameters: None };
        SecretDocument::try_from(PrivateKeyInfo::new(algorithm, &inner))
            .map_err(|_| encoding_failed())
    }

    /// Draws random bytes until they are a valid scalar (below the order; almost always the first
    /// draw).
    fn random_scalar<K, E, const N: usize>(parse: impl Fn(&[u8]) -> Result<K, E>) -> Result<K> {
        const ATTEMPTS: usize = 64;
        for _ in 0..ATTEMPTS {
            if let Ok(key) = parse(random::<N>()?.as_slice()) {
                return Ok(key);
            }
        }
        Err(Error::internal("the system's randomness yields no private key"))
    }

    fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
        let mut bytes = Zeroizing::new([0; N]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::internal("no randomness"))?;
        Ok(bytes)
    }

    fn encoding_failed() -> Error {
        Error::internal("a new private key cannot be encoded")
    }
}
