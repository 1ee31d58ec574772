//! Verifies the tokens of several issuers.

use std::sync::Arc;

use super::issuer::{Keys, TrustedIssuer};
use super::remote::RemoteKeys;
use super::schedule::JwksSchedule;
use crate::access::{AccessVerifier, VerifiedAccess};
use crate::client::Transport;
use crate::dpop::{ProofPolicy, ProofVerifier, VerifiedProof};
use crate::error::{Error, Result};
use crate::token::base64url;
use crate::token::compact::Compact;
use crate::token::json;
use crate::types::{Clock, SystemClock};

/// Verifies the access tokens of several issuers, each by its own keys and rules. A clone shares
/// everything.
///
/// The `iss` of a token, which nobody has verified at that point, selects among the configured
/// issuers; the token must then be good by the rules and the keys of that one.
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use regrant::access::AccessPolicy;
/// use regrant::jwks::{JwksUri, TrustedIssuer, JwksVerifier};
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
/// assert!(verifier.verify("no.token.at all").is_err());
/// # }
/// # Ok::<(), regrant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwksVerifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trusted: Vec<Trusted>,
    proofs: Option<ProofVerifier>,
}

#[derive(Debug)]
struct Trusted {
    names: Vec<String>,
    max_token_bytes: usize,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Fixed(Box<AccessVerifier>),
    Remote(Arc<RemoteKeys>),
}

impl JwksVerifier {
    /// Starts without issuers.
    pub fn builder() -> JwksVerifierBuilder {
        JwksVerifierBuilder::default()
    }

    /// Checks `token` by the keys at hand: no I/O. Keys that are missing are fetched meanwhile.
    ///
    /// # Errors
    /// Those of [`AccessVerifier::verify`], which refuses tokens that are bound to a key;
    /// [`Error::IssuerMismatch`] for an `iss` that is not
    /// configured; [`Error::KeysUnavailable`], with the advice to try again, while the issuer's
    /// keys were never fetched or are too old.
    pub fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        let access = match &self.trusted(token)?.source {
            Source::Fixed(verifier) => verifier.verify_bound(token),
            Source::Remote(keys) => keys.verify_bound(token),
        };
        access?.unless_bound()
    }

    /// As [`verify`](Self::verify); `None` where waiting may change the answer, as keys are being
    /// fetched: [`verify_or_fetch`](Self::verify_or_fetch) does. For callers to whom a future
    /// costs more than the verification.
    pub fn try_verify(&self, token: &str) -> Option<Result<VerifiedAccess>> {
        let access = match self.trusted(token) {
            Err(error) => Err(error),
            Ok(Trusted { source: Source::Fixed(verifier), .. }) => verifier.verify_bound(token),
            Ok(Trusted { source: Source::Remote(keys), .. }) => {
                keys.verify_bound_if_ready(token)?
            }
        };
        Some(access.and_then(VerifiedAccess::unless_bound))
    }

    /// As [`verify`](Self::verify), but waits for keys that are missing, and for those that the
    /// issuer may have added where the token's `kid` is unknown. Dropping the future stops no
    /// fetch that others wait for. Needs a Tokio runtime.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_or_fetch(&self, token: &str) -> Result<VerifiedAccess> {
        self.verify_bound_or_fetch(token).await?.unless_bound()
    }

    /// As [`verify_or_fetch`](Self::verify_or_fetch), and that the token is bound to the key that
    /// `proof` is by (DPoP, RFC 9449 §7.1).
    ///
    /// # Errors
    /// As [`verify`](Self::verify); then [`Error::DpopProofInvalid`] for a proof by another key or
    /// for another access token, and for a token that is bound to none; and
    /// [`Error::DpopProofReplayed`].
    pub async fn verify_with_proof(
        &self,
        token: &str,
        proof: &VerifiedProof,
    ) -> Result<VerifiedAccess> {
        let access = self.verify_bound_or_fetch(token).await?;
        self.proofs()?.consume_for_access(proof, &access, token)?;
        Ok(access)
    }

    async fn verify_bound_or_fetch(&self, token: &str) -> Result<VerifiedAccess> {
        match &self.trusted(token)?.source {
            Source::Fixed(verifier) => verifier.verify_bound(token),
            Source::Remote(keys) => keys.verify_bound_or_fetch(token).await,
        }
    }

    /// Checks the proof that came with a request of `method` to `path`: the value of its header
    /// `DPoP`. [`verify_with_proof`](Self::verify_with_proof) uses it up.
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`]; [`Error::ConfigInvalid`] for `dpop` where nothing was said about
    /// proofs.
    pub fn check_proof(&self, proof: &str, method: &str, path: &str) -> Result<VerifiedProof> {
        self.proofs()?.verify_request(proof, method, path)
    }

    /// Whether tokens that are bound to keys are accepted here, with a proof.
    pub fn checks_proofs(&self) -> bool {
        self.0.proofs.is_some()
    }

    fn proofs(&self) -> Result<&ProofVerifier> {
        self.0.proofs.as_ref().ok_or_else(|| Error::config("dpop", "is not configured"))
    }

    /// Fetches the keys of all issuers that are not there yet: for a program that is to start with
    /// them, or not to start.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] for the first issuer whose keys there are none of.
    pub async fn ready(&self) -> Result<()> {
        for trusted in &self.0.trusted {
            if let Source::Remote(keys) = &trusted.source {
                keys.ready().await?;
            }
        }
        Ok(())
    }

    fn trusted(&self, token: &str) -> Result<&Trusted> {
        // The verifier checks the issuer anyway.
        if let [only] = &*self.0.trusted {
            return Ok(only);
        }
        let most =
            self.0.trusted.iter().map(|trusted| trusted.max_token_bytes).max().unwrap_or_default();
        let compact = Compact::split(token, most)?;
        let payload = base64url::decode_text(compact.payload)?;
        let mut issuer = None;
        json::read_object(&payload, |name, item| {
            if name == "iss" {
                issuer = Some(item);
            }
        })?;
        let issuer = issuer.ok_or(Error::IssuerMismatch)?;
        let issuer = issuer.text().ok_or_else(|| Error::claim_invalid("iss"))?;
        let is_named = |trusted: &&Trusted| trusted.names.iter().any(|name| *name == issuer);
        self.0.trusted.iter().find(is_named).ok_or(Error::IssuerMismatch)
    }
}

/// Collects issuers; [`build`](Self::build) checks them together.
#[derive(Debug, Default)]
pub struct JwksVerifierBuilder {
    issuers: Vec<TrustedIssuer>,
    schedule: JwksSchedule,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    proofs: Option<(ProofPolicy, Vec<String>)>,
}

impl JwksVerifierBuilder {
    /// One more issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// When key sets are fetched.
    #[must_use]
    pub const fn schedule(mut self, schedule: JwksSchedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// What fetches key sets. It should follow no redirects: the address is the one that is
    /// trusted.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Accepts tokens that are bound to keys of clients (DPoP, RFC 9449), with proofs by `policy`.
    /// Clients reach this service by these origins, such as `https://orders.example`.
    #[must_use]
    pub fn proofs(mut self, policy: ProofPolicy, origins: Vec<String>) -> Self {
        self.proofs = Some((policy, origins));
        self
    }

    /// The verifier. Built within a Tokio runtime it fetches on that; no I/O yet.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `issuers`: none, two of the same name, or one that publishes
    /// its keys where there is no transport; and for `dpop.origin`.
    pub fn build(self) -> Result<JwksVerifier> {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let refuse = |problem: String| Err(Error::config("issuers", problem));
        let mut trusted: Vec<Trusted> = Vec::with_capacity(self.issuers.len());
        for TrustedIssuer { policy, keys } in self.issuers {
            let names = policy.issuers().to_vec();
            if let Some(name) =
                names.iter().find(|name| trusted.iter().any(|one| one.names.contains(name)))
            {
                return refuse(format!("two have the name {name}"));
            }
            let max_token_bytes = policy.max_token_bytes();
            let clock = Arc::clone(&clock);
            let source = match (keys, &self.transport) {
                (Keys::Fixed(keyring), _) => {
                    Source::Fixed(Box::new(AccessVerifier::new(keyring, policy, clock)?))
                }
                (Keys::At { url, rsa }, Some(transport)) => {
                    let transport = Arc::clone(transport);
                    Source::Remote(RemoteKeys::new(
                        (url, rsa),
                        policy,
                        self.schedule,
                        transport,
                        clock,
                    ))
                }
                (Keys::At { .. }, None) => {
                    return refuse("there is nothing to fetch keys with".to_owned());
                }
            };
            trusted.push(Trusted { names, max_token_bytes, source });
        }
        if trusted.is_empty() {
            return refuse("there is none".to_owned());
        }
        let proofs = self
            .proofs
            .map(|(policy, origins)| ProofVerifier::new(policy, None, clock).with_origins(origins));
        let proofs = proofs.transpose()?;
        Ok(JwksVerifier(Arc::new(Inner { trusted, proofs })))
    }
}
