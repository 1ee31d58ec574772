//! The only file that knows which library computes asymmetric signatures: AWS-LC or RustCrypto.
//!
//! The provider of `jsonwebtoken` is named explicitly. A program in which both features are on,
//! through other crates for example, gets AWS-LC instead of a panic at first use.

use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::EllipticCurve;
use zeroize::Zeroizing;

#[cfg(feature = "aws-lc-rs")]
use self::aws_lc as chosen;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
use self::rust_crypto as chosen;
use super::algorithm::{Algorithm, KeyKind, RsaBits};
use crate::error::{Error, Result};

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!("regrant needs one of its features `aws-lc-rs` and `rust-crypto`");

pub(super) use chosen::{Verifier, generate};

/// A private key, checked, with its algorithm.
pub(super) struct Signer {
    algorithm: jsonwebtoken::Algorithm,
    key: EncodingKey,
}

/// The public part of a private key.
pub(super) enum PublicPart {
    /// Both big-endian.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ec {
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519(Vec<u8>),
}

impl Signer {
    /// Parses a private key (PKCS#1 for RSA, PKCS#8 for the others) and derives its public part.
    pub(super) fn new(algorithm: Algorithm, der: &[u8]) -> Result<(Self, PublicPart)> {
        let provider_algorithm = provider_algorithm(algorithm);
        let utils = &chosen::PROVIDER.key_utils;
        let invalid = |_| Error::config("privateKey", format!("is not a valid {algorithm} key"));
        let (key, public) = match KeyKind::of(algorithm) {
            Some(KeyKind::Rsa) => {
                let (modulus, exponent) =
                    (utils.rsa_pub_components_from_private_key)(der).map_err(invalid)?;
                (EncodingKey::from_rsa_der(der), PublicPart::Rsa { modulus, exponent })
            }
            Some(KeyKind::P256 | KeyKind::P384) => {
                let (_, x, y) = (utils.ec_pub_components_from_private_key)(der, provider_algorithm)
                    .map_err(invalid)?;
                (EncodingKey::from_ec_der(der), PublicPart::Ec { x, y })
            }
            Some(KeyKind::Ed25519) => {
                let point =
                    (utils.ed_pub_components_from_private_key)(der, &EllipticCurve::Ed25519)
                        .map_err(invalid)?;
                (EncodingKey::from_ed_der(der), PublicPart::Ed25519(point))
            }
            None => {
                return Err(Error::config(
                    "privateKey",
                    format!("{algorithm} takes a secret, not a private key"),
                ));
            }
        };
        Ok((Self { algorithm: provider_algorithm, key }, public))
    }

    /// # Errors
    /// [`Error::Internal`] when the backend fails, for example for lack of randomness.
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

fn invalid_public_key(algorithm: Algorithm) -> Error {
    Error::config("publicKey", format!("is not a valid {algorithm} key"))
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

    use super::{Algorithm, Error, KeyKind, Result, RsaBits, Zeroizing, invalid_public_key};

    /// A public key, checked and parsed, with its algorithm.
    pub(in crate::keys) struct Verifier(aws::ParsedPublicKey);

    impl Verifier {
        pub(in crate::keys) fn new(algorithm: Algorithm, public_key: &[u8]) -> Result<Self> {
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
                    return Err(invalid_public_key(algorithm));
                }
            };
            aws::ParsedPublicKey::new(scheme, public_key)
                .map(Self)
                .map_err(|_| invalid_public_key(algorithm))
        }

        pub(in crate::keys) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            self.0.verify_sig(message, signature).is_ok()
        }
    }

    /// A new private key as PKCS#8.
    pub(in crate::keys) fn generate(kind: KeyKind, bits: RsaBits) -> Result<Zeroizing<Vec<u8>>> {
        let der = match kind {
            KeyKind::Rsa => rsa(bits),
            KeyKind::P256 => ecdsa(&aws::ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => ecdsa(&aws::ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyKind::Ed25519 => aws::Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|der| der.as_ref().to_vec()),
        };
        der.map(Zeroizing::new).map_err(|_| Error::internal("AWS-LC failed to generate a key"))
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

    fn ecdsa(
        curve: &'static aws::EcdsaSigningAlgorithm,
    ) -> std::result::Result<Vec<u8>, Unspecified> {
        Ok(aws::EcdsaKeyPair::generate(curve)?.to_pkcs8v1()?.as_ref().to_vec())
    }
}

/// RustCrypto, through the provider of `jsonwebtoken`.
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
mod rust_crypto {
    use jsonwebtoken::DecodingKey;
    pub(super) use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER as PROVIDER;
    use pkcs8::EncodePrivateKey as _;

    use super::{
        Algorithm, Error, KeyKind, Result, RsaBits, Zeroizing, invalid_public_key,
        provider_algorithm,
    };

    /// A public key, checked, with its algorithm.
    pub(in crate::keys) struct Verifier {
        algorithm: jsonwebtoken::Algorithm,
        key: DecodingKey,
    }

    impl Verifier {
        pub(in crate::keys) fn new(algorithm: Algorithm, public_key: &[u8]) -> Result<Self> {
            let invalid = || invalid_public_key(algorithm);
            let key = match KeyKind::of(algorithm) {
                Some(KeyKind::Rsa) => {
                    // The provider would parse, and reject, an RSA key only at its first use.
                    (PROVIDER.key_utils.rsa_pub_components_from_public_key)(public_key)
                        .map_err(|_| invalid())?;
                    DecodingKey::from_rsa_der(public_key)
                }
                Some(KeyKind::P256 | KeyKind::P384) => DecodingKey::from_ec_der(public_key),
                Some(KeyKind::Ed25519) => DecodingKey::from_ed_der(public_key),
                None => return Err(invalid()),
            };
            let algorithm = provider_algorithm(algorithm);
            (PROVIDER.verifier_factory)(&algorithm, &key).map_err(|_| invalid())?;
            Ok(Self { algorithm, key })
        }

        pub(in crate::keys) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            // Built per call: the provider's verifiers are not `Sync`.
            (PROVIDER.verifier_factory)(&self.algorithm, &self.key)
                .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
        }
    }

    /// A new private key as PKCS#8.
    pub(in crate::keys) fn generate(kind: KeyKind, _: RsaBits) -> Result<Zeroizing<Vec<u8>>> {
        match kind {
            KeyKind::P256 => {
                let key = random_scalar::<_, _, 32>(p256::SecretKey::from_slice)?;
                key.to_pkcs8_der().map(|der| der.to_bytes()).map_err(unwritten)
            }
            KeyKind::P384 => {
                let key = random_scalar::<_, _, 48>(p384::SecretKey::from_slice)?;
                key.to_pkcs8_der().map(|der| der.to_bytes()).map_err(unwritten)
            }
            KeyKind::Ed25519 => {
                let seed = random::<32>()?;
                Ok(Zeroizing::new([ED25519_PREFIX, seed.as_slice()].concat()))
            }
            // RSA keys are generated on servers, whose builds have AWS-LC.
            KeyKind::Rsa => Err(Error::config(
                "algorithm",
                "this build of regrant (RustCrypto) cannot generate RSA keys: use `openssl genpkey`, or a build with AWS-LC",
            )),
        }
    }

    /// PKCS#8 up to the 32 bytes of the key (RFC 8410 §7).
    const ED25519_PREFIX: &[u8] = &[48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

    /// A key from random bytes below the order of its curve, as nearly all are.
    fn random_scalar<K, E, const N: usize>(
        parse: impl Fn(&[u8]) -> std::result::Result<K, E>,
    ) -> Result<K> {
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

    fn unwritten(_: pkcs8::Error) -> Error {
        Error::internal("a new key cannot be written")
    }
}
