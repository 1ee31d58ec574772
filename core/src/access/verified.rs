//! An access token that passed.

use std::fmt;
#[cfg(feature = "server")]
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::claims::Claims;
use super::shapes::Layout;
use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::token::json::{self, Written};
use crate::types::{FamilyPosition, SessionId, Subject, Timestamp};

/// What a verified access token says. Only [`AccessVerifier`](super::AccessVerifier) makes one.
///
/// A clone shares what it says. `Debug` shows whose session it is of and until when, not the app's
/// claims.
#[derive(Clone)]
pub struct VerifiedAccess(Arc<Verified>);

struct Verified {
    claims: Claims,
    payload: String,
    layout: Layout,
    /// Built when a claim is first asked for by name.
    all: OnceLock<Map<String, Value>>,
    kept: OnceLock<u64>,
    #[cfg(feature = "server")]
    reported: AtomicU64,
}

impl VerifiedAccess {
    pub(super) fn new(claims: Claims, payload: String, layout: Layout) -> Self {
        Self(Arc::new(Verified {
            claims,
            payload,
            layout,
            all: OnceLock::new(),
            kept: OnceLock::new(),
            #[cfg(feature = "server")]
            reported: AtomicU64::new(0),
        }))
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// For the facade, to note when it last reported that this token is in use; 0 at first.
    #[cfg(feature = "server")]
    pub(crate) fn reported(&self) -> &AtomicU64 {
        &self.0.reported
    }

    /// Set once, when it is first kept.
    pub(super) fn keep_as(&self, number: u64) {
        let _ = self.0.kept.set(number);
    }

    /// Which one it is of the verified tokens that the verifier keeps
    /// ([`AccessPolicy::cache`](super::AccessPolicy::cache)): a number that no other of them has
    /// or had. For bindings, which can keep beside it what they have made of it: modulo
    /// [`places`](super::AccessVerifier::places), a power of two, it is the place that the token
    /// has until it gives way.
    pub fn kept_as(&self) -> Option<u64> {
        self.0.kept.get().copied()
    }

    /// The user: the configured subject claim, else `sub`. A whole number becomes its digits; but
    /// `sub` may be one in tokens of an app from before alone.
    pub fn subject(&self) -> &Subject {
        &self.0.claims.subject
    }

    /// The session (`sid`), if the token is of one.
    pub fn session(&self) -> Option<SessionId> {
        self.0.claims.session
    }

    /// The place in the session's chain of rotations (`gen` and `brn`), if the token has one.
    pub fn family_position(&self) -> Option<FamilyPosition> {
        self.0.claims.family_position
    }

    /// As a bearer token: not where it is bound to a key.
    pub(crate) fn unless_bound(self) -> Result<Self> {
        if self.key().is_some() { Err(Error::DpopProofMissing) } else { Ok(self) }
    }

    /// The key of the client that the token is bound to (`cnf.jkt`, RFC 9449 §6.1): a request with
    /// it needs a proof by that key.
    pub fn key(&self) -> Option<Thumbprint> {
        self.0.claims.key
    }

    /// `exp`: the token is accepted before this instant, and for the leeway after it.
    pub fn expires_at(&self) -> Timestamp {
        self.0.claims.times.exp
    }

    /// `iat`.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.0.claims.times.iat
    }

    /// `nbf`.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.0.claims.times.nbf
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.claim("iss")?.as_str()
    }

    /// `aud`, whether it was written as one text or as an array. Empty when absent.
    pub fn audience(&self) -> Vec<&str> {
        match self.claim("aud") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(name) => name.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// `jti`.
    pub fn id(&self) -> Option<&str> {
        self.claim("jti")?.as_str()
    }

    /// The value of the claim named `name`, the app's own claims included.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        let all = || serde_json::from_str(&self.0.payload).unwrap_or_default();
        // The payload was read strictly before, so reading it again cannot fail.
        self.0.all.get_or_init(all).get(name)
    }

    /// The app's claims as a type of its own, which sees the whole object of claims: leave out
    /// what is not needed, and do not deny unknown fields.
    ///
    /// # Errors
    /// [`Error::ClaimInvalid`] with the path of what did not fit, or `claims` where that is the
    /// object itself (a claim is absent).
    pub fn custom<T: DeserializeOwned>(&self) -> Result<T> {
        let mut input = serde_json::Deserializer::from_str(&self.0.payload);
        serde_path_to_error::deserialize(&mut input).map_err(|error| {
            let path = error.path().to_string();
            Error::claim_invalid(if path == "." { "claims".to_owned() } else { path })
        })
    }

    /// Which of the shapes that its verifier knows the token is of: those of one shape have the
    /// same claims in the same order, with values of the same kinds. For bindings, which make
    /// objects of their own language faster when they know what comes.
    ///
    /// `None` for a token of a new shape; a verifier learns some few.
    pub fn shape(&self) -> Option<usize> {
        self.0.layout.shape()
    }

    /// The names of the claims in the order of [`payload`](Self::payload).
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        // The payload was read strictly before, so reading it again cannot fail.
        let _ = json::read_object(&self.0.payload, |name, _| names.push(name.to_owned()));
        names
    }

    /// The values of the claims in that order, as they are written; nothing where there is no
    /// [`shape`](Self::shape).
    pub fn written(&self) -> impl Iterator<Item = Written<'_>> {
        self.0.layout.values(&self.0.payload)
    }

    /// The claims as JSON text, byte for byte as they were signed.
    pub fn payload(&self) -> &str {
        &self.0.payload
    }
}

impl fmt::Debug for VerifiedAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedAccess")
            .field("subject", &self.0.claims.subject)
            .field("session", &self.0.claims.session)
            .field("lineage", &self.0.claims.family_position)
            .field("expires_at", &self.0.claims.times.exp)
            .finish_non_exhaustive()
    }
}
