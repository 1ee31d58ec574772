//! RustCrypto, through the provider of `jsonwebtoken`.

use jsonwebtoken::DecodingKey;
pub(super) use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER as PROVIDER;

use pkcs8::EncodePrivateKey as _;
use zeroize::Zeroizing;

use super::provider_algorithm;
use crate::error::{Error, Result};
use crate::keys::algorithm::{Algorithm, Family};
use crate::keys::document::PublicDocument;
use crate::keys::generate::RsaBits;
use crate::keys::key_kind::KeyKind;

/// A public key, checked, with its algorithm.
pub(in crate::keys) struct Verifier {
    algorithm: jsonwebtoken::Algorithm,
    key: DecodingKey,
}

impl Verifier {
    pub(in crate::keys) fn new(algorithm: Algorithm, document: &PublicDocument) -> Result<Self> {
        let refuse = || Error::config("publicKey", format!("is not a valid {algorithm} key"));
        let bytes = document.0.as_slice();
        let key = match algorithm.family() {
            Family::Rsa => {
                // The provider would parse, and refuse, an RSA key only at its first use.
                (PROVIDER.key_utils.rsa_pub_components_from_public_key)(bytes)
                    .map_err(|_| refuse())?;
                DecodingKey::from_rsa_der(bytes)
            }
            Family::Ec => DecodingKey::from_ec_der(bytes),
            Family::Ed => DecodingKey::from_ed_der(bytes),
            Family::Hmac => return Err(refuse()),
        };
        let algorithm = provider_algorithm(algorithm);
        (PROVIDER.verifier_factory)(&algorithm, &key).map_err(|_| refuse())?;
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
        // RSA keys are made where servers are run, and those have AWS-LC.
        KeyKind::Rsa => Err(Error::config(
            "algorithm",
            "this build of regrant (RustCrypto) makes no RSA keys: use `openssl genpkey`, or a build with AWS-LC",
        )),
    }
}

/// PKCS#8 up to the 32 bytes of the key (RFC 8410 §7).
const ED25519_PREFIX: &[u8] = &[48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

/// A key from random bytes that are below the order of its curve, as nearly all are.
fn random_scalar<K, E, const N: usize>(
    read: impl Fn(&[u8]) -> std::result::Result<K, E>,
) -> Result<K> {
    const TRIES: usize = 64;
    for _ in 0..TRIES {
        if let Ok(key) = read(random::<N>()?.as_slice()) {
            return Ok(key);
        }
    }
    Err(Error::internal("the randomness makes no key"))
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::internal("no randomness"))?;
    Ok(bytes)
}

fn unwritten(_: pkcs8::Error) -> Error {
    Error::internal("a new key cannot be written")
}
