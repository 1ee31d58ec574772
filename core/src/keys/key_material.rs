//! What the files of key pairs look like, so that none of them is taken for an HMAC secret: whoever
//! knows a public key could sign with it (RFC 8725 §2.1).

use pkcs1::{RsaPrivateKey, RsaPublicKey};
use pkcs8::PrivateKeyInfo;
use pkcs8::der::Decode as _;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use serde_json::{Map, Value};

/// What `secret` is, if it is not a secret: in PEM, DER, the form of SSH, or JSON.
pub(super) fn found_in(secret: &[u8]) -> Option<&'static str> {
    if secret.windows(11).any(|window| window == b"-----BEGIN ") {
        return Some("a PEM file");
    }
    if secret.starts_with(b"ssh-") || secret.starts_with(b"ecdsa-sha2-") {
        return Some("a key of SSH");
    }
    let is_der = SubjectPublicKeyInfoRef::try_from(secret).is_ok()
        || PrivateKeyInfo::from_der(secret).is_ok()
        || RsaPublicKey::from_der(secret).is_ok()
        || RsaPrivateKey::from_der(secret).is_ok();
    if is_der {
        return Some("a key of a pair in DER");
    }
    let object = serde_json::from_slice::<Map<String, Value>>(secret);
    let is_jwk = object.is_ok_and(|jwk| jwk.contains_key("kty") || jwk.contains_key("keys"));
    is_jwk.then_some("a JWK")
}
