//! The rules for access tokens: what an issued token says and what an accepted one must say.

use std::time::Duration;

use super::claims::{self, Claims, REGISTERED, RawClaims, RegisteredClaim, SUB, Times};
use super::header::TokenType;
use crate::error::{Error, Result};
use crate::token::json::Item;
use crate::types::{Subject, Timestamp};

const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);
const MAX_TTL: Duration = Duration::from_secs(366 * 24 * 3600);
const MAX_CACHE: usize = 1 << 20;
/// [`RawClaims`] has one bit for each.
const MAX_WATCHED: usize = 64;

/// The rules for access tokens. Made by [`AccessPolicy::builder`], which checks them together.
///
/// The default accepts what it issues: 15 minutes, no issuer, no audience, no leeway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    pub(super) ttl: Duration,
    pub(super) issuers: Vec<String>,
    issuer_patterns: Vec<IssuerPattern>,
    pub(super) audiences: Vec<String>,
    leeway: Duration,
    max_age: Option<Duration>,
    required_claims: Vec<String>,
    pub(super) subject_claim: String,
    pub(super) numeric_subject: bool,
    pub(super) max_token_bytes: usize,
    pub(super) jti: bool,
    legacy: Option<LegacyTokens>,
    legacy_required_claims: Vec<String>,
    legacy_forbidden_claims: Vec<String>,
    /// The required claims, those of legacy tokens and the forbidden ones, in this order.
    watched_claims: Vec<String>,
    cache: usize,
}

/// Which tokens of a legacy app are accepted: those without `typ`, or with `JWT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyTokens {
    /// The longest accepted lifetime: `exp - iat`, or `exp` minus the current time without `iat`.
    /// 24 hours by default.
    ///
    /// A legacy app signs its long-lived refresh tokens with the same key, and nothing else tells
    /// them apart: this bound keeps them from passing as access tokens.
    pub max_lifetime: Duration,
}

impl Default for LegacyTokens {
    fn default() -> Self {
        Self { max_lifetime: Duration::from_secs(24 * 3600) }
    }
}

impl AccessPolicy {
    /// The longest token that a policy can accept, in bytes.
    pub(crate) const MAX_TOKEN_BYTES: usize = 64 * 1024;

    /// The name of the claim for the user unless another one is configured.
    pub const DEFAULT_SUBJECT_CLAIM: &'static str = SUB;

    /// Starts from the default.
    pub fn builder() -> AccessPolicyBuilder {
        AccessPolicyBuilder::default()
    }

    /// The lifetime of an issued token: whole seconds.
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The accepted values of `iss`; the first one is issued. Empty: not checked.
    pub fn issuers(&self) -> &[String] {
        &self.issuers
    }

    /// The values of `aud`: an issued token has all of them, and an accepted one at least one.
    /// Empty: a token must have no `aud`.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The accepted clock skew between issuer and verifier.
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

    /// The claim for the user: `sub`, or the app's own name for it.
    pub fn subject_claim(&self) -> &str {
        &self.subject_claim
    }

    /// Whether the subject claim of an issued token is a number where the subject is one.
    pub const fn numeric_subject(&self) -> bool {
        self.numeric_subject
    }

    /// The longest accepted token, in bytes.
    pub const fn max_token_bytes(&self) -> usize {
        self.max_token_bytes
    }

    /// Whether issued tokens have a random `jti`.
    pub const fn jti(&self) -> bool {
        self.jti
    }

    /// Which tokens of a legacy app are accepted, if any.
    pub const fn legacy(&self) -> Option<LegacyTokens> {
        self.legacy
    }

    /// The claims that a token of a legacy app must have, besides
    /// [`required_claims`](Self::required_claims).
    pub fn legacy_required_claims(&self) -> &[String] {
        &self.legacy_required_claims
    }

    /// The claims that a token of a legacy app must not have.
    pub fn legacy_forbidden_claims(&self) -> &[String] {
        &self.legacy_forbidden_claims
    }

    /// How many verified tokens a verifier caches, so that their signatures are not checked
    /// again. 0: none.
    pub const fn cache(&self) -> usize {
        self.cache
    }

    /// How long a token issued by this policy, or a legacy one, can be accepted at most: how long
    /// a revocation of it has to be remembered.
    pub fn longest_acceptance(&self) -> Duration {
        let legacy = self.legacy.map_or(Duration::ZERO, |legacy| legacy.max_lifetime);
        self.ttl.max(legacy) + self.leeway
    }

    /// Checks the claims in `payload`.
    ///
    /// Expiry comes last: [`Error::TokenExpired`] means that the token was good in every other way,
    /// so that no client is told to refresh because of a token that was never acceptable.
    pub(super) fn check(
        &self,
        payload: &str,
        token_type: TokenType,
        now: Timestamp,
    ) -> Result<Claims> {
        let raw = RawClaims::read(payload, &self.subject_claim, &self.watched_claims)?;
        let times = Times::read(&raw)?;
        if let (TokenType::Legacy, Some(legacy)) = (token_type, self.legacy)
            && times.lifetime(now) > legacy.max_lifetime
        {
            return Err(Error::claim_invalid("exp"));
        }
        self.check_issuer(raw.get(RegisteredClaim::Issuer))?;
        self.check_audience(raw.get(RegisteredClaim::Audience))?;
        let (subject, subject_offset) = self.subject(&raw, token_type, payload)?;
        let (session, family_position) = match token_type {
            TokenType::Access => raw.session(),
            // In a legacy token these three names are the app's own.
            TokenType::Legacy => (None, None),
        };
        let session_offset =
            session.and_then(|_| raw.get(RegisteredClaim::Session)?.offset_in(payload));
        let key = raw.key()?;
        raw.check_id()?;
        self.check_watched_claims(&raw, token_type)?;
        self.check_times(&times, now)?;
        Ok(Claims { subject, subject_offset, session, session_offset, family_position, key, times })
    }

    fn check_watched_claims(&self, raw: &RawClaims<'_>, token_type: TokenType) -> Result<()> {
        let required = self.required_claims.len();
        let forbidden_from = required + self.legacy_required_claims.len();
        for (index, name) in self.watched_claims.iter().enumerate() {
            if index >= required && token_type != TokenType::Legacy {
                break;
            }
            let is_present = raw.has_watched(index);
            if index < forbidden_from && !is_present {
                return Err(Error::claim_missing(name.clone()));
            }
            if index >= forbidden_from && is_present {
                return Err(Error::claim_invalid(name.clone()));
            }
        }
        Ok(())
    }

    /// Checks what changes with time: all that is left to check for a token that passed before.
    pub(super) fn check_times(&self, times: &Times, now: Timestamp) -> Result<()> {
        if times.nbf.is_some_and(|nbf| now.plus(self.leeway) < nbf) {
            return Err(Error::TokenNotYetValid);
        }
        if let Some(max_age) = self.max_age {
            let iat = times.iat.ok_or_else(|| Error::claim_missing("iat"))?;
            if now >= iat.plus(max_age).plus(self.leeway) {
                return Err(Error::TokenExpired);
            }
        }
        if now >= times.exp.plus(self.leeway) {
            return Err(Error::TokenExpired);
        }
        Ok(())
    }

    /// Whether tokens must have an `iss`.
    pub(crate) fn checks_issuer(&self) -> bool {
        !self.issuers.is_empty() || !self.issuer_patterns.is_empty()
    }

    /// Whether a configured issuer is `issuer`, or a pattern that it matches.
    pub(crate) fn accepts_issuer(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| *known == issuer)
            || self.issuer_patterns.iter().any(|pattern| pattern.matches(issuer))
    }

    fn check_issuer(&self, item: Option<Item<'_>>) -> Result<()> {
        let accepted = match item {
            None => !self.checks_issuer(),
            Some(item) => {
                let issuer = claims::text(item, "iss")?;
                !self.checks_issuer() || self.accepts_issuer(&issuer)
            }
        };
        if accepted { Ok(()) } else { Err(Error::IssuerMismatch) }
    }

    /// RFC 7519 §4.1.3: a verifier that is not among the audiences of a token must reject it. A
    /// verifier without a configured name is in no audience.
    fn check_audience(&self, item: Option<Item<'_>>) -> Result<()> {
        let is_ours = |name: &str| self.audiences.iter().any(|known| known == name);
        let accepted = match item {
            None => self.audiences.is_empty(),
            Some(item) => match item.elements() {
                None => is_ours(&claims::text(item, "aud")?),
                Some(names) => {
                    let names = names.into_iter().map(|name| claims::text(name, "aud"));
                    names.collect::<Result<Vec<_>>>()?.iter().any(|name| is_ours(name))
                }
            },
        };
        if accepted { Ok(()) } else { Err(Error::AudienceMismatch) }
    }

    /// The subject, and where the payload has it.
    fn subject(
        &self,
        raw: &RawClaims<'_>,
        token_type: TokenType,
        payload: &str,
    ) -> Result<(Subject, Option<usize>)> {
        if let Some(item) = raw.get(RegisteredClaim::ConfiguredSubject) {
            return Ok((claims::subject(item, &self.subject_claim)?, item.offset_in(payload)));
        }
        let Some(item) = raw.get(RegisteredClaim::Subject) else {
            return Err(Error::claim_missing(self.subject_claim.clone()));
        };
        // RFC 7519 §4.1.2 allows only text. Legacy apps write the ids of rows all the same.
        if token_type == TokenType::Access && item.text().is_none() {
            return Err(Error::claim_invalid(SUB));
        }
        Ok((claims::subject(item, SUB)?, item.offset_in(payload)))
    }
}

/// An issuer's URL with a variable segment in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct IssuerPattern {
    before: String,
    after: String,
}

impl IssuerPattern {
    fn parse(pattern: &str) -> Result<Self> {
        let invalid = || {
            let expected =
                "expected one `*`, as a segment of the path of a URL: https://login.example/*/v2.0";
            Error::config("issuer", expected)
        };
        let (before, after) = pattern.split_once('*').ok_or_else(invalid)?;
        let authority = before.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
        // A host is never variable: anybody may own the ones that match.
        let is_in_path = authority.split_once('/').is_some_and(|(host, _)| !host.is_empty());
        let is_segment = before.ends_with('/') && (after.is_empty() || after.starts_with('/'));
        if !is_in_path || !is_segment || after.contains('*') {
            return Err(invalid());
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    fn matches(&self, issuer: &str) -> bool {
        let segment = issuer
            .strip_prefix(self.before.as_str())
            .and_then(|rest| rest.strip_suffix(self.after.as_str()));
        segment.is_some_and(|segment| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            !segment.is_empty()
                && segment.bytes().all(is_plain)
                && segment.bytes().any(|byte| byte != b'.')
        })
    }
}

impl Default for AccessPolicy {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15 * 60),
            issuers: Vec::new(),
            issuer_patterns: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::ZERO,
            max_age: None,
            required_claims: Vec::new(),
            subject_claim: Self::DEFAULT_SUBJECT_CLAIM.to_owned(),
            numeric_subject: false,
            max_token_bytes: 8 * 1024,
            jti: false,
            legacy: None,
            legacy_required_claims: Vec::new(),
            legacy_forbidden_claims: Vec::new(),
            watched_claims: Vec::new(),
            cache: 0,
        }
    }
}

/// Collects the rules; [`build`](Self::build) checks them together.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicyBuilder(AccessPolicy);

impl AccessPolicyBuilder {
    /// The lifetime of an issued token: whole seconds, 1 s to 366 days. 15 minutes by default.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = ttl;
        self
    }

    /// Adds an accepted `iss` (RFC 7519 §4.1.1). Issued tokens have the first one.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.0.issuers.push(issuer.into());
        self
    }

    /// Adds the issuers of all tenants of one service, which sign with the same keys: a URL in whose path
    /// `*` stands for one segment, such as `https://login.example/*/v2.0`. Which tenants may enter is for
    /// the app to check, by `iss` or a claim of the tenant.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `issuer` unless there is exactly one `*`, as a segment of the path.
    pub fn issuer_pattern(mut self, pattern: &str) -> Result<Self> {
        self.0.issuer_patterns.push(IssuerPattern::parse(pattern)?);
        Ok(self)
    }

    /// Adds a name of this service in `aud` (RFC 7519 §4.1.3). Issued tokens have all of them; an
    /// accepted token must have one.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.0.audiences.push(audience.into());
        self
    }

    /// The accepted clock skew, at most 5 minutes. None by default.
    #[must_use]
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.0.leeway = leeway;
        self
    }

    /// Rejects tokens this long after their `iat`, which they then must have.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.0.max_age = Some(max_age);
        self
    }

    /// Adds a claim that a token must have, with a value that is not null.
    #[must_use]
    pub fn required_claim(mut self, name: impl Into<String>) -> Self {
        self.0.required_claims.push(name.into());
        self
    }

    /// The app's own name for the user's id, such as `userId`. Issued tokens have it beside `sub`.
    /// In a verified token it goes before `sub`, which is read where it is absent.
    #[must_use]
    pub fn subject_claim(mut self, name: impl Into<String>) -> Self {
        self.0.subject_claim = name.into();
        self
    }

    /// Writes the [`subject_claim`](Self::subject_claim) as a JSON number where the subject is the
    /// canonical form of one ([`Subject::as_integer`]), for apps whose ids are numbers. `sub`
    /// remains text (RFC 7519 §4.1.2). Off by default.
    #[must_use]
    pub const fn numeric_subject(mut self, on: bool) -> Self {
        self.0.numeric_subject = on;
        self
    }

    /// The longest accepted token, 256 bytes to 64 KiB. 8 KiB by default.
    #[must_use]
    pub const fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.0.max_token_bytes = bytes;
        self
    }

    /// Whether issued tokens have a random `jti` (RFC 7519 §4.1.7). Off by default: `sid`, `gen`
    /// and `brn` already identify a token of a session.
    #[must_use]
    pub const fn jti(mut self, on: bool) -> Self {
        self.0.jti = on;
        self
    }

    /// Accepts tokens without `typ`, or with `JWT`, as a legacy app issued them. Off by default.
    #[must_use]
    pub const fn accept_legacy(mut self, legacy: LegacyTokens) -> Self {
        self.0.legacy = Some(legacy);
        self
    }

    /// Adds a claim that a token of a legacy app must have, with a value that is not null.
    #[must_use]
    pub fn legacy_required_claim(mut self, name: impl Into<String>) -> Self {
        self.0.legacy_required_claims.push(name.into());
        self
    }

    /// Adds a claim that a token of a legacy app must not have, except as null: one that marks
    /// what the app signed with the same key for another purpose, such as a password reset.
    #[must_use]
    pub fn legacy_forbidden_claim(mut self, name: impl Into<String>) -> Self {
        self.0.legacy_forbidden_claims.push(name.into());
        self
    }

    /// How many verified tokens a verifier caches, at most 1,048,576. None by default.
    ///
    /// The key is the whole token; expiry is checked with each use. An empty slot takes about 40
    /// bytes, a used one also the token and its claims. Tokens of more than 1 KiB are not cached.
    #[must_use]
    pub const fn cache(mut self, tokens: usize) -> Self {
        self.0.cache = tokens;
        self
    }

    /// Checks the rules together.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the field `access.ttl`, `access.leeway`, `access.maxAge`,
    /// `access.issuer`, `access.audience`, `access.subjectClaim`, `access.requiredClaims`,
    /// `access.numericSubject`, `access.maxTokenBytes`, `access.cache`,
    /// `access.legacy.maxLifetime`, `access.legacy.requiredClaims` or
    /// `access.legacy.forbiddenClaims`.
    pub fn build(self) -> Result<AccessPolicy> {
        let mut policy = self.0;
        policy.watched_claims = [
            &policy.required_claims[..],
            &policy.legacy_required_claims,
            &policy.legacy_forbidden_claims,
        ]
        .concat();
        validate_times(&policy)?;
        validate_names(&policy)?;
        ensure(
            (256..=AccessPolicy::MAX_TOKEN_BYTES).contains(&policy.max_token_bytes),
            "access.maxTokenBytes",
            "expected 256 to 65536 bytes",
        )?;
        ensure(policy.cache <= MAX_CACHE, "access.cache", "expected at most 1048576 tokens")?;
        Ok(policy)
    }
}

fn validate_times(policy: &AccessPolicy) -> Result<()> {
    ensure(
        policy.ttl.subsec_nanos() == 0 && !policy.ttl.is_zero() && policy.ttl <= MAX_TTL,
        "access.ttl",
        "expected whole seconds, from 1 second to 366 days (900 or \"15m\" is 15 minutes)",
    )?;
    ensure(
        policy.leeway <= MAX_LEEWAY,
        "access.leeway",
        "expected at most 5 minutes (300 seconds)",
    )?;
    ensure(policy.leeway < policy.ttl, "access.leeway", "must be shorter than access.ttl")?;
    ensure(policy.max_age != Some(Duration::ZERO), "access.maxAge", "must not be zero")?;
    let lifetime = policy.legacy.map(|legacy| legacy.max_lifetime);
    ensure(lifetime != Some(Duration::ZERO), "access.legacy.maxLifetime", "must not be zero")?;
    ensure(
        lifetime.is_none_or(|lifetime| lifetime <= MAX_TTL),
        "access.legacy.maxLifetime",
        "expected at most 366 days",
    )
}

fn validate_names(policy: &AccessPolicy) -> Result<()> {
    let full = |names: &[String]| names.iter().all(|name| !name.is_empty());
    ensure(full(&policy.issuers), "access.issuer", "must not be empty text")?;
    ensure(full(&policy.audiences), "access.audience", "must not be empty text")?;
    ensure(full(&policy.required_claims), "access.requiredClaims", "must not name an empty claim")?;
    ensure(
        full(&policy.legacy_required_claims),
        "access.legacy.requiredClaims",
        "must not name an empty claim",
    )?;
    ensure(
        full(&policy.legacy_forbidden_claims),
        "access.legacy.forbiddenClaims",
        "must not name an empty claim",
    )?;
    ensure(
        policy.watched_claims.len() <= MAX_WATCHED,
        "access.requiredClaims",
        "expected at most 64 names, with those of access.legacy",
    )?;
    ensure(
        !policy.numeric_subject || policy.subject_claim != SUB,
        "access.numericSubject",
        "needs access.subjectClaim: sub is always text",
    )?;
    let name = policy.subject_claim.as_str();
    ensure(!name.is_empty(), "access.subjectClaim", "must not be empty text")?;
    ensure(
        name == SUB || !REGISTERED.contains(&name),
        "access.subjectClaim",
        "is a claim with another meaning",
    )
}

fn ensure(holds: bool, field: &str, problem: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(field, problem)) }
}
