//! Verifies the access tokens of several issuers.

use std::sync::Arc;

use super::remote::{JwksUri, RemoteKeys, TARGET};
use super::schedule::JwksSchedule;
use crate::access::{AccessPolicy, AccessVerifier, VerifiedAccess};
use crate::dpop::{PresentedProof, ProofPolicy, ProofVerifier};
use crate::error::{Error, Result};
use crate::keys::{Algorithm, JwkSet, Keyring};
use crate::token::base64url;
use crate::token::json;
use crate::token::jws::Compact;
use crate::transport::Transport;
use crate::types::{Clock, SystemClock};

/// An issuer whose tokens are accepted: the policy for its tokens, and the source of its keys.
#[derive(Debug)]
pub struct TrustedIssuer {
    policy: AccessPolicy,
    keys: KeySource,
}

#[derive(Debug)]
enum KeySource {
    Fixed(Keyring),
    JwkSet { url: JwksUri, rsa: Algorithm },
}

impl TrustedIssuer {
    /// An issuer with known keys. `policy` must name its `iss`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `issuer` if the policy names none.
    pub fn with_keys(policy: AccessPolicy, keys: Keyring) -> Result<Self> {
        Self::new(policy, KeySource::Fixed(keys))
    }

    /// An issuer whose JWK Set is known. The keys of the set that cannot be used are logged.
    ///
    /// # Errors
    /// As [`with_keys`](Self::with_keys), and as [`JwkSet::into_keyring`].
    pub fn with_jwks(policy: AccessPolicy, set: JwkSet) -> Result<Self> {
        for key in set.skipped() {
            let issuer = policy.issuers().first();
            tracing::warn!(target: TARGET, issuer, index = key.index, reason = %key.reason, "ignoring unusable key in JWK Set");
        }
        Self::with_keys(policy, set.into_keyring()?)
    }

    /// An issuer that publishes its keys at `url`. `rsa` is the algorithm of RSA keys without
    /// `alg`; most issuers mean [`Algorithm::RS256`].
    ///
    /// # Errors
    /// As [`with_keys`](Self::with_keys); and for `rsaAlgorithm` if `rsa` is not an RSA algorithm.
    pub fn with_key_set(policy: AccessPolicy, url: JwksUri, rsa: Algorithm) -> Result<Self> {
        let name = rsa.as_str();
        if !(name.starts_with("RS") || name.starts_with("PS")) {
            return Err(Error::config("rsaAlgorithm", format!("{name} is not for RSA")));
        }
        Self::new(policy, KeySource::JwkSet { url, rsa })
    }

    fn new(policy: AccessPolicy, keys: KeySource) -> Result<Self> {
        if !policy.checks_issuer() {
            return Err(Error::config("issuer", "is required: it selects the keys"));
        }
        Ok(Self { policy, keys })
    }
}

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
    issuers: Vec<Issuer>,
    proofs: Option<ProofVerifier>,
}

#[derive(Debug)]
struct Issuer {
    policy: AccessPolicy,
    verifier: IssuerVerifier,
}

#[derive(Debug)]
enum IssuerVerifier {
    Fixed(Box<AccessVerifier>),
    Remote(Arc<RemoteKeys>),
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
    /// Those of [`AccessVerifier::verify`], which rejects tokens that are bound to a key;
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
        let access = match &self.issuer_of(token)?.verifier {
            IssuerVerifier::Fixed(verifier) => verifier.verify_bound(token),
            IssuerVerifier::Remote(keys) => keys.verify_cached(token),
        };
        access?.require_bearer()
    }

    /// As [`verify_cached`](Self::verify_cached); `None` if [`verify`](Self::verify) would wait for
    /// a fetch. For callers for whom a future costs more than the verification.
    pub fn try_verify(&self, token: &str) -> Option<Result<VerifiedAccess>> {
        let access = match self.issuer_of(token) {
            Err(error) => Err(error),
            Ok(Issuer { verifier: IssuerVerifier::Fixed(verifier), .. }) => {
                verifier.verify_bound(token)
            }
            Ok(Issuer { verifier: IssuerVerifier::Remote(keys), .. }) => keys.try_verify(token)?,
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
        match &self.issuer_of(token)?.verifier {
            IssuerVerifier::Fixed(verifier) => verifier.verify_bound(token),
            IssuerVerifier::Remote(keys) => keys.verify(token).await,
        }
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
        for issuer in &self.0.issuers {
            if let IssuerVerifier::Remote(keys) = &issuer.verifier {
                keys.ready().await?;
            }
        }
        Ok(())
    }

    /// The issuer that the token's unverified `iss` names.
    fn issuer_of(&self, token: &str) -> Result<&Issuer> {
        // With one issuer its policy checks `iss`.
        if let [only] = &*self.0.issuers {
            return Ok(only);
        }
        let max_token_bytes = self
            .0
            .issuers
            .iter()
            .map(|issuer| issuer.policy.max_token_bytes())
            .max()
            .unwrap_or_default();
        let compact = Compact::split(token, max_token_bytes)?;
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
        let is_named = |issuer: &&Issuer| issuer.policy.issuers().iter().any(|name| *name == iss);
        let by_name = self.0.issuers.iter().find(is_named);
        let matches = |issuer: &&Issuer| issuer.policy.accepts_issuer(&iss);
        by_name.or_else(|| self.0.issuers.iter().find(matches)).ok_or(Error::IssuerMismatch)
    }
}

/// Builds a [`JwksVerifier`].
#[derive(Debug, Default)]
pub struct JwksVerifierBuilder {
    issuers: Vec<TrustedIssuer>,
    schedule: JwksSchedule,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    proofs: Option<(ProofPolicy, Vec<String>)>,
}

impl JwksVerifierBuilder {
    /// Adds an issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
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
    /// [`Error::ConfigInvalid`] for `issuers` if there are none, if two have the same name, or if
    /// keys must be fetched and there is no transport; and for `dpop.origin`.
    pub fn build(self) -> Result<JwksVerifier> {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let invalid = |problem: String| Err(Error::config("issuers", problem));
        let mut issuers: Vec<Issuer> = Vec::with_capacity(self.issuers.len());
        for TrustedIssuer { policy, keys } in self.issuers {
            let is_taken = |name| issuers.iter().any(|other| other.policy.issuers().contains(name));
            if policy.issuers().iter().any(is_taken) {
                return invalid("two have the same `iss`".to_owned());
            }
            let own_policy = policy.clone();
            let clock = Arc::clone(&clock);
            let verifier = match (keys, &self.transport) {
                (KeySource::Fixed(keyring), _) => {
                    let verifier = AccessVerifier::new(keyring, policy, clock)?;
                    IssuerVerifier::Fixed(Box::new(verifier))
                }
                (KeySource::JwkSet { url, rsa }, Some(transport)) => {
                    let transport = Arc::clone(transport);
                    let keys = RemoteKeys::new((url, rsa), policy, self.schedule, transport, clock);
                    IssuerVerifier::Remote(keys)
                }
                (KeySource::JwkSet { .. }, None) => {
                    return invalid("fetching keys requires a transport".to_owned());
                }
            };
            issuers.push(Issuer { policy: own_policy, verifier });
        }
        if issuers.is_empty() {
            return invalid("must not be empty".to_owned());
        }
        let proofs = self
            .proofs
            .map(|(policy, origins)| ProofVerifier::new(policy, None, clock).with_origins(origins));
        let proofs = proofs.transpose()?;
        Ok(JwksVerifier(Arc::new(Inner { issuers, proofs })))
    }
}
