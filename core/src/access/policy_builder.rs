//! Sets the rules for access tokens and refuses those that cannot work together.

use std::time::Duration;

use super::claims::REGISTERED;
use super::policy::{AccessPolicy, LegacyTokens};
use crate::error::{Error, Result};

const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);
const MAX_TTL: Duration = Duration::from_secs(366 * 24 * 3600);
const MAX_CACHE: usize = 1 << 20;
/// The presence of required claims is kept in the bits of a `u64`.
const MAX_REQUIRED: usize = 64;

/// Collects the rules; [`build`](Self::build) checks them together.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicyBuilder(AccessPolicy);

impl AccessPolicyBuilder {
    /// How long an issued token lives: whole seconds, 1 s to 366 days. 15 minutes by default.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = ttl;
        self
    }

    /// One more accepted `iss` (RFC 7519 §4.1.1). Issued tokens carry the first.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.0.issuers.push(issuer.into());
        self
    }

    /// One more name by which this service is addressed in `aud` (RFC 7519 §4.1.3). Issued
    /// tokens carry all of them; a verified token must carry one.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.0.audiences.push(audience.into());
        self
    }

    /// How far clocks may differ, at most 5 minutes. None by default.
    #[must_use]
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.0.leeway = leeway;
        self
    }

    /// Refuses tokens this long after their `iat`, which they then must have.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.0.max_age = Some(max_age);
        self
    }

    /// One more claim that a token must have, with a value that is not null.
    #[must_use]
    pub fn required_claim(mut self, name: impl Into<String>) -> Self {
        self.0.required_claims.push(name.into());
        self
    }

    /// The app's own name for the user's id, such as `userId`. Issued tokens carry it beside
    /// `sub`; a verified token is read by this name, and by `sub` where it lacks it.
    #[must_use]
    pub fn subject_claim(mut self, name: impl Into<String>) -> Self {
        self.0.subject_claim = name.into();
        self
    }

    /// The longest token, 256 bytes to 64 KiB. 8 KiB by default.
    #[must_use]
    pub const fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.0.max_token_bytes = bytes;
        self
    }

    /// Whether issued tokens have a random `jti` (RFC 7519 §4.1.7). Off by default: `sid`, `gen`
    /// and `brn` name a token of a session well enough.
    #[must_use]
    pub const fn jti(mut self, on: bool) -> Self {
        self.0.jti = on;
        self
    }

    /// Accepts tokens without `typ`, or with `JWT`, as an app from before wrote them. Off by
    /// default.
    #[must_use]
    pub const fn accept_legacy(mut self, legacy: LegacyTokens) -> Self {
        self.0.legacy = Some(legacy);
        self
    }

    /// How many verified tokens a verifier keeps, at most 1,048,576; none by default. A token that
    /// is kept is known by its whole text, and its times are checked each time. A place takes about
    /// 40 bytes while it is empty, and the text of a token twice with its claims while it is not;
    /// tokens of more than 1 KiB are not kept.
    #[must_use]
    pub const fn cache(mut self, tokens: usize) -> Self {
        self.0.cache = tokens;
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] whose field is `access.ttl`, `access.leeway`, `access.maxAge`,
    /// `access.issuer`, `access.audience`, `access.subjectClaim`, `access.requiredClaims`,
    /// `access.maxTokenBytes`, `access.cache` or `access.legacy.maxLifetime`.
    pub fn build(self) -> Result<AccessPolicy> {
        let policy = self.0;
        check_times(&policy)?;
        check_names(&policy)?;
        check(
            (256..=64 * 1024).contains(&policy.max_token_bytes),
            "access.maxTokenBytes",
            "expected 256 to 65536 bytes",
        )?;
        check(policy.cache <= MAX_CACHE, "access.cache", "expected at most 1048576 tokens")?;
        Ok(policy)
    }
}

fn check_times(policy: &AccessPolicy) -> Result<()> {
    check(
        policy.ttl.subsec_nanos() == 0 && !policy.ttl.is_zero() && policy.ttl <= MAX_TTL,
        "access.ttl",
        "expected whole seconds, from 1 second to 366 days",
    )?;
    check(policy.leeway <= MAX_LEEWAY, "access.leeway", "expected at most 5 minutes")?;
    check(policy.leeway < policy.ttl, "access.leeway", "must be shorter than access.ttl")?;
    check(policy.max_age != Some(Duration::ZERO), "access.maxAge", "must not be zero")?;
    let lifetime = policy.legacy.map(|legacy| legacy.max_lifetime);
    check(lifetime != Some(Duration::ZERO), "access.legacy.maxLifetime", "must not be zero")?;
    check(
        lifetime.is_none_or(|lifetime| lifetime <= MAX_TTL),
        "access.legacy.maxLifetime",
        "expected at most 366 days",
    )
}

fn check_names(policy: &AccessPolicy) -> Result<()> {
    let full = |names: &[String]| names.iter().all(|name| !name.is_empty());
    check(full(&policy.issuers), "access.issuer", "must not be empty text")?;
    check(full(&policy.audiences), "access.audience", "must not be empty text")?;
    check(full(&policy.required_claims), "access.requiredClaims", "must not name an empty claim")?;
    check(
        policy.required_claims.len() <= MAX_REQUIRED,
        "access.requiredClaims",
        "expected at most 64 names",
    )?;
    let name = policy.subject_claim.as_str();
    check(!name.is_empty(), "access.subjectClaim", "must not be empty text")?;
    check(
        name == AccessPolicy::DEFAULT_SUBJECT_CLAIM || !REGISTERED.contains(&name),
        "access.subjectClaim",
        "is a claim with another meaning",
    )
}

fn check(holds: bool, field: &str, problem: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(field, problem)) }
}
