//! An issuer whose tokens are accepted.

use super::address::JwksUri;
use crate::access::AccessPolicy;
use crate::error::{Error, Result};
use crate::keys::{Algorithm, Keyring};

/// An issuer whose tokens are accepted: what they must say, and where its keys come from.
#[derive(Debug)]
pub struct TrustedIssuer {
    pub(super) policy: AccessPolicy,
    pub(super) keys: Keys,
}

#[derive(Debug)]
pub(super) enum Keys {
    Fixed(Keyring),
    At { url: JwksUri, rsa: Algorithm },
}

impl TrustedIssuer {
    /// One whose keys are known. `policy` must name its `iss`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `issuer` when the policy names none.
    pub fn with_keys(policy: AccessPolicy, keys: Keyring) -> Result<Self> {
        Self::new(policy, Keys::Fixed(keys))
    }

    /// One that publishes its keys. `rsa`: the algorithm of those RSA keys that do not say theirs;
    /// [`Algorithm::RS256`] is what most issuers mean.
    ///
    /// # Errors
    /// As [`with_keys`](Self::with_keys); and for `rsaAlgorithm` when it is not for RSA.
    pub fn with_key_set(policy: AccessPolicy, url: JwksUri, rsa: Algorithm) -> Result<Self> {
        let name = rsa.as_str();
        if !(name.starts_with("RS") || name.starts_with("PS")) {
            return Err(Error::config("rsaAlgorithm", format!("{name} is not for RSA")));
        }
        Self::new(policy, Keys::At { url, rsa })
    }

    fn new(policy: AccessPolicy, keys: Keys) -> Result<Self> {
        if policy.issuers().is_empty() {
            return Err(Error::config("issuer", "is required: it says whose keys are used"));
        }
        Ok(Self { policy: policy.of_another_issuer(), keys })
    }
}
