//! Sessions that are bound to a key of the client (DPoP, RFC 9449).

use std::sync::Arc;

use super::{Auth, Engine};
use crate::access::VerifiedAccess;
use crate::config::DpopConfig;
use crate::dpop::{NonceIssuer, ProofVerifier, VerifiedProof};
use crate::error::{Error, Result};
use crate::keys::{RefreshKeys, Thumbprint};
use crate::types::Clock;

/// How proofs are checked, and what they are asked for.
#[derive(Debug)]
pub(super) struct Binding {
    proofs: ProofVerifier,
    /// Whether the access tokens of bound sessions are bound too.
    access: bool,
    /// Whether a login needs a proof.
    required: bool,
}

impl Binding {
    pub(super) fn of(
        config: &DpopConfig,
        keys: &RefreshKeys,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let nonces = config.nonce.map(|lifetime| NonceIssuer::new(keys.clone(), lifetime));
        Ok(Self {
            proofs: ProofVerifier::new(config.policy()?, nonces, clock)
                .with_origins(config.origin.each().to_vec())?,
            access: config.binds_access(),
            required: config.required,
        })
    }

    /// Goes on with nonces under these keys.
    pub(super) fn exchange_keys(&self, keys: RefreshKeys) {
        if let Some(nonces) = self.proofs.nonces() {
            nonces.set_keys(keys);
        }
    }
}

impl Auth {
    /// Checks the proof that came with a request of `method` to `path`: the value of its header
    /// `DPoP`. What it is then good for, a login, a refresh or an access token, uses it up.
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`], [`Error::DpopNonceRequired`]; [`Error::ConfigInvalid`] for
    /// `dpop` where nothing was said about proofs.
    pub fn check_proof(&self, proof: &str, method: &str, path: &str) -> Result<VerifiedProof> {
        self.0.engine.binding()?.proofs.verify_request(proof, method, path)
    }

    /// Whether sessions may be bound to keys here.
    pub fn checks_proofs(&self) -> bool {
        self.0.engine.binding.is_some()
    }

    /// The nonce for the header `DPoP-Nonce` of answers, where proofs need one (RFC 9449 §8.2).
    pub fn proof_nonce(&self) -> Option<String> {
        self.0.engine.binding.as_ref().and_then(|binding| binding.proofs.nonce())
    }

    /// Verifies an access token as [`Auth::verify`] does, and that it is bound to the key that
    /// `proof` is by (RFC 9449 §7.1).
    ///
    /// # Errors
    /// As [`Auth::verify`]; then [`Error::DpopProofInvalid`] for a proof by another key or for
    /// another access token, and for a token that is bound to none; and [`Error::DpopProofReplayed`].
    pub fn verify_with_proof(&self, token: &str, proof: &VerifiedProof) -> Result<VerifiedAccess> {
        let access = self.0.verifying.now().verify_bound(token)?;
        let access = self.unless_revoked(access)?;
        self.0.engine.binding()?.proofs.consume_for_access(proof, &access, token)?;
        Ok(access)
    }
}

impl Engine {
    fn binding(&self) -> Result<&Binding> {
        self.binding.as_ref().ok_or_else(|| Error::config("dpop", "is not configured"))
    }

    /// The key that a session begins with; the proof is used up.
    pub(super) fn key_of_login(&self, proof: Option<&VerifiedProof>) -> Result<Option<Thumbprint>> {
        let required = self.binding.as_ref().is_some_and(|binding| binding.required);
        match proof {
            None if required => Err(Error::DpopProofMissing),
            None => Ok(None),
            Some(proof) => self.binding()?.proofs.consume(proof).map(Some),
        }
    }

    /// Holds a refresh of a session that is bound to `key` to its proof, which is used up. One of
    /// an unbound session proves nothing that anybody asked for.
    pub(super) fn check_bound(
        &self,
        key: Option<Thumbprint>,
        proof: Option<&VerifiedProof>,
    ) -> Result<()> {
        match (key, proof) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Error::DpopProofMissing),
            (Some(key), Some(proof)) => self.binding()?.proofs.consume_bound(proof, key, None),
        }
    }

    /// The key that an access token of such a session is bound to.
    pub(super) fn access_key(&self, key: Option<Thumbprint>) -> Option<Thumbprint> {
        key.filter(|_| self.binding.as_ref().is_some_and(|binding| binding.access))
    }
}
