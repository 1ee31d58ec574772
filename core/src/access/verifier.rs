//! Verifies access tokens: from the value of a header, or the token, to what the token says.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::cache::VerifiedCache;
use super::claims::Claims;
use super::header::HeaderCache;
use super::policy::AccessPolicy;
use crate::error::{Error, Result};
use crate::keys::public_key::check_binding;
use crate::keys::{Keyring, Thumbprint};
use crate::token::base64url;
use crate::token::jws::Compact;
use crate::types::{Clock, FamilyPosition, SessionId, Subject, Timestamp};

/// Room for a decoded signature by HMAC, ECDSA or Ed25519, and for what the decoder asks to have
/// spare. An RSA signature is longer, and takes so long to check that an allocation is nothing.
const SHORT_SIGNATURE: usize = 104;

/// Verifies access tokens: synchronous, no I/O, safe to share between threads.
///
/// The order is fixed: size, form, header, algorithm and key, signature, and only then `typ` and
/// the claims, so that nobody learns anything about the content of an unsigned token. Within the
/// claims, expiry comes last.
pub struct AccessVerifier {
    keyring: Keyring,
    policy: AccessPolicy,
    clock: Arc<dyn Clock>,
    headers: HeaderCache,
    cache: Option<Arc<VerifiedCache<VerifiedAccess>>>,
    /// The number of `keyring` in the cache.
    keyring_epoch: u32,
}

impl AccessVerifier {
    /// Verifies by `keyring`, `policy` and the time of `clock`.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: the headers of the keys always serialize.
    pub fn new(keyring: Keyring, policy: AccessPolicy, clock: Arc<dyn Clock>) -> Result<Self> {
        let cache = VerifiedCache::new(policy.cache()).map(Arc::new);
        Self::build(keyring, policy, clock, cache)
    }

    /// A verifier with the same rules and other keys. The two share the memory of the cache, but
    /// a token verified by the one is verified again by the other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_keys(&self, keyring: Keyring) -> Result<Self> {
        Self::build(keyring, self.policy.clone(), Arc::clone(&self.clock), self.cache.clone())
    }

    fn build(
        keyring: Keyring,
        policy: AccessPolicy,
        clock: Arc<dyn Clock>,
        cache: Option<Arc<VerifiedCache<VerifiedAccess>>>,
    ) -> Result<Self> {
        let headers = HeaderCache::new(&keyring)?;
        let keyring_epoch = cache.as_ref().map_or(0, |cache| cache.keyring_epoch());
        Ok(Self { keyring, policy, clock, headers, cache, keyring_epoch })
    }

    /// The policy.
    pub const fn policy(&self) -> &AccessPolicy {
        &self.policy
    }

    /// The keys.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// For bindings: the number of cache slots, a power of two; 0 without a cache. See
    /// [`VerifiedAccess::cache_id`].
    #[doc(hidden)]
    pub fn cache_slots(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.slots())
    }

    /// Verifies `token`, the compact form without a scheme, as a bearer token (RFC 6750).
    ///
    /// # Errors
    /// As [`verify_bound`](Self::verify_bound); [`Error::DpopProofMissing`] for a token that is
    /// bound to a key and good in every other way.
    pub fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        self.verify_bound(token)?.require_bearer()
    }

    /// Verifies `token`, which may be bound to a key: where [`VerifiedAccess::key`] names one, the
    /// caller must check a proof of that key ([`ProofVerifier`](crate::dpop)).
    ///
    /// # Errors
    /// In this order: [`Error::TokenTooLarge`], [`Error::TokenMalformed`],
    /// [`Error::CritUnsupported`], [`Error::AlgNotAllowed`], [`Error::KeyNotFound`],
    /// [`Error::SignatureInvalid`], [`Error::TypMismatch`], [`Error::TokenMalformed`] for claims
    /// that are not a strict JSON object, [`Error::ClaimMissing`], [`Error::ClaimInvalid`],
    /// [`Error::IssuerMismatch`] and [`Error::AudienceMismatch`] as the claims are read,
    /// [`Error::TokenNotYetValid`], [`Error::TokenExpired`].
    pub fn verify_bound(&self, token: &str) -> Result<VerifiedAccess> {
        let now = self.clock.coarse();
        if let Some(cache) = &self.cache {
            if let Some(access) = cache.find(token, self.keyring_epoch) {
                self.policy.check_times(&access.0.claims.times, now)?;
                return Ok(access);
            }
            let (claims, payload) = self.check(token, now)?;
            return Ok(cache.insert(token, self.keyring_epoch, |cache_id| {
                VerifiedAccess::new(claims, payload, cache_id)
            }));
        }
        let (claims, payload) = self.check(token, now)?;
        Ok(VerifiedAccess::new(claims, payload, None))
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<(Claims, String)> {
        let compact = Compact::split(token, self.policy.max_token_bytes)?;
        let header = self.headers.parse(compact.header, &self.keyring)?;

        let mut space = [0; SHORT_SIGNATURE];
        let long;
        let signature = if compact.signature.len() <= SHORT_SIGNATURE {
            base64url::decode_into(compact.signature, &mut space)?
        } else {
            long = base64url::decode(compact.signature)?;
            &long
        };
        let message = compact.signing_input.as_bytes();
        self.keyring.verify(header.candidates, message, signature)?;

        let token_type = header.accept(self.policy.legacy().is_some())?;
        let payload = base64url::decode_text(compact.payload)?;
        let claims = self.policy.check(&payload, token_type, now)?;
        Ok((claims, payload))
    }
}

impl fmt::Debug for AccessVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessVerifier")
            .field("keyring", &self.keyring)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// What a verified access token says. Only [`AccessVerifier`] makes one.
///
/// Subject, session, position, key and times are at hand; everything else is read from the JSON
/// text of the claims, which is parsed when it is first asked for. Clones share their content.
/// `Debug` shows the session and its expiry, not the app's claims.
#[derive(Clone)]
pub struct VerifiedAccess(Arc<Verified>);

struct Verified {
    claims: Claims,
    payload: String,
    parsed: OnceLock<Map<String, Value>>,
    cache_id: Option<u64>,
    reported: AtomicU64,
}

impl VerifiedAccess {
    fn new(claims: Claims, payload: String, cache_id: Option<u64>) -> Self {
        Self(Arc::new(Verified {
            claims,
            payload,
            parsed: OnceLock::new(),
            cache_id,
            reported: AtomicU64::new(0),
        }))
    }

    /// The epoch in which the use of this token was last reported to the store (`auth/usage.rs`);
    /// 0 until it is reported.
    pub(crate) fn reported(&self) -> &AtomicU64 {
        &self.0.reported
    }

    /// For bindings, which cache next to a token what they have made of it: the id of the cache
    /// entry, `None` for a token that is not cached. No other token gets the same id; modulo
    /// [`cache_slots`](AccessVerifier::cache_slots) it is the slot of the token until it is evicted.
    #[doc(hidden)]
    pub fn cache_id(&self) -> Option<u64> {
        self.0.cache_id
    }

    /// The user: the configured subject claim, else `sub`. A whole number becomes its digits; `sub`
    /// may be a number in legacy tokens only.
    pub fn subject(&self) -> &Subject {
        &self.0.claims.subject
    }

    /// The session (`sid`), if the token belongs to one. `None` also for a `sid` that is not the id
    /// of a session of this library: other issuers have their own.
    pub fn session(&self) -> Option<SessionId> {
        self.0.claims.session
    }

    /// For bindings, which hand over the payload and name parts of it: the offset in
    /// [`payload`](Self::payload) at which [`subject`](Self::subject) is written. `None` where it has
    /// escapes.
    #[doc(hidden)]
    pub fn subject_offset(&self) -> Option<usize> {
        self.0.claims.subject_offset
    }

    /// As [`subject_offset`](Self::subject_offset), of [`session`](Self::session).
    #[doc(hidden)]
    pub fn session_offset(&self) -> Option<usize> {
        self.0.claims.session_offset
    }

    /// The position in the session's token family (`gen` and `brn`), if the token has one.
    pub fn family_position(&self) -> Option<FamilyPosition> {
        self.0.claims.family_position
    }

    /// Rejects a token that is bound to a key but is presented as a bearer token.
    pub(crate) fn require_bearer(self) -> Result<Self> {
        check_binding(self.key(), None).map(|()| self)
    }

    /// The key of the client that the token is bound to (`cnf.jkt`, RFC 9449 §6.1): a request with
    /// the token needs a proof of that key.
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

    /// `aud`, as text or as an array. Empty when absent.
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

    /// All claims by name, the app's own included. Parsed by the first call.
    pub fn claims(&self) -> &Map<String, Value> {
        // The verifier has read the payload as strict JSON, so parsing it again cannot fail.
        self.0.parsed.get_or_init(|| serde_json::from_str(&self.0.payload).unwrap_or_default())
    }

    /// The value of the claim `name`.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims().get(name)
    }

    /// The claims as a type of the app, which is given the whole object of claims: it can leave
    /// out what is not needed, and must not deny unknown fields.
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
            .field("family_position", &self.0.claims.family_position)
            .field("expires_at", &self.0.claims.times.exp)
            .finish_non_exhaustive()
    }
}

/// The token in the value of an `Authorization` header (RFC 6750 §2.1, RFC 9110 §11.4), or of a
/// header of the same form.
///
/// The scheme is compared without regard to case and followed by one or more spaces. Blanks around
/// the value are not part of it (RFC 9110 §5.5).
///
/// # Errors
/// [`Error::TokenMissing`] when the value is empty, names another scheme or has nothing after
/// `Bearer`: by RFC 6750 §3.1 a request that "lacks any authentication information", which includes
/// another scheme, gets a challenge without an error code.
/// [`Error::TokenMalformed`] when what follows is not one `token68`.
///
/// ```
/// assert_eq!(regrant::access::bearer_token("Bearer abc.def.ghi")?, "abc.def.ghi");
/// # Ok::<(), regrant::Error>(())
/// ```
pub fn bearer_token(header_value: &str) -> Result<&str> {
    let token = after_scheme(header_value)?;
    if is_token68(token) { Ok(token) } else { Err(Error::TokenMalformed) }
}

/// What follows the scheme, for callers that verify the token next.
pub(crate) fn after_scheme(header_value: &str) -> Result<&str> {
    const SCHEME: &str = "Bearer";
    let value = header_value.trim_matches([' ', '\t']);
    let (scheme, rest) = value.split_once(' ').ok_or(Error::TokenMissing)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Error::TokenMissing);
    }
    Ok(rest.trim_start_matches(' '))
}

/// RFC 9110 §11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
pub(crate) fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_token_returns_the_token() {
        for value in
            ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g== "]
        {
            assert_eq!(bearer_token(value).unwrap(), "a.b-c_d~e+f/g==", "{value:?}");
        }
    }

    #[test]
    fn an_empty_value_or_another_scheme_is_a_missing_token() {
        for value in
            ["", " ", "Bearer", "Bearer ", "bearer \t", "Basic dTpw", "a.b.c", "Bearera.b.c"]
        {
            assert!(matches!(bearer_token(value), Err(Error::TokenMissing)), "{value:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_one_token68_is_malformed() {
        for value in [
            "Bearer a b",
            "Bearer a,b",
            "Bearer =",
            "Bearer a=b",
            "Bearer \ta",
            "Bearer é",
            "Bearer \"a\"",
        ] {
            assert!(matches!(bearer_token(value), Err(Error::TokenMalformed)), "{value:?}");
        }
    }
}
