//! Verifies the access tokens of several issuers.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::issuer::{Issuer, IssuerFactory, TrustedIssuer};
use super::resolver::{IssuerResolver, Lookup, ResolvedIssuers, ResolverLimits};
use super::schedule::JwksSchedule;
use crate::access::{AccessPolicy, VerifiedAccess};
use crate::dpop::{PresentedProof, ProofPolicy, ProofVerifier};
use crate::error::{Error, Result};
use crate::token::base64url;
use crate::token::json;
use crate::token::jws::Compact;
use crate::transport::Transport;
use crate::types::{Clock, SystemClock};

/// Verifies access tokens of several issuers, each with its own keys and policy. Clones share
/// state.
///
/// The unverified `iss` of a token selects among the configured issuers; the token must then
/// satisfy the policy and the keys of that issuer.
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use regrant::access::AccessPolicy;
/// use regrant::jwks::{JwksUri, JwksVerifier, TrustedIssuer};
/// use regrant::keys::{Algorithm, Key, Keyring};
/// # let pem = include_str!("../../../tests/vectors/keys/test-only-ed25519-a.public.pem");
/// # let transport = regrant::client::ReqwestTransport::new()?;
///
/// let ours = AccessPolicy::builder().issuer("https://auth.example").audience("api").build()?;
/// let theirs = AccessPolicy::builder().issuer("https://partner.example").audience("api").build()?;
/// let url = JwksUri::new("https://partner.example/.well-known/jwks.json")?;
/// let verifier = JwksVerifier::builder()
///     .issuer(TrustedIssuer::with_keys(ours, Keyring::single(Key::public_pem(Algorithm::EdDSA, pem)?))?)
///     .issuer(TrustedIssuer::with_key_set(theirs, url, Algorithm::RS256)?)
///     .transport(std::sync::Arc::new(transport))
///     .build()?;
/// assert!(verifier.verify_cached("no.token.at all").is_err());
/// # }
/// # Ok::<(), regrant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwksVerifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuers: Vec<Arc<Issuer>>,
    resolved: Option<ResolvedIssuers>,
    /// The longest token of an issuer that is not known yet; its own policy applies too.
    max_token_bytes: usize,
    proofs: Option<ProofVerifier>,
    /// Where issuers are resolved in the background.
    runtime: Option<Handle>,
}

/// The issuer that a token names.
enum Named {
    Known(Arc<Issuer>),
    /// One that the resolver must be asked about.
    Unresolved(String),
}

impl JwksVerifier {
    /// A builder without issuers.
    pub fn builder() -> JwksVerifierBuilder {
        JwksVerifierBuilder::default()
    }

    /// Verifies a bearer token. If its key is missing or unknown, waits for a fetch of the issuer's
    /// JWK Set. Cancel safe: a fetch that was started continues. Requires a Tokio runtime.
    ///
    /// # Errors
    /// Those of [`AccessVerifier::verify`](crate::access::AccessVerifier::verify), which rejects tokens that are bound to a key;
    /// [`Error::IssuerMismatch`] if `iss` is not configured; [`Error::KeysUnavailable`], with the
    /// advice to retry, if the issuer's keys were never fetched or are too old.
    pub async fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        self.verify_any(token).await?.require_bearer()
    }

    /// Verifies a bearer token with the cached keys, without I/O. Missing keys are fetched in the
    /// background.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_cached(&self, token: &str) -> Result<VerifiedAccess> {
        let issuer = match self.issuer_of(token)? {
            Named::Known(issuer) => issuer,
            Named::Unresolved(name) => return Err(self.resolve_later(name)),
        };
        issuer.verify_cached(token)?.require_bearer()
    }

    /// As [`verify_cached`](Self::verify_cached); `None` if [`verify`](Self::verify) would wait for
    /// a fetch. For callers for whom a future costs more than the verification.
    pub fn try_verify(&self, token: &str) -> Option<Result<VerifiedAccess>> {
        let access = match self.issuer_of(token) {
            Err(error) => Err(error),
            Ok(Named::Unresolved(_)) => return None,
            Ok(Named::Known(issuer)) => issuer.try_verify(token)?,
        };
        Some(access.and_then(VerifiedAccess::require_bearer))
    }

    /// As [`verify`](Self::verify), for a token that is bound to the key that signed `proof` (DPoP,
    /// RFC 9449 §7.1). The proof is checked after the token, and accepted once.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`Error::DpopProofInvalid`], also if the proof is by another key or
    /// for another access token, or if the token is not bound; [`Error::DpopProofReplayed`];
    /// [`Error::ConfigInvalid`] for `dpop` if proofs are not configured.
    pub async fn verify_with_proof(
        &self,
        token: &str,
        proof: &PresentedProof,
    ) -> Result<VerifiedAccess> {
        let proofs = self.proofs()?;
        let access = self.verify_any(token).await?;
        proofs.check_access(proof, &access, token)?;
        Ok(access)
    }

    /// Verifies a token, whether or not it is bound to a key.
    async fn verify_any(&self, token: &str) -> Result<VerifiedAccess> {
        let issuer = match self.issuer_of(token)? {
            Named::Known(issuer) => issuer,
            Named::Unresolved(name) => self.resolved()?.resolve(&name).await?,
        };
        issuer.verify(token).await
    }

    fn resolved(&self) -> Result<&ResolvedIssuers> {
        self.0.resolved.as_ref().ok_or(Error::IssuerMismatch)
    }

    /// Asks the resolver in the background.
    fn resolve_later(&self, name: String) -> Error {
        let permit = self.0.resolved.as_ref().and_then(ResolvedIssuers::background);
        // The verifier may have been built before there was a runtime.
        let runtime = self.0.runtime.clone().or_else(|| Handle::try_current().ok());
        if let (Some(runtime), Some(permit)) = (runtime, permit) {
            let verifier = self.clone();
            runtime.spawn(async move {
                if let Ok(resolved) = verifier.resolved() {
                    // What it responds is kept.
                    drop(resolved.resolve(&name).await);
                }
                drop(permit);
            });
        }
        Error::KeysUnavailable { source: "the issuer is being looked up".into() }
    }

    /// Whether tokens that are bound to a key are accepted, with a proof.
    pub fn checks_proofs(&self) -> bool {
        self.0.proofs.is_some()
    }

    fn proofs(&self) -> Result<&ProofVerifier> {
        self.0.proofs.as_ref().ok_or_else(|| Error::config("dpop", "is not configured"))
    }

    /// Fetches the keys of every issuer whose keys are not cached, for programs that should not
    /// start without them.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] for the first issuer without keys.
    pub async fn ready(&self) -> Result<()> {
        let mut outcome = Ok(());
        for issuer in &self.0.issuers {
            // Those after one that fails all the same.
            outcome = outcome.and(issuer.ready().await);
        }
        outcome
    }

    /// The issuer that the token's unverified `iss` names.
    fn issuer_of(&self, token: &str) -> Result<Named> {
        // With one issuer its policy checks `iss`.
        if let ([only], None) = (&*self.0.issuers, &self.0.resolved) {
            return Ok(Named::Known(Arc::clone(only)));
        }
        let compact = Compact::split(token, self.0.max_token_bytes)?;
        let payload = base64url::decode_text(compact.payload)?;
        let mut iss = None;
        json::read_object(&payload, |name, item| {
            if name == "iss" {
                iss = Some(item);
            }
        })?;
        let iss = iss.ok_or(Error::IssuerMismatch)?;
        let iss = iss.text().ok_or_else(|| Error::claim_invalid("iss"))?;
        // A name before a pattern that it matches too.
        let is_named =
            |issuer: &&Arc<Issuer>| issuer.policy.issuers().iter().any(|name| *name == iss);
        let by_name = self.0.issuers.iter().find(is_named);
        let matches = |issuer: &&Arc<Issuer>| issuer.policy.accepts_issuer(&iss);
        if let Some(issuer) = by_name.or_else(|| self.0.issuers.iter().find(matches)) {
            return Ok(Named::Known(Arc::clone(issuer)));
        }
        match self.resolved()?.lookup(&iss) {
            Lookup::Trusted(issuer) => Ok(Named::Known(issuer)),
            Lookup::Refused => Err(Error::IssuerMismatch),
            Lookup::Unknown => Ok(Named::Unresolved(iss.into_owned())),
        }
    }
}

/// Builds a [`JwksVerifier`].
#[derive(Debug, Default)]
pub struct JwksVerifierBuilder {
    issuers: Vec<TrustedIssuer>,
    schedule: JwksSchedule,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    resolver: Option<(Arc<dyn IssuerResolver>, ResolverLimits)>,
    proofs: Option<(ProofPolicy, Vec<String>)>,
}

impl JwksVerifierBuilder {
    /// Adds an issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Asks `resolver` about issuers that none of those added names or matches, such as tenants.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn IssuerResolver>, limits: ResolverLimits) -> Self {
        self.resolver = Some((resolver, limits));
        self
    }

    /// Sets when JWK Sets are fetched.
    #[must_use]
    pub const fn schedule(mut self, schedule: JwksSchedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Sets what fetches JWK Sets. It should not follow redirects: the configured URL is what is
    /// trusted.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sets the clock. Default: the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Accepts tokens that are bound to clients' keys (DPoP, RFC 9449), with proofs by `policy`.
    /// `origins` are those at which clients reach this service, such as `https://orders.example`.
    #[must_use]
    pub fn proofs(mut self, policy: ProofPolicy, origins: Vec<String>) -> Self {
        self.proofs = Some((policy, origins));
        self
    }

    /// Builds the verifier, without I/O. Within a Tokio runtime, fetches will run on it.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `issuers` if there are none and no resolver, if two have the same name, or if
    /// keys must be fetched and there is no transport; and for `dpop.origin`.
    pub fn build(self) -> Result<JwksVerifier> {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let invalid = |problem: String| Err(Error::config("issuers", problem));
        let factory = IssuerFactory {
            schedule: self.schedule,
            transport: self.transport,
            clock: Arc::clone(&clock),
        };
        let mut issuers: Vec<Arc<Issuer>> = Vec::with_capacity(self.issuers.len());
        for issuer in self.issuers {
            let is_taken = |name| issuers.iter().any(|other| other.policy.issuers().contains(name));
            if issuer.policy.issuers().iter().any(is_taken) {
                return invalid("two have the same `iss`".to_owned());
            }
            issuers.push(Arc::new(factory.issuer(issuer)?));
        }
        if issuers.is_empty() && self.resolver.is_none() {
            return invalid("must not be empty".to_owned());
        }
        let own_bytes = issuers.iter().map(|issuer| issuer.policy.max_token_bytes()).max();
        let max_token_bytes = match &self.resolver {
            Some(_) => AccessPolicy::MAX_TOKEN_BYTES,
            None => own_bytes.unwrap_or_default(),
        };
        let resolved =
            self.resolver.map(|(resolver, limits)| ResolvedIssuers::new(resolver, limits, factory));
        let proofs = self
            .proofs
            .map(|(policy, origins)| ProofVerifier::new(policy, None, clock).with_origins(origins));
        let proofs = proofs.transpose()?;
        let runtime = Handle::try_current().ok();
        Ok(JwksVerifier(Arc::new(Inner { issuers, resolved, max_token_bytes, proofs, runtime })))
    }
}
