//! Sessions whose tokens are bound to a key of the client (DPoP, RFC 9449).

use std::sync::Arc;
use std::time::Duration;

use super::{Auth, Engine};
use crate::dpop::{NonceIssuer, PresentedProof, ProofPolicy, ProofVerifier, VerifiedProof};
use crate::error::{Error, Result};
use crate::keys::public_key::check_binding;
use crate::keys::{RefreshKeys, Thumbprint};
use crate::types::Clock;

/// How sessions are bound to keys of clients.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DpopPolicy {
    /// The origins by which clients reach this server, such as `https://api.example`.
    pub origins: Vec<String>,
    /// Which proofs are accepted.
    pub proofs: ProofPolicy,
    /// Requires a nonce of the server in each proof (RFC 9449 §8), renewed at this interval. All
    /// processes with the same refresh secret share their nonces. Default: no nonce.
    pub nonce_lifetime: Option<Duration>,
    /// Whether the access tokens of bound sessions are bound too, so that each request needs a
    /// proof. Otherwise only refreshes and logouts do. Default `true`.
    pub bind_access_tokens: bool,
    /// Whether a login needs a proof. Existing sessions are not affected. Default `false`.
    pub required: bool,
}

impl DpopPolicy {
    /// The default policy for a server that clients reach by `origins`.
    pub fn new(origins: Vec<String>) -> Self {
        Self {
            origins,
            proofs: ProofPolicy::default(),
            nonce_lifetime: None,
            bind_access_tokens: true,
            required: false,
        }
    }
}

/// A [`DpopPolicy`] in effect.
#[derive(Debug)]
pub(super) struct DpopBinding {
    pub(super) proofs: ProofVerifier,
    bind_access_tokens: bool,
    required: bool,
}

impl DpopBinding {
    pub(super) fn new(
        policy: DpopPolicy,
        keys: &RefreshKeys,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let nonces = policy.nonce_lifetime.map(|lifetime| NonceIssuer::new(keys.clone(), lifetime));
        Ok(Self {
            proofs: ProofVerifier::new(policy.proofs, nonces, clock)
                .with_origins(policy.origins)?,
            bind_access_tokens: policy.bind_access_tokens,
            required: policy.required,
        })
    }

    pub(super) fn set_nonce_keys(&self, keys: RefreshKeys) {
        if let Some(nonces) = self.proofs.nonces() {
            nonces.set_keys(keys);
        }
    }
}

impl Auth {
    /// Checks a proof without using it up. Login, refresh and verification check the proof that they
    /// are given themselves; this is for apps that check the proof of a login before the password.
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`], [`Error::DpopNonceRequired`]; [`Error::ConfigInvalid`] for
    /// `dpop` where DPoP is not configured.
    pub fn check_proof(&self, proof: &PresentedProof) -> Result<VerifiedProof> {
        self.0.engine.dpop()?.proofs.verify_request(proof)
    }

    /// Whether DPoP is configured.
    pub fn checks_proofs(&self) -> bool {
        self.0.engine.dpop.is_some()
    }

    /// Whether an access token without a key may belong to a session that is bound to one.
    pub(crate) fn has_bearer_tokens_of_bound_sessions(&self) -> bool {
        self.0.engine.dpop.as_ref().is_some_and(|dpop| !dpop.bind_access_tokens)
    }

    /// The nonce for the header `DPoP-Nonce` of responses, where proofs need one (RFC 9449 §8.2).
    pub fn proof_nonce(&self) -> Option<String> {
        self.0.engine.dpop.as_ref().and_then(|dpop| dpop.proofs.nonce())
    }
}

impl Engine {
    pub(super) fn dpop(&self) -> Result<&DpopBinding> {
        self.dpop.as_ref().ok_or_else(|| Error::config("dpop", "is not configured"))
    }

    /// Checks and uses up the proof of a login, if there is one, and returns the key of the new session.
    pub(super) fn login_key(&self, proof: Option<&PresentedProof>) -> Result<Option<Thumbprint>> {
        let required = self.dpop.as_ref().is_some_and(|dpop| dpop.required);
        match proof {
            None if required => Err(Error::DpopProofMissing),
            None => Ok(None),
            Some(proof) => {
                let proofs = &self.dpop()?.proofs;
                proofs.consume(&proofs.verify_request(proof)?).map(Some)
            }
        }
    }

    /// Checks and uses up the proof of a refresh or logout where the session is bound to `key`. A
    /// proof for an unbound session is ignored.
    pub(super) fn check_refresh_proof(
        &self,
        key: Option<Thumbprint>,
        proof: Option<&PresentedProof>,
    ) -> Result<()> {
        match (key, proof) {
            (Some(key), Some(proof)) => self.dpop()?.proofs.verify_and_consume(proof, key, None),
            (key, _) => check_binding(key, None),
        }
    }

    /// The key that the access tokens of a session bound to `key` are bound to.
    pub(super) fn access_token_key(&self, key: Option<Thumbprint>) -> Option<Thumbprint> {
        key.filter(|_| self.dpop.as_ref().is_some_and(|dpop| dpop.bind_access_tokens))
    }
}
