//! A configuration as it takes effect: defaults filled in, secrets left out.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Serialize;

use super::{AuthConfig, DpopConfig, Limiter, SecretConfig, SessionLimit};
use crate::auth::DEFAULT_MAX_STALENESS;
use crate::error::Result;
use crate::keys::{Algorithm, Key, KeyId};
use crate::session::TheftScope;
use crate::store::{Eviction, RedisOptions, is_redis};
use crate::types::format_span;

/// What a configuration amounts to. Lifetimes are text such as `15m`. Holds no secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EffectiveConfig {
    /// How long `secret` is; its bytes are left out.
    pub secret: Option<String>,
    /// The keys of access tokens; the first one signs.
    pub keys: Vec<EffectiveKey>,
    /// Whether the secret of refresh tokens is given or derived.
    pub refresh_secret: String,
    /// See [`AccessConfig`](super::AccessConfig).
    pub access: EffectiveAccess,
    /// See [`RefreshConfig`](super::RefreshConfig).
    pub refresh: EffectiveRefresh,
    /// How sessions are bound to keys of clients; see [`DpopConfig`](super::DpopConfig).
    pub dpop: Option<EffectiveDpop>,
    /// How far a process may be behind the feed of revocations.
    pub max_staleness: String,
    /// The address of the store, without its password.
    pub store: String,
    /// How Redis is reached, where the store is one; see [`RedisConfig`](super::RedisConfig).
    pub redis: Option<EffectiveRedis>,
    /// The address of the old app's store, without its password.
    pub migrate: Option<String>,
}

/// A key of access tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EffectiveKey {
    /// The one algorithm that it is for.
    pub alg: Algorithm,
    /// Its name.
    pub kid: Option<KeyId>,
    /// Whether it could sign.
    pub can_sign: bool,
}

/// What access tokens say and must say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[allow(missing_docs)] // each is a field of `AccessConfig`
pub struct EffectiveAccess {
    pub ttl: String,
    pub issuer: Vec<String>,
    pub audience: Vec<String>,
    pub leeway: String,
    pub max_age: Option<String>,
    pub subject_claim: String,
    pub required_claims: Vec<String>,
    pub max_token_bytes: usize,
    pub cache: usize,
    pub jti: bool,
    /// The longest life of tokens of an app from before; `None` where they are refused.
    pub legacy_max_lifetime: Option<String>,
}

/// How sessions are refreshed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[allow(missing_docs)] // each is a field of `RefreshConfig`
pub struct EffectiveRefresh {
    pub idle_ttl: String,
    pub absolute_ttl: String,
    pub grace: String,
    pub rotation: bool,
    pub on_theft: TheftScope,
    pub max_sessions: SessionLimit,
    pub max_in_flight: NonZeroU32,
    pub limiter: Limiter,
}

/// How sessions are bound to keys of clients.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[allow(missing_docs)] // each is a field of `DpopConfig`
pub struct EffectiveDpop {
    pub origin: Vec<String>,
    pub access: bool,
    pub required: bool,
    pub max_age: String,
    pub leeway: String,
    pub nonce: Option<String>,
    pub capacity: usize,
}

/// How Redis is reached and used.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[allow(missing_docs)] // each is a field of `RedisConfig`
pub struct EffectiveRedis {
    pub prefix: String,
    pub timeout: String,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The user that the Sentinels are shown, if credentials are given.
    pub sentinel_username: Option<String>,
    /// `None`: 1 with Sentinels and in a cluster, else 0.
    pub replicas: Option<u32>,
    pub replica_timeout: String,
    pub eviction: Eviction,
}

impl AuthConfig {
    fn is_on_redis(&self) -> bool {
        self.store_url().split_once(':').is_some_and(|(scheme, _)| is_redis(scheme))
    }

    /// What this configuration amounts to.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid): the first of
    /// [`AuthConfig::problems`].
    pub fn effective(&self) -> Result<EffectiveConfig> {
        let (access, refresh) = (self.access.policy()?, self.refresh.policy()?);
        let keyring = self.keys_config().keyring()?;
        self.keys_config().refresh_keys()?;
        Ok(EffectiveConfig {
            secret: self.secret.as_ref().map(redacted),
            keys: keyring.keys().iter().map(effective_key).collect(),
            refresh_secret: match &self.refresh_secret {
                Some(secret) => redacted(secret),
                None => "[derived from secret]".to_owned(),
            },
            access: EffectiveAccess {
                ttl: format_span(access.ttl()),
                issuer: access.issuers().to_vec(),
                audience: access.audiences().to_vec(),
                leeway: format_span(access.leeway()),
                max_age: access.max_age().map(format_span),
                subject_claim: access.subject_claim().to_owned(),
                required_claims: access.required_claims().to_vec(),
                max_token_bytes: access.max_token_bytes(),
                cache: access.cache(),
                jti: access.jti(),
                legacy_max_lifetime: access.legacy().map(|legacy| format_span(legacy.max_lifetime)),
            },
            refresh: EffectiveRefresh {
                idle_ttl: format_span(refresh.idle_ttl),
                absolute_ttl: format_span(refresh.absolute_ttl),
                grace: format_span(refresh.grace),
                rotation: refresh.rotation,
                on_theft: refresh.on_theft,
                max_sessions: SessionLimit::of(refresh.max_sessions),
                max_in_flight: refresh.max_in_flight,
                limiter: Limiter::of(refresh.limiter),
            },
            dpop: self.dpop.as_ref().map(effective_dpop).transpose()?,
            max_staleness: format_span(
                self.revocation.max_staleness.unwrap_or(DEFAULT_MAX_STALENESS),
            ),
            redis: self.is_on_redis().then(|| effective_redis(&self.redis.options())),
            store: without_password(self.store_url()),
            migrate: self.migrate.as_ref().map(|migrate| {
                without_password(migrate.store.as_deref().unwrap_or(self.store_url()))
            }),
        })
    }
}

fn effective_key(key: &Key) -> EffectiveKey {
    EffectiveKey { alg: key.algorithm(), kid: key.id().cloned(), can_sign: key.can_sign() }
}

fn effective_dpop(dpop: &DpopConfig) -> Result<EffectiveDpop> {
    let policy = dpop.policy()?;
    Ok(EffectiveDpop {
        origin: dpop.origin.each().to_vec(),
        access: dpop.binds_access(),
        required: dpop.required,
        max_age: format_span(policy.max_age),
        leeway: format_span(policy.leeway),
        nonce: dpop.nonce.map(format_span),
        capacity: policy.capacity,
    })
}

fn effective_redis(options: &RedisOptions) -> EffectiveRedis {
    let sentinel = options.sentinel.as_ref();
    EffectiveRedis {
        prefix: options.prefix.clone(),
        timeout: format_span(options.timeout),
        ca_file: options.tls.ca_file.clone(),
        cert_file: options.tls.cert_file.clone(),
        key_file: options.tls.key_file.clone(),
        sentinel_username: sentinel.map(|shown| shown.username.clone().unwrap_or("default".into())),
        replicas: options.replicas,
        replica_timeout: format_span(options.replica_timeout),
        eviction: options.eviction,
    }
}

fn redacted(secret: &SecretConfig) -> String {
    format!("[redacted, {} bytes]", secret.0.expose().len())
}

/// An address without what stands for a password: all between the first `:` of the user and the
/// last `@` before the path.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:[redacted]@{host}"),
        None => format!("{scheme}://{user}@{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("memory:", "memory:"),
            ("file:/a@b:c", "file:/a@b:c"),
            ("redis://h:1/0", "redis://h:1/0"),
            ("redis://me@h/0", "redis://me@h/0"),
            ("redis://me:pass@h/0", "redis://me:[redacted]@h/0"),
            ("redis://:p@ss:w/rd@h/0", "redis://:[redacted]@h/0"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
