//! Judges proofs.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::proof::{self, Proof};
use super::replay::UsedProofs;
use super::target;
use super::{Nonces, ProofPolicy, Target, access_token_hash};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::types::{Clock, Timestamp};

/// Checks proofs (RFC 9449 §4.3). Synchronous, without I/O; the memory of used proofs is this
/// process's own. Where several processes serve one address, [`Nonces`] bound for how long a proof
/// could be used once more at another one.
#[derive(Debug)]
pub struct ProofVerifier {
    origins: Vec<String>,
    policy: ProofPolicy,
    nonces: Option<Nonces>,
    used: UsedProofs,
    clock: Arc<dyn Clock>,
}

impl ProofVerifier {
    /// Checks by `policy`; with `nonces` every proof must have one of them.
    pub fn new(policy: ProofPolicy, nonces: Option<Nonces>, clock: Arc<dyn Clock>) -> Self {
        let by_nonce = nonces.as_ref().map(Nonces::longest_life);
        let lifetime = by_nonce.unwrap_or(policy.max_age + policy.leeway);
        let used = UsedProofs::new(lifetime, policy.capacity);
        Self { origins: Vec::new(), policy, nonces, used, clock }
    }

    /// For a server that clients reach by these origins, such as `https://api.example`: what
    /// [`check_request`](Self::check_request) goes by.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `dpop.origin`: none, or one that has more than scheme, host and
    /// port.
    pub fn served_at(mut self, origins: Vec<String>) -> Result<Self> {
        target::check_origins(&origins)?;
        self.origins = origins;
        Ok(self)
    }

    /// The nonces, where they are asked for.
    pub fn nonces(&self) -> Option<&Nonces> {
        self.nonces.as_ref()
    }

    /// The nonce for the header `DPoP-Nonce` of answers, where nonces are asked for.
    pub fn nonce(&self) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(self.clock.now()))
    }

    /// Checks `proof` as [`check`](Self::check) does, for a request of `method` to `path`, after
    /// which a query may follow.
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Error::ConfigInvalid`] for `url` for an origin that is none.
    pub fn check_request(&self, proof: &str, method: &str, path: &str) -> Result<Proof> {
        if !path.starts_with('/') {
            return Err(Error::dpop_proof("its request has no path"));
        }
        let target = |origin| Target::new(method, &format!("{origin}{path}"));
        self.check(proof, &self.origins.iter().map(target).collect::<Result<Vec<_>>>()?)
    }

    /// Checks that `proof` is one and for this request, which a server that is reached by several
    /// names has several targets for. To be used it has yet to be held against
    /// a token ([`bound_to`](Self::bound_to)) or to begin a session ([`spend`](Self::spend)).
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`]: its form, signature, `htm`, `htu` or `iat`;
    /// [`Error::DpopNonceRequired`].
    pub fn check(&self, proof: &str, targets: &[Target]) -> Result<Proof> {
        let (key, claims) = proof::read(proof)?;
        if !targets.iter().any(|target| target.is(&claims.method, &claims.address)) {
            return Err(Error::dpop_proof("it is for another request"));
        }
        let now = self.clock.now();
        match &self.nonces {
            Some(nonces) => {
                let good = claims.nonce.is_some_and(|nonce| nonces.accepts(&nonce, now));
                if !good {
                    return Err(Error::DpopNonceRequired { nonce: nonces.current(now) });
                }
            }
            None => self.check_age(claims.issued_at, now)?,
        }
        Ok(Proof { key, id: claims.id, access_token_hash: claims.access_token_hash })
    }

    fn check_age(&self, issued_at: Timestamp, now: Timestamp) -> Result<()> {
        if issued_at > now.plus(self.policy.leeway) || now >= issued_at.plus(self.policy.max_age) {
            return Err(Error::dpop_proof("its iat is too long ago or ahead"));
        }
        Ok(())
    }

    /// Uses a proof up: from now on it is refused.
    ///
    /// # Errors
    /// [`Error::DpopProofReplayed`]; [`Error::StoreUnavailable`] when as many are remembered as
    /// may be.
    pub fn spend(&self, proof: &Proof) -> Result<Thumbprint> {
        self.used.note(&proof.key, &proof.id, self.clock.now())?;
        Ok(proof.key)
    }

    /// Uses a proof up for an access token that was verified as `access`.
    ///
    /// # Errors
    /// As [`bound_to`](Self::bound_to); [`Error::DpopProofInvalid`] too where the token is bound to
    /// no key: whoever has stolen it has a key of his own.
    pub fn binds(&self, proof: &Proof, access: &VerifiedAccess, token: &str) -> Result<()> {
        let key = access.key().ok_or(Error::dpop_proof("its access token is bound to no key"))?;
        self.bound_to(proof, key, Some(token))
    }

    /// Uses a proof up for a token that is bound to `key`; `access` where it is an access token.
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`] for another key or another access token, and as
    /// [`spend`](Self::spend).
    pub fn bound_to(&self, proof: &Proof, key: Thumbprint, access: Option<&str>) -> Result<()> {
        if proof.key != key {
            return Err(Error::dpop_proof("it is by another key than the token's"));
        }
        if let Some(token) = access {
            let expected = access_token_hash(token);
            let is_for = |hash: &String| bool::from(hash.as_bytes().ct_eq(expected.as_bytes()));
            if !proof.access_token_hash.as_ref().is_some_and(is_for) {
                return Err(Error::dpop_proof("its ath is missing or of another access token"));
            }
        }
        self.spend(proof).map(drop)
    }
}
