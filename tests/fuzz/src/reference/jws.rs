//! A compact JWS (RFC 7515 §7.1), and whether one of the test keys signed it. Uses AWS-LC for HMAC
//! and RustCrypto for the rest, so never the code that the core uses.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use p256::ecdsa::signature::Verifier as _;
use serde_json::Value;

use super::{base64url, json};
use crate::keys;

/// The parts of a token, decoded.
pub(crate) struct Parts {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// The three parts of `token`, none of them empty.
pub(crate) fn split(token: &str) -> Option<Parts> {
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        return None;
    };
    if [header, payload, signature].iter().any(|part| part.is_empty()) {
        return None;
    }
    Some(Parts {
        header: base64url::decode(header)?,
        payload: base64url::decode(payload)?,
        signature: base64url::decode(signature)?,
    })
}

impl Parts {
    /// Joins the parts into a token.
    pub(crate) fn print(&self) -> String {
        [&self.header, &self.payload, &self.signature].map(|part| base64url::encode(part)).join(".")
    }
}

/// The token of a header and a payload, signed by HS256 with `secret`.
pub(crate) fn sign(header: &str, payload: &str, secret: &str) -> String {
    let input = [header, payload].map(|part| base64url::encode(part.as_bytes())).join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", base64url::encode(signature.as_ref()))
}

/// Whether the key of the algorithm in its header signed `token`.
pub(crate) fn is_signed(token: &str) -> bool {
    let Some(parts) = split(token) else { return false };
    let Some((input, _)) = token.rsplit_once('.') else { return false };
    let header = std::str::from_utf8(&parts.header).ok().and_then(json::object);
    let algorithm = header.as_ref().and_then(|header| header.get("alg")).and_then(Value::as_str);
    match algorithm {
        Some("HS256") => is_mac(input, &parts.signature, keys::SECRET),
        Some("ES256") => is_by_p256(input, &parts.signature),
        Some("EdDSA" | "Ed25519") => is_by_ed25519(input, &parts.signature),
        _ => false,
    }
}

pub(crate) fn is_mac(input: &str, signature: &[u8], secret: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, input.as_bytes(), signature).is_ok()
}

fn is_by_p256(input: &str, signature: &[u8]) -> bool {
    static KEY: LazyLock<p256::ecdsa::VerifyingKey> = LazyLock::new(|| {
        p256::pkcs8::DecodePublicKey::from_public_key_pem(keys::P256).expect("a public key")
    });
    let signature = p256::ecdsa::Signature::from_slice(signature);
    signature.is_ok_and(|signature| KEY.verify(input.as_bytes(), &signature).is_ok())
}

fn is_by_ed25519(input: &str, signature: &[u8]) -> bool {
    static KEY: LazyLock<ed25519_dalek::VerifyingKey> = LazyLock::new(|| {
        ed25519_dalek::VerifyingKey::from_public_key_pem(keys::ED25519).expect("a public key")
    });
    let signature = ed25519_dalek::Signature::from_slice(signature);
    signature.is_ok_and(|signature| KEY.verify(input.as_bytes(), &signature).is_ok())
}
