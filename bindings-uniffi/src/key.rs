//! Verification keys.

use std::fmt;

use regrant::keys::{Key, KeyId, ShortSecret};
use regrant::types::SecretBytes;

use crate::RegrantError;

pub use regrant::keys::Algorithm;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). `none` is not one of them.
#[uniffi::remote(Enum)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// The material of a key. Its text form shows the kind only.
#[derive(Clone, PartialEq, uniffi::Enum)]
// Kotlin would print the bytes of a data class.
#[uniffi::export(Debug)]
pub enum KeyMaterial {
    /// An HMAC secret. It can sign tokens, so do not ship it in an app.
    Secret {
        /// The raw bytes; at least as many as the hash output (RFC 7518 §3.2).
        bytes: Vec<u8>,
        /// Accepts fewer bytes, for an existing app that cannot change its secret.
        #[uniffi(default = false)]
        allow_short: bool,
    },
    /// A public key in PEM: SPKI, or PKCS#1 for RSA.
    PublicPem {
        /// The text of the file.
        pem: String,
    },
    /// A JWK (RFC 7517 §4) as JSON: a public key, or a secret at least as long as the hash output.
    /// `alg`, `use` and `key_ops`, where present, must allow verification with the algorithm. Its
    /// `kid` is the default for the `kid` of the verification key.
    Jwk {
        /// The JSON.
        jwk: String,
    },
    /// A public key in DER: SPKI, or PKCS#1 for RSA.
    PublicDer {
        /// The bytes of the file.
        der: Vec<u8>,
    },
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret { .. } => "Secret([redacted])",
            Self::PublicPem { .. } => "PublicPem",
            Self::PublicDer { .. } => "PublicDer",
            Self::Jwk { .. } => "Jwk([redacted])",
        })
    }
}

/// A verification key. It is pinned to one algorithm, so that a token cannot choose its algorithm
/// (RFC 8725 §3.1).
#[derive(Clone, PartialEq, uniffi::Record)]
pub struct VerificationKey {
    /// The only algorithm that the key is used with.
    pub algorithm: Algorithm,
    /// The key material.
    pub material: KeyMaterial,
    /// The key id: the `kid` of the tokens that it verifies (RFC 7515 §4.1.4). 1 to 128 visible
    /// ASCII characters.
    #[uniffi(default = None)]
    pub kid: Option<String>,
}

impl VerificationKey {
    /// Converts to the core's key. The bytes of a secret are moved and wiped on drop.
    pub(crate) fn into_core(self) -> Result<Key, RegrantError> {
        let key = match self.material {
            KeyMaterial::Secret { bytes, allow_short } => {
                let short = if allow_short { ShortSecret::Allow } else { ShortSecret::Refuse };
                Key::hmac(self.algorithm, &SecretBytes::new(bytes), short)?
            }
            KeyMaterial::PublicPem { pem } => Key::public_pem(self.algorithm, &pem)?,
            KeyMaterial::PublicDer { der } => Key::public_der(self.algorithm, &der)?,
            KeyMaterial::Jwk { jwk } => Key::from_jwk(self.algorithm, &jwk, ShortSecret::Refuse)?,
        };
        Ok(match self.kid {
            Some(kid) => key.with_id(KeyId::new(kid)?),
            None => key,
        })
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .field("material", &self.material)
            .field("kid", &self.kid)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hmac(bytes: &[u8], allow_short: bool) -> VerificationKey {
        let material = KeyMaterial::Secret { bytes: bytes.to_vec(), allow_short };
        VerificationKey { algorithm: Algorithm::HS256, material, kid: Some("k1".to_owned()) }
    }

    #[test]
    fn a_short_secret_is_rejected_unless_allowed() {
        let RegrantError::Failed { code, field, .. } =
            hmac(b"short", false).into_core().unwrap_err();
        assert_eq!((code.as_str(), field.as_deref()), ("ERR_CONFIG_INVALID", Some("secret")));
        let key = hmac(b"short", true).into_core().unwrap();
        assert_eq!(key.id().unwrap().as_str(), "k1");
        assert_eq!(key.algorithm(), Algorithm::HS256);
    }

    #[test]
    fn a_secret_is_not_printed() {
        let printed = format!("{:?}", hmac(b"hunter2 hunter2 hunter2 hunter2 ", false));
        assert_eq!(
            printed,
            r#"VerificationKey { algorithm: HS256, material: Secret([redacted]), kid: Some("k1") }"#
        );
    }
}
