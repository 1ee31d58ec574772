//! An issuer: its policy and its keys, as they are configured and ready to verify.

use std::sync::Arc;

use super::remote::{JwksUri, RemoteKeys, TARGET};
use super::schedule::JwksSchedule;
use crate::access::{AccessPolicy, AccessVerifier, VerifiedAccess};
use crate::error::{Error, Result};
use crate::keys::{Algorithm, JwkSet, Keyring};
use crate::transport::Transport;
use crate::types::Clock;

/// An issuer whose tokens are accepted: the policy for its tokens, and the source of its keys.
#[derive(Debug)]
pub struct TrustedIssuer {
    pub(super) policy: AccessPolicy,
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

/// An issuer, ready to verify.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) policy: AccessPolicy,
    /// Where its keys are from, if they are fetched.
    url: Option<(JwksUri, Algorithm)>,
    verifier: IssuerVerifier,
}

#[derive(Debug)]
enum IssuerVerifier {
    Fixed(Box<AccessVerifier>),
    Remote(Arc<RemoteKeys>),
}

impl Issuer {
    /// Whether it fetches the keys of `issuer` and accepts the same tokens. Configured keys cannot be
    /// compared, and cost nothing to replace.
    pub(super) fn is_made_from(&self, issuer: &TrustedIssuer) -> bool {
        let url = match &issuer.keys {
            KeySource::JwkSet { url, rsa } => Some((url, rsa)),
            KeySource::Fixed(_) => None,
        };
        let own = self.url.as_ref().map(|(url, rsa)| (url, rsa));
        own.is_some() && own == url && self.policy == issuer.policy
    }

    /// Waits for a fetch where that may change the result.
    pub(super) async fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        match &self.verifier {
            IssuerVerifier::Fixed(verifier) => verifier.verify_bound(token),
            IssuerVerifier::Remote(keys) => keys.verify(token).await,
        }
    }

    pub(super) fn verify_cached(&self, token: &str) -> Result<VerifiedAccess> {
        match &self.verifier {
            IssuerVerifier::Fixed(verifier) => verifier.verify_bound(token),
            IssuerVerifier::Remote(keys) => keys.verify_cached(token),
        }
    }

    /// `None` if [`verify`](Self::verify) would wait.
    pub(super) fn try_verify(&self, token: &str) -> Option<Result<VerifiedAccess>> {
        match &self.verifier {
            IssuerVerifier::Fixed(verifier) => Some(verifier.verify_bound(token)),
            IssuerVerifier::Remote(keys) => keys.try_verify(token),
        }
    }

    /// Fetches the keys if they are not cached.
    pub(super) async fn ready(&self) -> Result<()> {
        match &self.verifier {
            IssuerVerifier::Fixed(_) => Ok(()),
            IssuerVerifier::Remote(keys) => keys.ready().await,
        }
    }
}

/// What issuers have in common.
#[derive(Debug)]
pub(super) struct IssuerFactory {
    pub(super) schedule: JwksSchedule,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl IssuerFactory {
    /// # Errors
    /// [`Error::ConfigInvalid`] for `issuers` if keys must be fetched and there is no transport.
    pub(super) fn issuer(&self, issuer: TrustedIssuer) -> Result<Issuer> {
        let TrustedIssuer { policy, keys } = issuer;
        let (own_policy, clock) = (policy.clone(), Arc::clone(&self.clock));
        let (url, verifier) = match (keys, &self.transport) {
            (KeySource::Fixed(keyring), _) => {
                let verifier = AccessVerifier::new(keyring, policy, clock)?;
                (None, IssuerVerifier::Fixed(Box::new(verifier)))
            }
            (KeySource::JwkSet { url, rsa }, Some(transport)) => {
                let (source, transport) = ((url.clone(), rsa), Arc::clone(transport));
                let keys = RemoteKeys::new(source, policy, self.schedule, transport, clock);
                (Some((url, rsa)), IssuerVerifier::Remote(keys))
            }
            (KeySource::JwkSet { .. }, None) => {
                return Err(Error::config("issuers", "fetching keys requires a transport"));
            }
        };
        Ok(Issuer { policy: own_policy, url, verifier })
    }
}
