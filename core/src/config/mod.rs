//! The configuration as data: one JSON object, the same in every language.
//!
//! ```json
//! {
//!   "secret": "at least 32 bytes for HS256",
//!   "access":  { "ttl": "15m", "issuer": "https://app.example", "audience": "api" },
//!   "refresh": { "idleTtl": "14d", "absoluteTtl": "90d", "grace": "10s", "rotation": true },
//!   "store": "redis://127.0.0.1:6379/0"
//! }
//! ```
//!
//! Lifetimes are seconds or text such as `"15m"`. Secrets are text, or `{ "base64": "…" }` for
//! bytes. `false` turns an option off. An unknown or invalid option is rejected with its path. All
//! options with their defaults: `docs/configuration.md` of this crate.

mod effective;
mod options;
#[cfg(test)]
mod reference;
mod values;

pub use effective::{EffectiveConfig, EffectiveKey, EffectiveRefreshSecret};
pub use options::{
    AccessConfig, AuthConfig, DpopConfig, IssuerConfig, KeyConfig, KeySetsConfig, KeysConfig,
    LegacyConfig, LegacyOption, LimiterConfig, MigrateConfig, ProofConfig, RedisConfig,
    RefreshConfig, RevocationConfig, SentinelConfig, VerifierConfig,
};
pub use values::{JwkConfig, Lifetime, OneOrMany, OrFalse, SecretConfig};

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access::{AccessPolicy, LegacyTokens};
use crate::auth::{Auth, AuthBuilder, DpopPolicy, SessionAdmin};
use crate::dpop::{ProofPolicy, check_origins};
use crate::error::{Error, Result};
use crate::jwks::{JwksSchedule, JwksUri, JwksVerifier, JwksVerifierBuilder, TrustedIssuer};
use crate::keys::{Algorithm, JwkSet, Key, Keyring, RefreshKeys, RefreshSecret, ShortSecret};
use crate::migration::{LegacyRefreshTokens, LegacyStore};
use crate::session::{FailureLimit, RefreshClaims, SessionPolicy};
use crate::store::{RedisCredentials, RedisOptions, StoreAddress, is_redis};
use crate::types::{SessionId, Subject, Timestamp};

/// Durable, and shared by all processes that are started in the same directory.
const DEFAULT_STORE: &str = "file:regrant.db";

/// More than the users of one process of most apps have at a time; about 3 MB.
const DEFAULT_CACHE: usize = 4096;

/// The longest lifetime of a proof, because used proofs are remembered for so long.
const LONGEST_PROOF: Duration = Duration::from_secs(600);

impl Auth {
    /// Starts building an [`Auth`] from a configuration as JSON; see [`config`](crate::config).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the field.
    pub fn from_json(json: &str) -> Result<AuthBuilder> {
        AuthConfig::from_json(json)?.builder()
    }
}

// Not derived: an address may hold a password.
impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig").finish_non_exhaustive()
    }
}

impl fmt::Debug for MigrateConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MigrateConfig").finish_non_exhaustive()
    }
}

impl AuthConfig {
    /// Parses a configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json)
    }

    /// Resolves all options into a builder.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn builder(self) -> Result<AuthBuilder> {
        let mut builder = AuthBuilder::default();
        if let Some(Lifetime(bound)) = self.revocation.max_staleness {
            builder = builder.max_staleness(bound);
        }
        if let Some(legacy) = self.legacy_tokens()? {
            builder = builder.migrate_legacy_tokens(legacy);
        }
        if let Some(dpop) = self.dpop_policy()? {
            builder = builder.dpop(dpop);
        }
        let keys = self.keys_config();
        Ok(builder
            .access_keys(keys.keyring()?)
            .refresh_keys(keys.refresh_keys()?)
            .access_policy(self.access.policy()?)
            .session_policy(self.refresh.policy()?)
            .store_at(self.store_address()))
    }

    /// Returns every problem that [`builder`](Self::builder) would stop at, each with the path of
    /// its field. Does no I/O, so it does not find out whether the store is reachable.
    pub fn problems(&self) -> Vec<Error> {
        let keys = self.keys_config();
        let results = [
            keys.keyring().map(drop),
            keys.refresh_keys().map(drop),
            self.access.policy().map(drop),
            self.refresh.policy().map(drop),
            self.legacy_tokens().map(drop),
            self.dpop_policy().map(drop),
        ];
        let mut problems: Vec<Error> = Vec::new();
        for problem in results.into_iter().filter_map(Result::err) {
            // One secret may be invalid for several purposes.
            if !problems.iter().any(|known| known.to_string() == problem.to_string()) {
                problems.push(problem);
            }
        }
        problems
    }

    /// The keys alone.
    pub fn keys_config(&self) -> KeysConfig {
        KeysConfig {
            secret: self.secret.clone(),
            previous_secrets: self.previous_secrets.clone(),
            allow_short_secret: self.allow_short_secret,
            keys: self.keys.clone(),
            refresh_secret: self.refresh_secret.clone(),
            previous_refresh_secrets: self.previous_refresh_secrets.clone(),
        }
    }

    /// The rules for access tokens.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn access_policy(&self) -> Result<AccessPolicy> {
        self.access.policy()
    }

    /// The address of the store, with the options for Redis.
    pub fn store_address(&self) -> StoreAddress {
        let mut address = StoreAddress::new(self.store_url()).redis(self.redis.options());
        if let Some(Lifetime(timeout)) = self.redis.timeout {
            address = address.timeout(timeout);
        }
        address
    }

    /// Whether sessions live in the memory of one process, where no other process sees them.
    pub fn has_memory_store(&self) -> bool {
        self.store_url().starts_with("memory:")
    }

    /// The address of the store as it was given, or the default.
    fn store_url(&self) -> &str {
        self.store.as_deref().unwrap_or(DEFAULT_STORE)
    }

    /// Opens the store, to list and revoke sessions. Needs no secret. A file store that does not
    /// exist is created.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn session_admin(&self) -> Result<SessionAdmin> {
        let (legacy_store, access) = (self.legacy_store()?, self.access.policy()?);
        let admin =
            SessionAdmin::new(self.store_address().open(None)?, access.longest_acceptance());
        Ok(match legacy_store {
            Some(legacy_store) => admin.with_legacy_store(legacy_store),
            None => admin,
        })
    }

    /// Checks format, signature and expiry of a refresh token, and not its session.
    ///
    /// # Errors
    /// The `reject` errors, [`Error::RefreshExpired`], and [`Error::ConfigInvalid`] for invalid
    /// keys.
    pub fn verify_refresh_token_offline(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<OfflineRefreshToken> {
        let claims = RefreshClaims::verify(token, &self.keys_config().refresh_keys()?)?;
        if now >= claims.expires_at {
            return Err(Error::RefreshExpired);
        }
        let RefreshClaims { subject, session, issued_at, expires_at, .. } = claims;
        Ok(OfflineRefreshToken { subject, session, issued_at, expires_at })
    }

    fn dpop_policy(&self) -> Result<Option<DpopPolicy>> {
        self.dpop.as_ref().and_then(OrFalse::as_on).map(DpopConfig::policy).transpose()
    }

    fn legacy_tokens(&self) -> Result<Option<LegacyRefreshTokens>> {
        let Some(config) = &self.migrate else { return Ok(None) };
        let secret = config.secret.as_ref().or(self.secret.as_ref()).ok_or_else(|| {
            Error::config("migrate.secret", "is required when there is no secret")
        })?;
        let Some(store) = self.legacy_store()? else { return Ok(None) };
        LegacyRefreshTokens::shared(&secret.0, store).map(Some).map_err(|error| match error {
            Error::ConfigInvalid { field, problem }
                if field == "secret" && config.secret.is_some() =>
            {
                Error::config("migrate.secret", problem)
            }
            other => other,
        })
    }

    /// The store of the legacy app. Needs no secret.
    fn legacy_store(&self) -> Result<Option<Arc<dyn LegacyStore>>> {
        let Some(config) = &self.migrate else { return Ok(None) };
        let url = config.store.as_deref().or(self.store.as_deref()).unwrap_or_default();
        if !url.split_once(':').is_some_and(|(scheme, _)| is_redis(scheme)) {
            let expected = "expected redis://USER:PASSWORD@HOST:PORT/DB";
            return Err(Error::config("migrate.store", expected));
        }
        legacy_redis(url, &self.redis.options()).map(Some)
    }
}

#[cfg(feature = "redis")]
fn legacy_redis(url: &str, options: &RedisOptions) -> Result<Arc<dyn LegacyStore>> {
    Ok(Arc::new(crate::migration::redis::LegacyRedis::new(url, options)?))
}

#[cfg(not(feature = "redis"))]
fn legacy_redis(_: &str, _: &RedisOptions) -> Result<Arc<dyn LegacyStore>> {
    Err(Error::config("migrate", "this build of regrant has no Redis store"))
}

/// A refresh token whose signature and expiry were checked, but not its session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OfflineRefreshToken {
    /// The user.
    pub subject: Subject,
    /// The session.
    pub session: SessionId,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// When the token expires.
    pub expires_at: Timestamp,
}

impl KeysConfig {
    /// Parses the keys alone, for [`Auth::set_keys`].
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json)
    }

    /// All keys of access tokens. Beside `keys`, the `secret` still verifies what it signed.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn keyring(&self) -> Result<Keyring> {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        for (index, config) in self.keys.iter().enumerate() {
            let key = config.key(self.short_secret());
            keys.push(key.map_err(|error| in_element("keys", index, error))?);
        }
        if let Some(secret) = &self.secret {
            keys.push(Key::hmac(Algorithm::HS256, &secret.0, self.short_secret())?);
        }
        if keys.is_empty() {
            return Err(Error::config("secret", "is required, unless there are keys"));
        }
        let marked: Vec<usize> =
            self.keys.iter().enumerate().filter(|(_, key)| key.active).map(|(at, _)| at).collect();
        if marked.len() > 1 {
            return Err(Error::config("keys", "more than one key is active"));
        }
        let active = marked.first().copied().or_else(|| keys.iter().position(Key::can_sign));
        let active = active.ok_or_else(|| Error::config("keys", "none of them can sign"))?;
        let mut ring = Keyring::builder();
        for (index, key) in keys.into_iter().enumerate() {
            ring = if index == active { ring.active(key) } else { ring.verifying(key) };
        }
        for (index, secret) in self.previous_secrets.iter().enumerate() {
            let key = Key::hmac(Algorithm::HS256, &secret.0, self.short_secret());
            ring =
                ring.verifying(key.map_err(|error| of_element("previousSecrets", index, error))?);
        }
        ring.build()
    }

    /// The secrets of refresh tokens: the one that signs, and those that are only accepted.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn refresh_keys(&self) -> Result<RefreshKeys> {
        const PREVIOUS: &str = "previousRefreshSecrets";
        let current = self.refresh_secret.iter().map(|secret| ("refreshSecret".to_owned(), secret));
        let previous = self.previous_refresh_secrets.iter().enumerate();
        let previous = previous.map(|(index, secret)| (format!("{PREVIOUS}[{index}]"), secret));
        for (field, secret) in current.chain(previous) {
            if self.access_secrets().any(|access| access.0 == secret.0) {
                let problem = "must differ from the secrets of access tokens: leave it out and one is derived";
                return Err(Error::config(field, problem));
            }
        }
        let active = match (&self.refresh_secret, &self.secret) {
            (Some(secret), _) => RefreshSecret::new(&secret.0, self.short_secret())?,
            (None, Some(secret)) => RefreshSecret::derived_from(&secret.0)?,
            (None, None) => {
                return Err(Error::config("refreshSecret", "is required when there is no secret"));
            }
        };
        let mut keys = RefreshKeys::new(active);
        for (index, secret) in self.previous_refresh_secrets.iter().enumerate() {
            let secret = RefreshSecret::new(&secret.0, self.short_secret());
            keys = keys.with_retired(secret.map_err(|error| of_element(PREVIOUS, index, error))?);
        }
        for (index, secret) in self.previous_secrets.iter().enumerate() {
            let secret = RefreshSecret::derived_from(&secret.0);
            let secret = secret.map_err(|error| of_element("previousSecrets", index, error))?;
            keys = keys.with_retired(secret);
        }
        Ok(keys)
    }

    fn short_secret(&self) -> ShortSecret {
        if self.allow_short_secret { ShortSecret::Allow } else { ShortSecret::Refuse }
    }

    fn access_secrets(&self) -> impl Iterator<Item = &SecretConfig> {
        let of_keys = self.keys.iter().filter_map(|key| key.secret.as_ref());
        self.secret.iter().chain(&self.previous_secrets).chain(of_keys)
    }
}

impl KeyConfig {
    fn key(&self, short: ShortSecret) -> Result<Key> {
        let key = match (&self.secret, &self.private_key, &self.public_key, &self.jwk) {
            (Some(secret), None, None, None) => Key::hmac(self.alg, &secret.0, short)?,
            (None, Some(pem), None, None) => {
                let pem = std::str::from_utf8(pem.0.expose())
                    .map_err(|_| Error::config("privateKey", "is not PEM"))?;
                Key::private_pem(self.alg, pem)?
            }
            (None, None, Some(pem), None) => Key::public_pem(self.alg, pem)?,
            (None, None, None, Some(jwk)) => Key::from_jwk(self.alg, jwk.text()?, short)?,
            _ => {
                let problem = "needs exactly one of secret, privateKey, publicKey and jwk";
                return Err(Error::config("", problem));
            }
        };
        Ok(match &self.kid {
            Some(id) => key.with_id(id.clone()),
            None => key,
        })
    }
}

impl AccessConfig {
    fn policy(&self) -> Result<AccessPolicy> {
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
    fn policy(&self) -> Result<SessionPolicy> {
        let mut policy = SessionPolicy::default();
        if let Some(Lifetime(idle_ttl)) = self.idle_ttl {
            policy.idle_ttl = idle_ttl;
        }
        policy.absolute_ttl =
            self.absolute_ttl.map_or(policy.absolute_ttl.max(policy.idle_ttl), |ttl| ttl.0);
        policy.grace = self.grace.map_or(policy.grace, |grace| grace.0);
        policy.rotation = self.rotation.unwrap_or(policy.rotation);
        policy.on_theft = self.on_theft.unwrap_or(policy.on_theft);
        policy.max_sessions = self.max_sessions.map_or(policy.max_sessions, OrFalse::on);
        policy.max_in_flight = self.max_in_flight.unwrap_or(policy.max_in_flight);
        if let Some(limiter) = self.limiter {
            policy.limiter = limiter.on().map(LimiterConfig::limit);
        }
        policy.check()?;
        Ok(policy)
    }
}

impl LimiterConfig {
    fn limit(self) -> FailureLimit {
        let default = FailureLimit::default();
        FailureLimit {
            failures: self.failures.unwrap_or(default.failures),
            window: self.window.map_or(default.window, |window| window.0),
        }
    }
}

impl RedisConfig {
    fn options(&self) -> RedisOptions {
        let mut options = RedisOptions::default();
        if let Some(prefix) = &self.prefix {
            options.prefix.clone_from(prefix);
        }
        if let Some(Lifetime(timeout)) = self.timeout {
            options.timeout = timeout;
        }
        options.tls.ca_file.clone_from(&self.ca_file);
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
    fn policy(&self) -> Result<DpopPolicy> {
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
    fn policy(&self) -> Result<ProofPolicy> {
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

impl VerifierConfig {
    /// Parses a configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json)
    }

    /// Resolves all options into a builder, which lacks only the transport.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn builder(self) -> Result<JwksVerifierBuilder> {
        let mut builder = JwksVerifier::builder().schedule(self.key_sets.schedule()?);
        if let Some(dpop) = self.dpop.and_then(OrFalse::on) {
            builder = builder.proofs(dpop.policy()?, dpop.origin.as_slice().to_vec());
        }
        for (index, issuer) in self.issuers.into_iter().enumerate() {
            let issuer =
                issuer.trusted_issuer().map_err(|error| in_element("issuers", index, error))?;
            builder = builder.issuer(issuer);
        }
        Ok(builder)
    }
}

impl IssuerConfig {
    fn trusted_issuer(self) -> Result<TrustedIssuer> {
        let rsa = self.rsa_algorithm.unwrap_or(Algorithm::RS256);
        let keyring = match (&self.jwks_uri, &self.jwks, &self.keys) {
            (Some(uri), None, None) => {
                let uri = JwksUri::new(uri)?;
                return TrustedIssuer::with_key_set(self.policy()?, uri, rsa);
            }
            (None, Some(Value::String(text)), None) => JwkSet::parse(text, rsa)?.into_keyring()?,
            (None, Some(set), None) => JwkSet::parse(&set.to_string(), rsa)?.into_keyring()?,
            (None, None, Some(keys)) => verifying_keyring(keys)?,
            _ => return Err(Error::config("", "needs exactly one of jwksUri, jwks and keys")),
        };
        TrustedIssuer::with_keys(self.policy()?, keyring)
    }

    fn policy(self) -> Result<AccessPolicy> {
        let access = AccessConfig {
            issuer: Some(self.issuer),
            audience: self.audience,
            leeway: self.leeway,
            max_age: self.max_age,
            subject_claim: self.subject_claim,
            required_claims: self.required_claims,
            max_token_bytes: self.max_token_bytes,
            cache: self.cache,
            legacy: self.legacy,
            ..AccessConfig::default()
        };
        access.policy().map_err(|error| match error {
            Error::ConfigInvalid { field, problem } => {
                Error::config(field.strip_prefix("access.").unwrap_or(&field).to_owned(), problem)
            }
            other => other,
        })
    }
}

fn verifying_keyring(keys: &[KeyConfig]) -> Result<Keyring> {
    let mut ring = Keyring::builder();
    for (index, key) in keys.iter().enumerate() {
        let key = key.key(ShortSecret::Refuse);
        ring = ring.verifying(key.map_err(|error| in_element("keys", index, error))?);
    }
    ring.build()
}

impl KeySetsConfig {
    fn schedule(&self) -> Result<JwksSchedule> {
        let mut schedule = JwksSchedule::builder();
        if let Some(Lifetime(cooldown)) = self.refetch_cooldown {
            schedule = schedule.refetch_cooldown(cooldown);
        }
        if let Some(Lifetime(max_age)) = self.max_age {
            schedule = schedule.max_age(max_age);
        }
        if let Some(Lifetime(max_stale)) = self.max_stale {
            schedule = schedule.max_stale(max_stale);
        }
        if let Some(Lifetime(timeout)) = self.timeout {
            schedule = schedule.timeout(timeout);
        }
        schedule.build()
    }
}

fn check_range(field: &str, span: Duration, min: Duration, max: Duration) -> Result<()> {
    if (min..=max).contains(&span) {
        return Ok(());
    }
    let (min, max) = (min.as_secs(), max.as_secs());
    Err(Error::config(field, format!("must be from {min} to {max} seconds")))
}

/// `error` with `list[index]` as its field.
fn of_element(list: &str, index: usize, error: Error) -> Error {
    match error {
        Error::ConfigInvalid { problem, .. } => Error::config(format!("{list}[{index}]"), problem),
        other => other,
    }
}

/// `error` with its field as a member of `list[index]`.
fn in_element(list: &str, index: usize, error: Error) -> Error {
    match error {
        Error::ConfigInvalid { field, problem } => {
            let dot = if field.is_empty() { "" } else { "." };
            Error::config(format!("{list}[{index}]{dot}{field}"), problem)
        }
        other => other,
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let mut input = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "config".to_owned() } else { path };
        Error::config(field, problem(error.inner()))
    })
}

/// What is wrong, in the words of a configuration and without the value, which may be a secret.
fn problem(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if !error.is_data() {
        // Not JSON: the position helps those who wrote the file.
        return message;
    }
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    if let Some((name, known)) = unknown_option(message) {
        return match nearest(name, &known) {
            Some(near) => format!("unknown option, did you mean {near}?"),
            None => format!("unknown option, expected one of: {}", known.join(", ")),
        };
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", in_json_words(expected)),
        None => message.to_owned(),
    }
}

/// The name and the known names in serde's message about an unknown field.
fn unknown_option(message: &str) -> Option<(&str, Vec<&str>)> {
    let (name, known) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some((name, known.split('`').skip(1).step_by(2).collect()))
}

/// What serde expected, without names of Rust types.
fn in_json_words(expected: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("a nonzero u32", "a whole number from 1 on"),
        ("a nonzero usize", "a whole number from 1 on"),
        ("u32", "a whole number"),
        ("usize", "a whole number"),
        ("a boolean", "true or false"),
        ("a sequence", "an array"),
    ];
    let (expected, or_false) = match expected.strip_suffix(", or false") {
        Some(expected) => (expected, ", or false"),
        None => (expected, ""),
    };
    let words = WORDS.iter().find(|(rust, _)| *rust == expected).map(|(_, words)| *words);
    let words = match words {
        Some(words) => words,
        None if expected.starts_with("struct ") => "an object",
        None => expected,
    };
    format!("{words}{or_false}")
}

/// The name among `known` that `name` is probably meant to be.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let name = plain(name);
    let distances = known.iter().map(|known| (edit_distance(&name, &plain(known)), *known));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= name.chars().count().div_ceil(3).min(3)).then_some(near)
}

/// The Levenshtein distance.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(json: &str) -> (String, String) {
        match AuthConfig::from_json(json) {
            Err(Error::ConfigInvalid { field, problem }) => (field, problem),
            other => panic!("{json} gave {other:?}"),
        }
    }

    #[test]
    fn an_unknown_option_is_rejected_with_the_nearest_known_one() {
        for (json, field, problem) in [
            (r#"{"acces":{}}"#, "acces", "unknown option, did you mean access?"),
            (
                r#"{"refresh":{"idle_ttl":1}}"#,
                "refresh.idle_ttl",
                "unknown option, did you mean idleTtl?",
            ),
            (
                r#"{"previousSecret":[]}"#,
                "previousSecret",
                "unknown option, did you mean previousSecrets?",
            ),
            (
                r#"{"refresh":{"limiter":{"x":1}}}"#,
                "refresh.limiter.x",
                "unknown option, expected one of: failures, window",
            ),
        ] {
            assert_eq!(problem_of(json), (field.to_owned(), problem.to_owned()), "{json}");
        }
    }

    #[test]
    fn a_problem_names_what_is_expected_and_never_quotes_the_value() {
        for (json, field, problem) in [
            (r#"{"access":"planted"}"#, "access", "expected an object"),
            (
                r#"{"access":{"cache":0}}"#,
                "access.cache",
                "expected a whole number from 1 on, or false",
            ),
            (r#"{"refresh":{"rotation":"planted"}}"#, "refresh.rotation", "expected true or false"),
            (
                r#"{"refresh":{"limiter":"planted"}}"#,
                "refresh.limiter",
                "expected an object, or false",
            ),
            (
                r#"{"redis":{"eviction":"planted"}}"#,
                "redis.eviction",
                "expected `warn` or `refuse`",
            ),
            (
                r#"{"redis":{"sentinel":{"password":7}}}"#,
                "redis.sentinel.password",
                "expected a string or { base64 }",
            ),
            (r#"{"keys":"planted"}"#, "keys", "expected an array"),
        ] {
            assert_eq!(problem_of(json), (field.to_owned(), problem.to_owned()), "{json}");
        }
    }

    #[test]
    fn a_syntax_error_names_its_position() {
        assert_eq!(problem_of("{\n  secret: 1 }").1, "key must be a string at line 2 column 3");
    }

    #[test]
    fn false_turns_options_off() {
        let config = AuthConfig::from_json(
            r#"{
                "access": { "maxAge": false, "cache": false, "legacy": false },
                "refresh": { "maxSessions": false, "limiter": false },
                "dpop": false
            }"#,
        )
        .unwrap();
        let (access, refresh) = (config.access_policy().unwrap(), config.refresh.policy().unwrap());
        assert_eq!((access.max_age(), access.cache(), access.legacy()), (None, 0, None));
        assert_eq!((refresh.max_sessions, refresh.limiter), (None, None));
        assert!(config.dpop_policy().unwrap().is_none());
    }

    #[test]
    fn edit_distance_counts_insertions_deletions_and_replacements() {
        for (left, right, distance) in
            [("", "", 0), ("", "abc", 3), ("ttl", "tll", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        }
    }
}
