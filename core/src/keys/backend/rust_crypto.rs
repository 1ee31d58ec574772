//! RustCrypto, through the provider of `jsonwebtoken`.

use jsonwebtoken::DecodingKey;
pub(super) use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER as PROVIDER;

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

/// Keys are made where servers are run, and those have AWS-LC.
pub(in crate::keys) fn generate(_: KeyKind, _: RsaBits) -> Result<Zeroizing<Vec<u8>>> {
    let problem = "this build of regrant (RustCrypto) makes no key pairs: use `openssl genpkey`, or a build with AWS-LC";
    Err(Error::config("algorithm", problem))
}
