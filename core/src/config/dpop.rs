//! `dpop`.

use std::time::Duration;

use serde::Deserialize;

use super::access::OneOrMany;
use super::sessions::some_span;
use crate::auth::DpopPolicy;
use crate::dpop::{ProofPolicy, check_origins};
use crate::error::{Error, Result};

/// Sessions that are bound to a key of the client (DPoP, RFC 9449). With this object proofs are
/// checked where they come; see [`ProofPolicy`] for the defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DpopConfig {
    /// The origin by which clients reach this server, such as `https://api.example`, or several: a
    /// proof names the whole address of its request, and what a request says of its host proves
    /// nothing.
    pub origin: OneOrMany,
    /// Whether the access tokens of bound sessions are bound too, so that each request needs a
    /// proof; default true. Otherwise only refreshes do.
    #[serde(default)]
    pub access: Option<bool>,
    /// Whether a login needs a proof; default false. Sessions that are there already go on.
    #[serde(default)]
    pub required: bool,
    /// How long after its `iat` a proof may arrive; at most 10 minutes.
    #[serde(default, deserialize_with = "some_span")]
    pub max_age: Option<Duration>,
    /// How far `iat` may be ahead; at most 5 minutes.
    #[serde(default, deserialize_with = "some_span")]
    pub leeway: Option<Duration>,
    /// Asks for a nonce of the server in each proof, a new one as often as this says. Default: no.
    #[serde(default, deserialize_with = "some_span")]
    pub nonce: Option<Duration>,
    /// How many used proofs are remembered.
    #[serde(default)]
    pub capacity: Option<usize>,
}

/// The longest that proofs may live: for so long used ones are remembered.
const LONGEST: Duration = Duration::from_secs(600);

impl DpopConfig {
    /// See [`DpopConfig::access`].
    pub(crate) fn binds_access(&self) -> bool {
        self.access.unwrap_or(true)
    }

    /// How sessions are bound, checked.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub(crate) fn server_policy(&self) -> Result<DpopPolicy> {
        let mut policy = DpopPolicy::new(self.origin.each().to_vec());
        policy.proofs = self.policy()?;
        policy.nonce_lifetime = self.nonce;
        policy.bind_access_tokens = self.binds_access();
        policy.required = self.required;
        Ok(policy)
    }

    /// The policy, checked.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub(crate) fn policy(&self) -> Result<ProofPolicy> {
        if let Some(nonce) = self.nonce {
            within("dpop.nonce", nonce, Duration::from_secs(1), LONGEST)?;
        }
        let Self { origin, max_age, leeway, capacity, .. } = self;
        policy(origin, *max_age, *leeway, *capacity)
    }
}

/// How a service that verifies the tokens of others accepts those that are bound to a key of the
/// client; the fields are those of [`DpopConfig`].
#[cfg(feature = "server")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProofConfig {
    /// See [`DpopConfig::origin`].
    pub origin: OneOrMany,
    /// See [`DpopConfig::max_age`].
    #[serde(default, deserialize_with = "some_span")]
    pub max_age: Option<Duration>,
    /// See [`DpopConfig::leeway`].
    #[serde(default, deserialize_with = "some_span")]
    pub leeway: Option<Duration>,
    /// See [`DpopConfig::capacity`].
    #[serde(default)]
    pub capacity: Option<usize>,
}

#[cfg(feature = "server")]
impl ProofConfig {
    /// The policy, checked.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub(crate) fn policy(&self) -> Result<ProofPolicy> {
        policy(&self.origin, self.max_age, self.leeway, self.capacity)
    }
}

fn policy(
    origin: &OneOrMany,
    max_age: Option<Duration>,
    leeway: Option<Duration>,
    capacity: Option<usize>,
) -> Result<ProofPolicy> {
    let default = ProofPolicy::default();
    let policy = ProofPolicy {
        max_age: max_age.unwrap_or(default.max_age),
        leeway: leeway.unwrap_or(default.leeway),
        capacity: capacity.unwrap_or(default.capacity),
    };
    within("dpop.maxAge", policy.max_age, Duration::from_secs(1), LONGEST)?;
    within("dpop.leeway", policy.leeway, Duration::ZERO, LONGEST / 2)?;
    if policy.capacity == 0 {
        return Err(Error::config("dpop.capacity", "must be 1 or more"));
    }
    check_origins(origin.each())?;
    Ok(policy)
}

fn within(field: &str, span: Duration, least: Duration, most: Duration) -> Result<()> {
    if (least..=most).contains(&span) {
        return Ok(());
    }
    let (least, most) = (least.as_secs(), most.as_secs());
    Err(Error::config(field, format!("must be from {least} to {most} seconds")))
}
