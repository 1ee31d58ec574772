//! Verifies access tokens.

use std::fmt;
use std::sync::Arc;

use super::cache::VerifiedCache;
use super::claims;
use super::kind::{self, KnownHeaders};
use super::policy::AccessPolicy;
use super::shapes::Shapes;
use super::verified::VerifiedAccess;
use crate::error::Result;
use crate::keys::Keyring;
use crate::token::base64url;
use crate::token::jws::Compact;
use crate::types::{Clock, Timestamp};

/// Room for the signatures by HMAC, ECDSA and Ed25519, decoded, and what the decoder wants to
/// spare. Those by RSA are longer, and take so long to check that an allocation is nothing.
const SHORT_SIGNATURE: usize = 104;

/// Verifies access tokens: synchronous, no I/O, safe to share between threads.
///
/// The order is fixed: size, shape, header, algorithm and key, signature, and only then `typ`
/// and the claims, so that nothing is learnt about what an unsigned token says. Within the
/// claims, expiry comes last.
pub struct AccessVerifier {
    keyring: Keyring,
    policy: AccessPolicy,
    clock: Arc<dyn Clock>,
    known: KnownHeaders,
    cache: Option<Arc<VerifiedCache>>,
    /// By which keys the cache knows this one.
    key_ring: u32,
    shapes: Arc<Shapes>,
}

impl AccessVerifier {
    /// Verifies with `keyring` by `policy` at the time that `clock` shows.
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal) never in practice: the headers of the keys always serialize.
    pub fn new(keyring: Keyring, policy: AccessPolicy, clock: Arc<dyn Clock>) -> Result<Self> {
        let known = KnownHeaders::of(&keyring)?;
        let cache = VerifiedCache::new(policy.cache()).map(Arc::new);
        let key_ring = cache.as_ref().map_or(0, |cache| cache.next_key_ring());
        Ok(Self { keyring, policy, clock, known, cache, key_ring, shapes: Arc::default() })
    }

    /// One by the same rules with other keys. It shares the memory of this one, but what this one
    /// has verified it verifies again.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_keys(&self, keyring: Keyring) -> Result<Self> {
        Ok(Self {
            known: KnownHeaders::of(&keyring)?,
            keyring,
            policy: self.policy.clone(),
            clock: Arc::clone(&self.clock),
            cache: self.cache.clone(),
            key_ring: self.cache.as_ref().map_or(0, |cache| cache.next_key_ring()),
            shapes: Arc::clone(&self.shapes),
        })
    }

    /// The policy.
    pub const fn policy(&self) -> &AccessPolicy {
        &self.policy
    }

    /// The keys.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How many places are numbered for verified tokens that are kept: a power of two, of which
    /// [`AccessPolicy::cache`] or a few more are used, and the others never. 0 where none is kept.
    pub fn places(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.places())
    }

    /// Checks `token`, the compact form without a scheme, as a bearer token (RFC 6750).
    ///
    /// # Errors
    /// As [`verify_bound`](Self::verify_bound); [`DpopProofMissing`](crate::Error::DpopProofMissing)
    /// for one that is bound to a key and good in every other way.
    pub fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        self.verify_bound(token)?.unless_bound()
    }

    /// Checks `token`, which may be bound to a key: where [`VerifiedAccess::key`] names one, the
    /// caller must hold a proof against it ([`ProofVerifier`](crate::dpop)).
    ///
    /// # Errors
    /// In this order:
    /// [`TokenTooLarge`](crate::Error::TokenTooLarge), [`TokenMalformed`](crate::Error::TokenMalformed),
    /// [`CritUnsupported`](crate::Error::CritUnsupported), [`AlgNotAllowed`](crate::Error::AlgNotAllowed),
    /// [`KeyNotFound`](crate::Error::KeyNotFound), [`SignatureInvalid`](crate::Error::SignatureInvalid),
    /// [`TypMismatch`](crate::Error::TypMismatch), `TokenMalformed` for claims that are not a strict
    /// JSON object, [`ClaimMissing`](crate::Error::ClaimMissing),
    /// [`ClaimInvalid`](crate::Error::ClaimInvalid), [`IssuerMismatch`](crate::Error::IssuerMismatch) and
    /// [`AudienceMismatch`](crate::Error::AudienceMismatch) as the claims are gone through,
    /// [`TokenNotYetValid`](crate::Error::TokenNotYetValid), [`TokenExpired`](crate::Error::TokenExpired).
    pub fn verify_bound(&self, token: &str) -> Result<VerifiedAccess> {
        let now = self.clock.coarse();
        let Some(cache) = &self.cache else { return self.examine(token, now) };
        if let Some(access) = cache.find(token, self.key_ring) {
            // What does not change with time was found to be good.
            access.claims().check_again(&self.policy, now)?;
            return Ok(access);
        }
        let access = self.examine(token, now)?;
        cache.keep(token, &access, self.key_ring);
        Ok(access)
    }

    fn examine(&self, token: &str, now: Timestamp) -> Result<VerifiedAccess> {
        let compact = Compact::split(token, self.policy.max_token_bytes)?;
        let announced = self.known.announced(compact.header, &self.keyring)?;

        let mut space = [0; SHORT_SIGNATURE];
        let long;
        let signature = if compact.signature.len() <= SHORT_SIGNATURE {
            base64url::decode_into(compact.signature, &mut space)?
        } else {
            long = base64url::decode(compact.signature)?;
            &long
        };
        let message = compact.signing_input.as_bytes();
        self.keyring.verify(announced.candidates, message, signature)?;

        let kind = kind::accept(announced.kind, self.policy.legacy.is_some())?;
        let payload = base64url::decode_text(compact.payload)?;
        let (claims, layout) = claims::check(&payload, kind, &self.policy, &self.shapes, now)?;
        Ok(VerifiedAccess::new(claims, payload, layout))
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
