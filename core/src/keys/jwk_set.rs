//! A set of keys as services exchange it (RFC 7517 §5).

use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::jwk::{self, JwkError};
use super::key::Key;
use super::key_id::KeyId;
use super::keyring::Keyring;
use crate::error::{Error, Result};
use crate::token::json;

/// A JWK Set (RFC 7517 §5) that was read: the keys that verify, and why others do not.
///
/// A key that cannot be used does not spoil the set, as §5 wants it: it is passed over and
/// reported. Which key checks a token is then for the [`Keyring`] to say.
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
    /// Which one it was, counted from 0.
    pub index: usize,
    /// Its `kid`, if it had one.
    pub kid: Option<String>,
    /// Why.
    pub reason: JwkError,
}

impl JwkSet {
    /// The longest text of a set, in bytes: that of 64 RSA keys with certificates beside them.
    pub const MAX_BYTES: usize = 512 * 1024;

    /// Reads `text`. RSA keys may leave their `alg` out: those are pinned to `rsa`
    /// ([`Algorithm::RS256`] is what most issuers mean); the kinds of the others have but one.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwks`: longer than [`MAX_BYTES`](Self::MAX_BYTES), not one
    /// strict JSON object (duplicate names are refused at every depth), or without an array of
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
        let mut read = Self { keys: Vec::new(), skipped: Vec::new() };
        for (place, jwk) in jwks.iter().enumerate() {
            let Value::Object(jwk) = jwk else {
                return Err(Error::config(format!("jwks.keys[{place}]"), "is not an object"));
            };
            match jwk::read(jwk, rsa).and_then(|key| read.fitting(key)) {
                Ok(key) => read.keys.push(key),
                Err(why) => {
                    let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                    read.skipped.push(SkippedKey { index: place, kid, reason: why });
                }
            }
        }
        Ok(read)
    }

    /// `key`, if there is room for it beside those before it.
    fn fitting(&self, key: Key) -> std::result::Result<Key, JwkError> {
        if self.keys.len() == Keyring::MAX_KEYS {
            return Err(JwkError::TooMany);
        }
        if key.id().is_some() && self.keys.iter().any(|other| other.id() == key.id()) {
            return Err(JwkError::DuplicateId);
        }
        Ok(key)
    }

    /// The keys that are used.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that are not.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys as a ring that verifies.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwks` when none of the keys can be used; it says why not.
    pub fn into_keyring(self) -> Result<Keyring> {
        if self.keys.is_empty() {
            let reasons: Vec<_> = self.skipped.iter().map(|key| key.reason.to_string()).collect();
            let reasons = if reasons.is_empty() {
                String::new()
            } else {
                format!(": {}", reasons.join("; "))
            };
            return Err(Error::config("jwks", format!("has no key that can be used{reasons}")));
        }
        self.keys.into_iter().fold(Keyring::builder(), super::KeyringBuilder::verifying).build()
    }
}

impl Keyring {
    /// The public keys as a JWK Set (RFC 7517 §5), for other services to verify with: each with
    /// `alg`, `use: sig` and, if it has a name, `kid`. Secrets are left out, for they are not
    /// public; so the set of a ring that has nothing else is empty.
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
