//! The policies that options resolve to. An option that is not given has the default of its policy.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::options::{
    AccessConfig, DpopConfig, LegacyOption, LimiterConfig, ProofConfig, RedisConfig, RefreshConfig,
    VerifierWebConfig, WebConfig,
};
use super::values::{Lifetime, OneOrMany, OrFalse, TokenCookie};
use crate::access::{AccessPolicy, LegacyTokens};
use crate::auth::DpopPolicy;
use crate::dpop::{ProofPolicy, check_origins};
use crate::error::{Error, Result};
use crate::http::{CookiePolicy, DEFAULT_ACCESS_COOKIE, DEFAULT_REFRESH_COOKIE, Origin, WebPolicy};
use crate::session::{FailureLimit, SessionPolicy};
use crate::store::{RedisCredentials, RedisOptions};

/// More than the users of one process of most apps have at a time; about 3 MB.
const DEFAULT_CACHE: usize = 4096;

/// The longest lifetime of a proof, because used proofs are remembered for so long.
const LONGEST_PROOF: Duration = Duration::from_secs(600);

impl AccessConfig {
    pub(super) fn policy(&self) -> Result<AccessPolicy> {
        let default = AccessPolicy::default();
        let cache =
            self.cache.map_or(DEFAULT_CACHE, |cache| cache.on().map_or(0, NonZeroUsize::get));
        let mut policy = AccessPolicy::builder()
            .ttl(self.ttl.map_or(default.ttl(), |ttl| ttl.0))
            .leeway(self.leeway.map_or(default.leeway(), |leeway| leeway.0))
            .max_token_bytes(self.max_token_bytes.unwrap_or(default.max_token_bytes()))
            .cache(cache)
            .numeric_subject(self.numeric_subject)
            .jti(self.jti);
        for issuer in self.issuer.iter().flat_map(OneOrMany::as_slice) {
            policy = policy.issuer(issuer);
        }
        for pattern in &self.issuer_patterns {
            policy = policy.issuer_pattern(pattern)?;
        }
        for audience in self.audience.iter().flat_map(OneOrMany::as_slice) {
            policy = policy.audience(audience);
        }
        for claim in &self.required_claims {
            policy = policy.required_claim(claim);
        }
        if let Some(Lifetime(max_age)) = self.max_age.and_then(OrFalse::on) {
            policy = policy.max_age(max_age);
        }
        if let Some(name) = &self.subject_claim {
            policy = policy.subject_claim(name);
        }
        let mut legacy = LegacyTokens::default();
        match &self.legacy {
            None | Some(LegacyOption::Flag(false)) => return policy.build(),
            Some(LegacyOption::Flag(true)) => {}
            Some(LegacyOption::Bound(bound)) => {
                if let Some(Lifetime(max_lifetime)) = bound.max_lifetime {
                    legacy.max_lifetime = max_lifetime;
                }
                for claim in &bound.required_claims {
                    policy = policy.legacy_required_claim(claim);
                }
                for claim in &bound.forbidden_claims {
                    policy = policy.legacy_forbidden_claim(claim);
                }
            }
        }
        policy.accept_legacy(legacy).build()
    }
}

impl RefreshConfig {
    pub(super) fn policy(&self) -> Result<SessionPolicy> {
        let mut policy = SessionPolicy::default();
        if let Some(Lifetime(idle_ttl)) = self.idle_ttl {
            policy.idle_ttl = idle_ttl;
        }
        policy.absolute_ttl =
            self.absolute_ttl.map_or(policy.absolute_ttl.max(policy.idle_ttl), |ttl| ttl.0);
        policy.grace = self.grace.map_or(policy.grace, |grace| grace.0);
        policy.unused_grace = self.unused_grace.map(|grace| grace.0);
        policy.rotation = self.rotation.unwrap_or(policy.rotation);
        policy.on_theft = self.on_theft.unwrap_or(policy.on_theft);
        policy.max_sessions = self.max_sessions.map_or(policy.max_sessions, OrFalse::on);
        policy.max_in_flight = self.max_in_flight.unwrap_or(policy.max_in_flight);
        policy.record_clients = self.record_clients.unwrap_or(policy.record_clients);
        if let Some(limiter) = self.limiter {
            policy.limiter = limiter.on().map(LimiterConfig::limit);
        }
        policy.check()?;
        Ok(policy)
    }
}

impl LimiterConfig {
    pub(super) fn limit(self) -> FailureLimit {
        let default = FailureLimit::default();
        FailureLimit {
            failures: self.failures.unwrap_or(default.failures),
            window: self.window.map_or(default.window, |window| window.0),
        }
    }
}

impl RedisConfig {
    pub(super) fn check_timeouts(&self) -> Result<()> {
        let timeouts =
            [("redis.timeout", self.timeout), ("redis.replicaTimeout", self.replica_timeout)];
        timeouts.into_iter().try_for_each(|(field, timeout)| match timeout {
            Some(Lifetime(timeout)) => check_timeout(field, timeout),
            None => Ok(()),
        })
    }

    pub(super) fn options(&self) -> RedisOptions {
        let mut options = RedisOptions::default();
        if let Some(prefix) = &self.prefix {
            options.prefix.clone_from(prefix);
        }
        if let Some(Lifetime(timeout)) = self.timeout {
            options.timeout = timeout;
        }
        options.tls.ca_file.clone_from(&self.ca_file);
        options.tls.server_name.clone_from(&self.server_name);
        options.tls.cert_file.clone_from(&self.cert_file);
        options.tls.key_file.clone_from(&self.key_file);
        options.sentinel = self.sentinel.as_ref().map(|sentinel| RedisCredentials {
            username: sentinel.username.clone(),
            password: sentinel.password.as_ref().map(|password| password.0.clone()),
        });
        options.replicas = self.replicas;
        if let Some(Lifetime(timeout)) = self.replica_timeout {
            options.replica_timeout = timeout;
        }
        options.eviction = self.eviction.unwrap_or_default();
        options
    }
}

impl DpopConfig {
    pub(super) fn policy(&self) -> Result<DpopPolicy> {
        let mut policy = DpopPolicy::new(self.origin.as_slice().to_vec());
        policy.nonce_lifetime = self.nonce.and_then(OrFalse::on).map(|nonce| nonce.0);
        if let Some(nonce) = policy.nonce_lifetime {
            check_range("dpop.nonce", nonce, Duration::from_secs(1), LONGEST_PROOF)?;
        }
        policy.bind_access_tokens = self.access.unwrap_or(policy.bind_access_tokens);
        policy.required = self.required;
        let Self { origin, max_age, leeway, capacity, .. } = self.clone();
        policy.proofs = ProofConfig { origin, max_age, leeway, capacity }.policy()?;
        Ok(policy)
    }
}

impl ProofConfig {
    pub(super) fn policy(&self) -> Result<ProofPolicy> {
        let default = ProofPolicy::default();
        let policy = ProofPolicy {
            max_age: self.max_age.map_or(default.max_age, |max_age| max_age.0),
            leeway: self.leeway.map_or(default.leeway, |leeway| leeway.0),
            capacity: self.capacity.unwrap_or(default.capacity),
        };
        check_range("dpop.maxAge", policy.max_age, Duration::from_secs(1), LONGEST_PROOF)?;
        check_range("dpop.leeway", policy.leeway, Duration::ZERO, LONGEST_PROOF / 2)?;
        if policy.capacity == 0 {
            return Err(Error::config("dpop.capacity", "must be 1 or more"));
        }
        check_origins(self.origin.as_slice())?;
        Ok(policy)
    }
}

impl WebConfig {
    pub(super) fn policy(&self) -> Result<WebPolicy> {
        self.unprefixed_policy().map_err(|error| match error {
            Error::ConfigInvalid { field, problem } => {
                Error::config(format!("web.{field}"), problem)
            }
            other => other,
        })
    }

    fn unprefixed_policy(&self) -> Result<WebPolicy> {
        let mut policy = WebPolicy::default();
        if let Some(name) = &self.access_header {
            policy.access_header.clone_from(name);
        }
        if let Some(option) = &self.access_cookie {
            policy.access_cookie = option.name(DEFAULT_ACCESS_COOKIE).map(CookiePolicy::access);
        }
        if let Some(option) = &self.refresh_cookie {
            policy.refresh_cookie = option.name(DEFAULT_REFRESH_COOKIE).map(CookiePolicy::refresh);
        }
        match (&mut policy.refresh_cookie, &self.path) {
            (Some(cookie), Some(path)) => cookie.path.clone_from(path),
            (None, Some(_)) => {
                return Err(Error::config(
                    "path",
                    "has no effect, because the refresh cookie is off",
                ));
            }
            (_, None) => {}
        }
        for cookie in [&mut policy.refresh_cookie, &mut policy.access_cookie].into_iter().flatten()
        {
            cookie.domain.clone_from(&self.domain);
            cookie.secure = self.secure.unwrap_or(cookie.secure);
        }
        policy.allowed_origins =
            self.allowed_origins.iter().map(|text| Origin::new(text)).collect::<Result<_>>()?;
        policy.checked()
    }
}

impl VerifierWebConfig {
    pub(super) fn policy(self) -> Result<WebPolicy> {
        let Self { access_cookie, access_header, secure, domain, allowed_origins } = self;
        let web = WebConfig {
            refresh_cookie: Some(TokenCookie::Flag(false)),
            path: None,
            access_cookie,
            access_header,
            secure,
            domain,
            allowed_origins,
        };
        web.policy()
    }
}

/// Refuses a timeout that was written in milliseconds: `5000` would be 83 minutes.
pub(super) fn check_timeout(field: &str, timeout: Duration) -> Result<()> {
    if timeout <= Duration::from_secs(300) {
        return Ok(());
    }
    Err(Error::config(field, "must not be longer than 5 minutes (300 seconds)"))
}

fn check_range(field: &str, span: Duration, min: Duration, max: Duration) -> Result<()> {
    if (min..=max).contains(&span) {
        return Ok(());
    }
    let (min, max) = (min.as_secs(), max.as_secs());
    Err(Error::config(field, format!("must be from {min} to {max} seconds")))
}
