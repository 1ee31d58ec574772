//! `access`.

use std::time::Duration;

use serde::Deserialize;

use super::sessions::some_span;
use crate::access::{AccessPolicy, LegacyTokens};
use crate::error::Result;

/// What access tokens say and must say; see [`AccessPolicy`] for the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessConfig {
    /// How long a token lives.
    #[serde(deserialize_with = "some_span")]
    pub ttl: Option<Duration>,
    /// Accepted issuers; the first is issued.
    pub issuer: Option<OneOrMany>,
    /// Audiences, all of them issued and one of them required.
    pub audience: Option<OneOrMany>,
    /// How far clocks may differ.
    #[serde(deserialize_with = "some_span")]
    pub leeway: Option<Duration>,
    /// Refuses tokens this long after their `iat`.
    #[serde(deserialize_with = "some_span")]
    pub max_age: Option<Duration>,
    /// The app's own name for the user's id.
    pub subject_claim: Option<String>,
    /// Claims that a token must have.
    #[serde(default)]
    pub required_claims: Vec<String>,
    /// The longest token, in bytes.
    pub max_token_bytes: Option<usize>,
    /// How many verified tokens are kept; 0 for none. 4096 by default.
    pub cache: Option<usize>,
    /// Whether issued tokens have a random `jti`.
    #[serde(default)]
    pub jti: bool,
    /// Whether, and which, tokens of an app from before are accepted.
    pub legacy: Option<LegacyConfig>,
}

/// Tokens in use within their lifetime by the users of one process of an app, mostly; 3 MB of them.
const CACHE: usize = 4096;

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected text or an array of texts")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn each(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// Whether, and which, tokens of an app from before are accepted.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected true, false or { maxLifetime }")]
pub enum LegacyConfig {
    /// Yes, with the default bound, or no.
    Flag(bool),
    /// Yes, with this bound.
    Bound(LegacyBound),
}

/// The bound on tokens of an app from before.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LegacyBound {
    /// See [`LegacyTokens::max_lifetime`].
    #[serde(deserialize_with = "crate::types::span_seconds_or_text")]
    pub max_lifetime: Duration,
}

impl AccessConfig {
    pub(crate) fn policy(&self) -> Result<AccessPolicy> {
        let default = AccessPolicy::default();
        let mut policy = AccessPolicy::builder()
            .ttl(self.ttl.unwrap_or(default.ttl()))
            .leeway(self.leeway.unwrap_or(default.leeway()))
            .max_token_bytes(self.max_token_bytes.unwrap_or(default.max_token_bytes()))
            .cache(self.cache.unwrap_or(CACHE))
            .jti(self.jti);
        for issuer in self.issuer.iter().flat_map(OneOrMany::each) {
            policy = policy.issuer(issuer);
        }
        for audience in self.audience.iter().flat_map(OneOrMany::each) {
            policy = policy.audience(audience);
        }
        for claim in &self.required_claims {
            policy = policy.required_claim(claim);
        }
        if let Some(max_age) = self.max_age {
            policy = policy.max_age(max_age);
        }
        if let Some(name) = &self.subject_claim {
            policy = policy.subject_claim(name);
        }
        policy = match self.legacy {
            Some(LegacyConfig::Flag(true)) => policy.accept_legacy(LegacyTokens::default()),
            Some(LegacyConfig::Bound(LegacyBound { max_lifetime })) => {
                policy.accept_legacy(LegacyTokens { max_lifetime })
            }
            Some(LegacyConfig::Flag(false)) | None => policy,
        };
        policy.build()
    }
}
