//! HMAC with the key schedule done once: each call starts from a copy of the prepared state,
//! which saves two of the four compressions that a short message costs.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// What to do about an HMAC secret that is shorter than the output of its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortSecret {
    /// Refuse it (RFC 7518 §3.2).
    #[default]
    Refuse,
    /// Accept it: for an existing app that cannot change its secret now. It can be guessed
    /// offline from any one token.
    Allow,
}

/// A prepared HMAC.
#[derive(Clone)]
pub(super) enum PreparedMac {
    Sha256(Hmac<Sha256>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl PreparedMac {
    /// Prepares `secret`; `field` names it in an error.
    pub(super) fn new(
        algorithm: Algorithm,
        secret: &SecretBytes,
        short: ShortSecret,
        field: &'static str,
    ) -> Result<Self> {
        let output_bytes = match algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err(Error::config(field, format!("{algorithm} does not use a secret"))),
        };
        check_length(secret, output_bytes, algorithm.as_str(), short, field)?;
        let bytes = secret.expose();
        if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
            // Whoever knows the public key could otherwise sign with it.
            return Err(Error::config(field, "a PEM file is not an HMAC secret"));
        }
        let mac = match algorithm {
            Algorithm::HS384 => Hmac::new_from_slice(bytes).map(Box::new).map(Self::Sha384),
            Algorithm::HS512 => Hmac::new_from_slice(bytes).map(Box::new).map(Self::Sha512),
            _ => Hmac::new_from_slice(bytes).map(Self::Sha256),
        };
        mac.map_err(|_| Error::config(field, "not usable as an HMAC secret"))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256(mac) => mac.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha384(mac) => {
                mac.as_ref().clone().chain_update(message).finalize().into_bytes().to_vec()
            }
            Self::Sha512(mac) => {
                mac.as_ref().clone().chain_update(message).finalize().into_bytes().to_vec()
            }
        }
    }

    /// Compares in constant time; a signature of another length never matches.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Sha256(mac) => {
                let expected = mac.clone().chain_update(message).finalize().into_bytes();
                expected.as_slice().ct_eq(signature).into()
            }
            Self::Sha384(mac) => {
                let expected = mac.as_ref().clone().chain_update(message).finalize().into_bytes();
                expected.as_slice().ct_eq(signature).into()
            }
            Self::Sha512(mac) => {
                let expected = mac.as_ref().clone().chain_update(message).finalize().into_bytes();
                expected.as_slice().ct_eq(signature).into()
            }
        }
    }
}

/// Refuses an empty secret always and one shorter than `least` unless the caller allows it.
pub(super) fn check_length(
    secret: &SecretBytes,
    least: usize,
    purpose: &str,
    short: ShortSecret,
    field: &'static str,
) -> Result<()> {
    let length = secret.expose().len();
    if length == 0 {
        return Err(Error::config(field, "is empty"));
    }
    if length < least && short == ShortSecret::Refuse {
        return Err(Error::config(
            field,
            format!(
                "has {length} bytes; {purpose} needs at least {least} \
                 (an existing secret can be kept by allowing short secrets)"
            ),
        ));
    }
    Ok(())
}
