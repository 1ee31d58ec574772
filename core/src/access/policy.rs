//! What an access token must say, and what one that is issued says.

use std::time::Duration;

use super::policy_builder::AccessPolicyBuilder;

/// The rules for access tokens. Made by [`AccessPolicy::builder`], which checks them together.
///
/// The default accepts what it issues: 15 minutes, no issuer, no audience, no leeway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    pub(super) ttl: Duration,
    pub(super) issuers: Vec<String>,
    pub(super) audiences: Vec<String>,
    pub(super) leeway: Duration,
    pub(super) max_age: Option<Duration>,
    pub(super) required_claims: Vec<String>,
    pub(super) subject_claim: String,
    pub(super) max_token_bytes: usize,
    pub(super) jti: bool,
    pub(super) legacy: Option<LegacyTokens>,
    pub(super) cache: usize,
    /// Whether the tokens are of another issuer, whose `sid`, `gen` and `brn` may be anything.
    pub(super) foreign: bool,
}

/// Which tokens of an app from before are accepted: those without `typ`, or with `JWT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyTokens {
    /// The longest that such a token may live: `exp - iat`, or `exp` less the present instant
    /// where it has no `iat`. 24 hours by default.
    ///
    /// Such an app signed its long-lived refresh tokens with the same key and nothing else tells
    /// them apart; so this is the bound that keeps them from passing for access tokens.
    pub max_lifetime: Duration,
}

impl Default for LegacyTokens {
    fn default() -> Self {
        Self { max_lifetime: Duration::from_secs(24 * 3600) }
    }
}

impl AccessPolicy {
    /// The name of the claim that names the user unless another is configured.
    pub const DEFAULT_SUBJECT_CLAIM: &'static str = "sub";

    /// Starts from the default.
    pub fn builder() -> AccessPolicyBuilder {
        AccessPolicyBuilder::default()
    }

    /// The same for the tokens of another issuer.
    #[cfg(feature = "server")]
    pub(crate) fn of_another_issuer(self) -> Self {
        Self { foreign: true, ..self }
    }

    /// How long a token lives that is issued: whole seconds.
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The accepted values of `iss`; the first is the one that is issued. Empty: not checked.
    pub fn issuers(&self) -> &[String] {
        &self.issuers
    }

    /// The values of `aud` that are issued, and one of which a token must name. Empty: a token
    /// must have no `aud`.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// How far the clocks of issuer and verifier may differ.
    pub const fn leeway(&self) -> Duration {
        self.leeway
    }

    /// How long after its `iat` a token is accepted at most, whatever its `exp`.
    pub const fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// The claims that a token must have, besides `exp` and the subject.
    pub fn required_claims(&self) -> &[String] {
        &self.required_claims
    }

    /// The claim that names the user: `sub`, or the app's own name for it.
    pub fn subject_claim(&self) -> &str {
        &self.subject_claim
    }

    /// The longest token, in bytes.
    pub const fn max_token_bytes(&self) -> usize {
        self.max_token_bytes
    }

    /// Whether issued tokens have a random `jti`.
    pub const fn jti(&self) -> bool {
        self.jti
    }

    /// Whether, and which, tokens of an app from before are accepted.
    pub const fn legacy(&self) -> Option<LegacyTokens> {
        self.legacy
    }

    /// How many verified tokens a verifier keeps, so as not to check their signatures again; 0:
    /// none.
    pub const fn cache(&self) -> usize {
        self.cache
    }

    /// How long a token that was issued by this policy, or a legacy one, can go on being accepted
    /// at most: what a list of revoked tokens has to be kept for.
    pub fn longest_acceptance(&self) -> Duration {
        let legacy = self.legacy.map_or(Duration::ZERO, |legacy| legacy.max_lifetime);
        self.ttl.max(legacy) + self.leeway
    }
}

impl Default for AccessPolicy {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15 * 60),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::ZERO,
            max_age: None,
            required_claims: Vec::new(),
            subject_claim: Self::DEFAULT_SUBJECT_CLAIM.to_owned(),
            max_token_bytes: 8 * 1024,
            jti: false,
            legacy: None,
            cache: 0,
            foreign: false,
        }
    }
}
