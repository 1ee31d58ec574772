//! The keys that sign and verify access tokens, and which of them a token may choose.

use std::fmt;
use std::sync::Arc;

use super::algorithm::Algorithm;
use super::key::Key;
use crate::error::{Error, Result};

/// A set of keys: at most one *active* key that signs, and any number that only verify.
///
/// Which key checks a token (RFC 7515 §4.1.4, RFC 8725 §3.1):
/// - The token's `alg` must be the algorithm of a key in the ring, else [`Error::AlgNotAllowed`].
///   `none` never is.
/// - With a `kid`, only the key of that name and algorithm: [`Error::KeyNotFound`] when no key has
///   the name, [`Error::AlgNotAllowed`] when those that have it are pinned to other algorithms.
/// - Without a `kid`, the keys of that algorithm, the active one first: all that have no name, and
///   up to [`MAX_NAMED_TRIES`](Self::MAX_NAMED_TRIES) that have one. The tokens of an app that never
///   wrote `kid` therefore keep verifying after its key gets a name here.
/// - When no key in the ring has a name, `kid` is ignored: one configured public key of an issuer
///   that writes `kid` is expected to be used.
///
/// To rotate, make the new key active, keep the old one as a verifying key for the lifetime of a
/// token, then drop it. Cheap to clone; clones share the keys.
#[derive(Clone)]
pub struct Keyring(Arc<Ring>);

struct Ring {
    /// The active key, if any, is the first.
    keys: Vec<Key>,
    has_active: bool,
    has_names: bool,
}

/// The keys that may have signed a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// The key at this index.
    One(usize),
    /// The keys of this algorithm that are tried for a token without `kid`.
    Unnamed(Algorithm),
}

impl Keyring {
    /// The largest number of keys in a ring.
    pub const MAX_KEYS: usize = 64;

    /// How many keys with a name are tried for a token without `kid`. A forged one costs the check
    /// of as many signatures.
    pub const MAX_NAMED_TRIES: usize = 8;

    /// Starts an empty ring.
    pub const fn builder() -> KeyringBuilder {
        KeyringBuilder { active: None, verifying: Vec::new() }
    }

    /// A ring of one key, active if it can sign.
    pub fn single(key: Key) -> Self {
        Self(Arc::new(Ring {
            has_active: key.can_sign(),
            has_names: key.id().is_some(),
            keys: vec![key],
        }))
    }

    /// The key that signs, if there is one.
    pub fn active(&self) -> Option<&Key> {
        self.0.keys.first().filter(|_| self.0.has_active)
    }

    /// Every key, the active one first.
    pub fn keys(&self) -> &[Key] {
        &self.0.keys
    }

    /// Which keys may check a token with this header.
    pub(crate) fn candidates(&self, algorithm: &str, kid: Option<&str>) -> Result<Candidates> {
        let algorithm = Algorithm::from_name(algorithm)
            .filter(|algorithm| self.0.keys.iter().any(|key| key.algorithm() == *algorithm))
            .ok_or(Error::AlgNotAllowed)?;
        let Some(kid) = kid.filter(|_| self.0.has_names) else {
            return Ok(Candidates::Unnamed(algorithm));
        };
        let mut not_found = Error::KeyNotFound;
        for (index, key) in self.0.keys.iter().enumerate() {
            if key.id().is_some_and(|id| id.as_str() == kid) {
                if key.algorithm() == algorithm {
                    return Ok(Candidates::One(index));
                }
                not_found = Error::AlgNotAllowed;
            }
        }
        Err(not_found)
    }

    /// Checks `signature` with the candidate keys.
    ///
    /// # Errors
    /// [`Error::SignatureInvalid`] when none of them verifies it.
    pub(crate) fn verify(
        &self,
        candidates: Candidates,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let valid = match candidates {
            Candidates::One(index) => {
                self.0.keys.get(index).is_some_and(|key| key.verify(message, signature))
            }
            Candidates::Unnamed(algorithm) => {
                let mut names_left = Self::MAX_NAMED_TRIES;
                let keys = self.0.keys.iter().filter(|key| key.algorithm() == algorithm);
                keys.filter(|key| {
                    if key.id().is_none() {
                        return true;
                    }
                    let is_tried = names_left > 0;
                    names_left = names_left.saturating_sub(1);
                    is_tried
                })
                .any(|key| key.verify(message, signature))
            }
        };
        if valid { Ok(()) } else { Err(Error::SignatureInvalid) }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("active", &self.active())
            .field("keys", &self.keys())
            .finish()
    }
}

/// Collects the keys of a [`Keyring`].
#[derive(Debug)]
pub struct KeyringBuilder {
    active: Option<Key>,
    verifying: Vec<Key>,
}

impl KeyringBuilder {
    /// Sets the key that signs; it verifies as well. An active key set earlier becomes a verifying
    /// key.
    #[must_use]
    pub fn active(mut self, key: Key) -> Self {
        self.verifying.extend(self.active.replace(key));
        self
    }

    /// Adds a key that only verifies: a retired one, or the public key of another issuer.
    #[must_use]
    pub fn verifying(mut self, key: Key) -> Self {
        self.verifying.push(key);
        self
    }

    /// Builds the ring.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for the field `keys`: no key at all, more than
    /// [`Keyring::MAX_KEYS`], two keys of the same name and algorithm, or an active key that cannot
    /// sign.
    pub fn build(self) -> Result<Keyring> {
        let refuse = |problem: String| Err(Error::config("keys", problem));
        if self.active.as_ref().is_some_and(|key| !key.can_sign()) {
            return refuse("the active key is a public key, which cannot sign".to_owned());
        }
        let has_active = self.active.is_some();
        let keys: Vec<Key> = self.active.into_iter().chain(self.verifying).collect();
        if keys.is_empty() {
            return refuse("no key was given".to_owned());
        }
        if keys.len() > Keyring::MAX_KEYS {
            return refuse(format!("more than {} keys", Keyring::MAX_KEYS));
        }
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other.has_name_of(key)) {
                return refuse(format!("two keys for {} have the same kid", key.algorithm()));
            }
        }
        let has_names = keys.iter().any(|key| key.id().is_some());
        Ok(Keyring(Arc::new(Ring { keys, has_active, has_names })))
    }
}
