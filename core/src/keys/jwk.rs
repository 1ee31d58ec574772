//! One JWK (RFC 7517 §4): what it must say to be used for verifying signatures.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use super::algorithm::Algorithm;
use super::document::PublicDocument;
use super::hmac::ShortSecret;
use super::key::Key;
use super::key_id::KeyId;
use super::key_kind::KeyKind;
use crate::error::Error;
use crate::token::{base64url, json};
use crate::types::SecretBytes;

/// Why a key of a set is not used. Others of the set are (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Its `use` is not `sig`, or its `key_ops` are without `verify` (RFC 7517 §4.2, §4.3).
    #[error("it is not for verifying signatures")]
    OtherPurpose,
    /// Its `kty` or its `crv` is none that is known here.
    #[error("it is of a kind that is not supported")]
    UnknownKind,
    /// A secret (`kty: oct`) has no place in a set of public keys: whoever can read the set could
    /// sign.
    #[error("it is a secret, which has no place in a set of public keys (configure it as a key)")]
    Secret,
    /// It has private members, and so is known to more than its owner.
    #[error("its private part was published")]
    PrivatePublished,
    /// Its `alg` is unknown, or not for keys of its kind.
    #[error("its alg does not fit it")]
    AlgorithmMismatch,
    /// A member is missing or wrong.
    #[error("{0}")]
    Invalid(String),
    /// Another key of the set has the same `kid`.
    #[error("another key has the same kid")]
    DuplicateId,
    /// The set has more keys than [`Keyring::MAX_KEYS`](super::Keyring::MAX_KEYS).
    #[error("the set has too many keys")]
    TooMany,
}

/// Members that only private keys have (RFC 7518 §6.2.2, §6.3.2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

impl Key {
    /// A key from its JWK (RFC 7517 §4): a public one, or a secret (`kty: oct`). What it says of
    /// its use holds: `use`, `key_ops`, and `alg`, which must be `algorithm` where it is there. A
    /// secret whose `key_ops` are without `sign` does not sign. Its `kid` becomes the key's name.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwk`: not one JSON object with unique names, not for verifying
    /// signatures, of a kind or an `alg` that does not fit `algorithm`, or with a private part,
    /// which is read from PEM alone. For `secret` and `publicKey` as the other constructors.
    pub fn from_jwk(algorithm: Algorithm, jwk: &str, short: ShortSecret) -> Result<Self, Error> {
        let refuse = |problem: String| Error::config("jwk", problem);
        let jwk = json::parse_object(jwk)
            .map_err(|_| refuse("is not one JSON object with unique names".to_owned()))?;
        if jwk.get("kty").is_some_and(|kind| kind == "oct") {
            return secret(algorithm, jwk, short);
        }
        let key = read(&jwk, algorithm).map_err(|why| refuse(format!("cannot be used: {why}")))?;
        if key.algorithm() == algorithm {
            Ok(key)
        } else {
            Err(refuse(format!("is for {}", key.algorithm())))
        }
    }
}

/// RFC 7518 §6.4.
fn secret(
    algorithm: Algorithm,
    mut jwk: Map<String, Value>,
    short: ShortSecret,
) -> Result<Key, Error> {
    let refuse = |why: JwkError| Error::config("jwk", format!("cannot be used: {why}"));
    let secret = bytes(&jwk, "k").map(SecretBytes::new);
    if let Some(Value::String(encoded)) = jwk.get_mut("k") {
        encoded.zeroize();
    }
    if !is_for_verifying(&jwk).map_err(refuse)? {
        return Err(refuse(JwkError::OtherPurpose));
    }
    let announced = text(&jwk, "alg").map_err(refuse)?;
    if announced.is_some_and(|name| Algorithm::from_name(name) != Some(algorithm)) {
        return Err(refuse(JwkError::AlgorithmMismatch));
    }
    let mut key = Key::hmac(algorithm, &secret.map_err(refuse)?, short)?;
    if let Some(kid) = text(&jwk, "kid").map_err(refuse)? {
        key = key.with_id(KeyId::new(kid)?);
    }
    let signs = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|one| one == "sign"))
    };
    Ok(if jwk.get("key_ops").is_none_or(signs) { key } else { key.for_verifying() })
}

/// The key that a JWK describes. `rsa`: the algorithm of RSA keys that do not say theirs.
pub(super) fn read(jwk: &Map<String, Value>, rsa: Algorithm) -> Result<Key, JwkError> {
    if !is_for_verifying(jwk)? {
        return Err(JwkError::OtherPurpose);
    }
    let kind = kind_of(jwk)?;
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(JwkError::PrivatePublished);
    }
    let algorithm = algorithm_of(jwk, kind, rsa)?;
    let document = document_of(jwk, kind)?;
    let key = Key::from_public(algorithm, document).map_err(invalid)?;
    match text(jwk, "kid")? {
        Some(kid) => Ok(key.with_id(KeyId::new(kid).map_err(invalid)?)),
        None => Ok(key),
    }
}

/// RFC 7517 §4.2 and §4.3: both are optional, and what they say holds.
fn is_for_verifying(jwk: &Map<String, Value>) -> Result<bool, JwkError> {
    let by_use = text(jwk, "use")?.is_none_or(|purpose| purpose == "sig");
    let by_operations = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => {
            let names: Option<Vec<_>> = operations.iter().map(Value::as_str).collect();
            let names = names.ok_or_else(|| wrong("key_ops"))?;
            let unique = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
            if !unique {
                return Err(wrong("key_ops"));
            }
            names.contains(&"verify")
        }
        Some(_) => return Err(wrong("key_ops")),
    };
    Ok(by_use && by_operations)
}

fn kind_of(jwk: &Map<String, Value>) -> Result<KeyKind, JwkError> {
    match (needed(jwk, "kty")?, text(jwk, "crv")?) {
        ("RSA", None) => Ok(KeyKind::Rsa),
        ("EC", Some("P-256")) => Ok(KeyKind::P256),
        ("EC", Some("P-384")) => Ok(KeyKind::P384),
        ("OKP", Some("Ed25519")) => Ok(KeyKind::Ed25519),
        ("oct", _) => Err(JwkError::Secret),
        _ => Err(JwkError::UnknownKind),
    }
}

/// A key is pinned to one algorithm (RFC 8725 §3.1): to its `alg`, else to the one of its kind.
fn algorithm_of(
    jwk: &Map<String, Value>,
    kind: KeyKind,
    rsa: Algorithm,
) -> Result<Algorithm, JwkError> {
    let announced = match text(jwk, "alg")? {
        Some(name) => Algorithm::from_name(name).ok_or(JwkError::AlgorithmMismatch)?,
        None if kind == KeyKind::Rsa => rsa,
        None => kind.representative(),
    };
    if kind.algorithms().contains(&announced) {
        Ok(announced)
    } else {
        Err(JwkError::AlgorithmMismatch)
    }
}

/// RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2.
fn document_of(jwk: &Map<String, Value>, kind: KeyKind) -> Result<PublicDocument, JwkError> {
    match kind {
        KeyKind::Rsa => {
            let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
            PublicDocument::from_rsa_components(&modulus, &exponent).map_err(invalid)
        }
        KeyKind::P256 | KeyKind::P384 => {
            let length = if kind == KeyKind::P256 { 32 } else { 48 };
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            if x.len() != length || y.len() != length {
                return Err(JwkError::Invalid("its coordinates are of a wrong length".to_owned()));
            }
            Ok(PublicDocument::from_coordinates(&x, &y))
        }
        KeyKind::Ed25519 => {
            if jwk.contains_key("y") {
                return Err(wrong("y"));
            }
            PublicDocument::from_ed25519(&bytes(jwk, "x")?).map_err(invalid)
        }
    }
}

fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url::decode(needed(jwk, name)?).map_err(|_| wrong(name))
}

fn needed<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    text(jwk, name)?.ok_or_else(|| wrong(name))
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, JwkError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name)),
    }
}

fn wrong(member: &str) -> JwkError {
    JwkError::Invalid(format!("its member {member} is missing or wrong"))
}

fn invalid(problem: impl fmt::Display) -> JwkError {
    JwkError::Invalid(problem.to_string())
}
