//! Keys as JSON: one JWK (RFC 7517 §4) and a JWK Set (RFC 7517 §5).

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use super::algorithm::{Algorithm, KeyKind, ShortSecret};
use super::key::{Key, KeyId};
use super::keyring::{Keyring, KeyringBuilder};
use super::pem::PublicKeyBytes;
use crate::error::{Error, Result};
use crate::token::{base64url, json};
use crate::types::SecretBytes;

/// A parsed JWK Set (RFC 7517 §5): the keys that verify, and why others are skipped.
///
/// A key that cannot be used does not spoil the set (RFC 7517 §5): it is skipped and reported.
/// The [`Keyring`] then decides which key checks a token.
///
/// ```
/// use regrant::keys::{Algorithm, JwkSet};
///
/// let set = JwkSet::parse(
///     r#"{"keys":[
///         {"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///         {"kty":"oct","kid":"never","k":"c2VjcmV0"}
///     ]}"#,
///     Algorithm::RS256,
/// )?;
/// assert_eq!(set.skipped().len(), 1);
/// assert_eq!(set.into_keyring()?.keys().len(), 1);
/// # Ok::<(), regrant::Error>(())
/// ```
#[derive(Debug)]
pub struct JwkSet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
}

/// A key of a set that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// The index of the key in the set.
    pub index: usize,
    /// The `kid` of the key, if it has one.
    pub kid: Option<String>,
    /// Why the key is not used.
    pub reason: JwkError,
}

impl JwkSet {
    /// The longest text of a set, in bytes: room for 64 RSA keys with their certificates.
    pub const MAX_BYTES: usize = 512 * 1024;

    /// Parses `text`. RSA keys without `alg` are pinned to `rsa`, which is
    /// [`Algorithm::RS256`] for most issuers; keys of other kinds have one algorithm each.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwks`: longer than [`MAX_BYTES`](Self::MAX_BYTES), not one
    /// strict JSON object (duplicate names are rejected at every depth), or without an array of
    /// objects as `keys`.
    pub fn parse(text: &str, rsa: Algorithm) -> Result<Self> {
        if text.len() > Self::MAX_BYTES {
            return Err(Error::config("jwks", "is too long"));
        }
        let set = json::parse_object(text)
            .map_err(|_| Error::config("jwks", "is not one JSON object with unique names"))?;
        let Some(Value::Array(jwks)) = set.get("keys") else {
            return Err(Error::config("jwks", "has no array `keys`"));
        };
        let mut parsed = Self { keys: Vec::new(), skipped: Vec::new() };
        for (index, jwk) in jwks.iter().enumerate() {
            let Value::Object(jwk) = jwk else {
                return Err(Error::config(format!("jwks.keys[{index}]"), "is not an object"));
            };
            match parse_public(jwk, rsa).and_then(|key| parsed.check_fits(&key).map(|()| key)) {
                Ok(key) => parsed.keys.push(key),
                Err(reason) => {
                    let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                    parsed.skipped.push(SkippedKey { index, kid, reason });
                }
            }
        }
        Ok(parsed)
    }

    fn check_fits(&self, key: &Key) -> Result<(), JwkError> {
        if self.keys.len() == Keyring::MAX_KEYS {
            return Err(JwkError::TooMany);
        }
        if self.keys.iter().any(|other| other.has_name_of(key)) {
            return Err(JwkError::DuplicateId);
        }
        Ok(())
    }

    /// The keys that are used.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that are not used.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// A keyring that verifies with the keys of the set.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwks`, with the reasons, when none of the keys can be used.
    pub fn into_keyring(self) -> Result<Keyring> {
        if self.keys.is_empty() {
            let reasons: Vec<_> = self.skipped.iter().map(|key| key.reason.to_string()).collect();
            let separator = if reasons.is_empty() { "" } else { ": " };
            let reasons = reasons.join("; ");
            let problem = format!("has no key that can be used{separator}{reasons}");
            return Err(Error::config("jwks", problem));
        }
        self.keys.into_iter().fold(Keyring::builder(), KeyringBuilder::verifying).build()
    }
}

impl Keyring {
    /// The public keys as a JWK Set (RFC 7517 §5) for other services to verify with, each with
    /// `alg`, `use: sig` and, if it has a name, `kid`. Secrets are left out.
    pub fn jwks(&self) -> String {
        let keys = self.keys().iter().filter_map(public_jwk).map(Value::Object).collect();
        Value::Object(Map::from_iter([("keys".to_owned(), Value::Array(keys))])).to_string()
    }
}

fn public_jwk(key: &Key) -> Option<Map<String, Value>> {
    let mut jwk = key.public()?.jwk();
    jwk.insert("alg".to_owned(), key.algorithm().as_str().into());
    jwk.insert("use".to_owned(), "sig".into());
    if let Some(kid) = key.id().map(KeyId::as_str) {
        jwk.insert("kid".to_owned(), kid.into());
    }
    Some(jwk)
}

impl Key {
    /// A key from its JWK (RFC 7517 §4): a public key, or a secret (`kty: oct`).
    ///
    /// `use`, `key_ops` and `alg` are enforced where they are present; `alg` must be `algorithm`.
    /// A secret whose `key_ops` lack `sign` does not sign. `kid` becomes the key's name.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwk`: not one JSON object with unique names, not for verifying
    /// signatures, of a kind or an `alg` that does not fit `algorithm`, or with a private part
    /// (private keys are accepted as PEM only). For `secret` and `publicKey` as the other
    /// constructors.
    pub fn from_jwk(algorithm: Algorithm, jwk: &str, short: ShortSecret) -> Result<Self> {
        let refuse = |problem: String| Error::config("jwk", problem);
        let jwk = json::parse_object(jwk)
            .map_err(|_| refuse("is not one JSON object with unique names".to_owned()))?;
        if jwk.get("kty").is_some_and(|kind| kind == "oct") {
            return parse_secret(algorithm, jwk, short);
        }
        let key = parse_public(&jwk, algorithm)
            .map_err(|reason| refuse(format!("cannot be used: {reason}")))?;
        if key.algorithm() == algorithm {
            Ok(key)
        } else {
            Err(refuse(format!("is for {}", key.algorithm())))
        }
    }

    /// The public key of a parsed JWK for `algorithm`, with the rules of a key in a set.
    pub(crate) fn from_public_jwk(
        jwk: &Map<String, Value>,
        algorithm: Algorithm,
    ) -> Result<Self, JwkError> {
        let key = parse_public(jwk, algorithm)?;
        if key.algorithm() == algorithm { Ok(key) } else { Err(JwkError::AlgorithmMismatch) }
    }
}

/// Why a JWK cannot be used. Other keys of its set can be (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// `use` is not `sig`, or `key_ops` lack `verify` (RFC 7517 §4.2, §4.3).
    #[error("it is not for verifying signatures")]
    OtherPurpose,
    /// `kty` or `crv` is not supported.
    #[error("it is of a kind that is not supported")]
    UnknownKind,
    /// A secret (`kty: oct`) in a set of public keys: anyone who can read the set could sign.
    #[error("it is a secret, which has no place in a set of public keys (configure it as a key)")]
    Secret,
    /// The JWK has private members, so the private key is no longer private.
    #[error("its private part was published")]
    PrivatePublished,
    /// `alg` is unknown, or not for keys of this kind.
    #[error("its alg does not fit it")]
    AlgorithmMismatch,
    /// A member is missing or wrong.
    #[error("{0}")]
    Invalid(String),
    /// Another key of the set has the same `kid` and the same algorithm.
    #[error("another key for its algorithm has the same kid")]
    DuplicateId,
    /// The set has more keys than [`Keyring::MAX_KEYS`].
    #[error("the set has too many keys")]
    TooMany,
}

/// Members that only private keys have (RFC 7518 §6.2.2, §6.3.2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// A public key. `rsa` is the algorithm of RSA keys without `alg`.
fn parse_public(jwk: &Map<String, Value>, rsa: Algorithm) -> Result<Key, JwkError> {
    if !is_for_verifying(jwk)? {
        return Err(JwkError::OtherPurpose);
    }
    let kind = kind_of(jwk)?;
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(JwkError::PrivatePublished);
    }
    let algorithm = algorithm_of(jwk, kind, rsa)?;
    let key = Key::from_public(algorithm, public_bytes(jwk, kind)?).map_err(invalid)?;
    Ok(match text(jwk, "kid")? {
        Some(kid) => key.with_id(KeyId::of_jwk(kid)),
        None => key,
    })
}

/// A secret (RFC 7518 §6.4).
fn parse_secret(
    algorithm: Algorithm,
    mut jwk: Map<String, Value>,
    short: ShortSecret,
) -> Result<Key> {
    let refuse = |reason: JwkError| Error::config("jwk", format!("cannot be used: {reason}"));
    let secret = bytes(&jwk, "k").map(SecretBytes::new);
    if let Some(Value::String(encoded)) = jwk.get_mut("k") {
        encoded.zeroize();
    }
    if !is_for_verifying(&jwk).map_err(refuse)? {
        return Err(refuse(JwkError::OtherPurpose));
    }
    let alg = text(&jwk, "alg").map_err(refuse)?;
    if alg.is_some_and(|name| Algorithm::from_name(name) != Some(algorithm)) {
        return Err(refuse(JwkError::AlgorithmMismatch));
    }
    let mut key = Key::hmac(algorithm, &secret.map_err(refuse)?, short)?;
    if let Some(kid) = text(&jwk, "kid").map_err(refuse)? {
        key = key.with_id(KeyId::of_jwk(kid));
    }
    let signs = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|one| one == "sign"))
    };
    Ok(if jwk.get("key_ops").is_none_or(signs) { key } else { key.for_verifying() })
}

/// RFC 7517 §4.2 and §4.3. Both members are optional.
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
    match (required(jwk, "kty")?, text(jwk, "crv")?) {
        ("RSA", None) => Ok(KeyKind::Rsa),
        ("EC", Some("P-256")) => Ok(KeyKind::P256),
        ("EC", Some("P-384")) => Ok(KeyKind::P384),
        ("OKP", Some("Ed25519")) => Ok(KeyKind::Ed25519),
        ("oct", _) => Err(JwkError::Secret),
        _ => Err(JwkError::UnknownKind),
    }
}

/// Pins the key to one algorithm (RFC 8725 §3.1): its `alg`, or the only one of its kind.
fn algorithm_of(
    jwk: &Map<String, Value>,
    kind: KeyKind,
    rsa: Algorithm,
) -> Result<Algorithm, JwkError> {
    let algorithm = match text(jwk, "alg")? {
        Some(name) => Algorithm::from_name(name).ok_or(JwkError::AlgorithmMismatch)?,
        None if kind == KeyKind::Rsa => rsa,
        None => kind.default_algorithm(),
    };
    if kind.algorithms().contains(&algorithm) {
        Ok(algorithm)
    } else {
        Err(JwkError::AlgorithmMismatch)
    }
}

/// RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2.
fn public_bytes(jwk: &Map<String, Value>, kind: KeyKind) -> Result<PublicKeyBytes, JwkError> {
    match kind {
        KeyKind::Rsa => {
            let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
            PublicKeyBytes::from_rsa_components(&modulus, &exponent).map_err(invalid)
        }
        KeyKind::P256 | KeyKind::P384 => {
            let length = if kind == KeyKind::P256 { 32 } else { 48 };
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            if x.len() != length || y.len() != length {
                return Err(JwkError::Invalid("its coordinates are of a wrong length".to_owned()));
            }
            Ok(PublicKeyBytes::from_coordinates(&x, &y))
        }
        KeyKind::Ed25519 => {
            if jwk.contains_key("y") {
                return Err(wrong("y"));
            }
            PublicKeyBytes::from_ed25519(&bytes(jwk, "x")?).map_err(invalid)
        }
    }
}

fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url::decode(required(jwk, name)?).map_err(|_| wrong(name))
}

fn required<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
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
