//! The effective configuration: defaults filled in, secrets redacted.

use serde::Serialize;

use super::options::{
    AccessConfig, AuthConfig, DpopConfig, LegacyConfig, LegacyOption, LimiterConfig, RedisConfig,
    RefreshConfig, RevocationConfig, SentinelConfig, WebConfig,
};
use super::values::{Lifetime, OneOrMany, OrFalse, SecretConfig, TokenCookie};
use crate::access::AccessPolicy;
use crate::auth::{DEFAULT_MAX_STALENESS, DpopPolicy};
use crate::error::Result;
use crate::http::{CookiePolicy, WebPolicy};
use crate::keys::{Algorithm, Key, KeyId};
use crate::session::SessionPolicy;
use crate::store::{RedisOptions, is_redis};

/// The options that are in effect, for display: with defaults, and with secrets and passwords
/// redacted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EffectiveConfig {
    /// The length of `secret`.
    pub secret: Option<SecretConfig>,
    /// The lengths of `previousSecrets`.
    pub previous_secrets: Vec<SecretConfig>,
    /// The keys of access tokens; the first one signs.
    pub keys: Vec<EffectiveKey>,
    /// The length of `refreshSecret`, or that it is derived.
    pub refresh_secret: EffectiveRefreshSecret,
    /// The lengths of `previousRefreshSecrets`.
    pub previous_refresh_secrets: Vec<SecretConfig>,
    /// The name of the realm; empty without issuer and audience.
    pub realm: String,
    /// The names of the realms whose sessions go on.
    pub previous_realms: Vec<String>,
    /// Access tokens.
    pub access: AccessConfig,
    /// Sessions and refresh tokens.
    pub refresh: RefreshConfig,
    /// DPoP, or `false`.
    pub dpop: OrFalse<DpopConfig>,
    /// Revocations by other processes.
    pub revocation: RevocationConfig,
    /// The address of the store, without its password.
    pub store: String,
    /// The address of the store that the app used before, without its password.
    pub previous_store: Option<String>,
    /// The connection to Redis, if the store is one.
    pub redis: Option<RedisConfig>,
    /// How tokens travel over HTTP.
    pub web: WebConfig,
    /// The address of the legacy app's store, without its password.
    pub migrate: Option<String>,
}

/// A key of access tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EffectiveKey {
    /// The one algorithm that the key is used with.
    pub alg: Algorithm,
    /// The key's name.
    pub kid: Option<KeyId>,
    /// Whether the key can sign.
    pub can_sign: bool,
}

/// The secret of refresh tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum EffectiveRefreshSecret {
    /// The given one.
    Given(SecretConfig),
    /// `[derived from secret]`.
    Derived(&'static str),
}

impl AuthConfig {
    /// Returns the effective configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid): the first of
    /// [`AuthConfig::problems`].
    pub fn effective(&self) -> Result<EffectiveConfig> {
        let keys = self.keys_config();
        keys.refresh_keys()?;
        let realms = self.realms()?;
        let max_staleness = self.revocation.max_staleness;
        let is_redis_at = |url: &str| url.split_once(':').is_some_and(|(it, _)| is_redis(it));
        let is_on_redis = is_redis_at(self.store_url())
            || self.previous_store.as_deref().is_some_and(is_redis_at);
        let effective = EffectiveConfig {
            keys: keys.keyring()?.keys().iter().map(EffectiveKey::of).collect(),
            secret: keys.secret,
            previous_secrets: keys.previous_secrets,
            refresh_secret: match keys.refresh_secret {
                Some(secret) => EffectiveRefreshSecret::Given(secret),
                None => EffectiveRefreshSecret::Derived("[derived from secret]"),
            },
            previous_refresh_secrets: keys.previous_refresh_secrets,
            realm: realms.current.name().to_owned(),
            previous_realms: realms.previous.iter().map(|realm| realm.name().to_owned()).collect(),
            access: AccessConfig::of(&self.access.policy()?),
            refresh: RefreshConfig::of(&self.refresh.policy()?),
            dpop: self.dpop_policy()?.as_ref().map(DpopConfig::of).into(),
            revocation: RevocationConfig {
                max_staleness: Some(max_staleness.unwrap_or(Lifetime(DEFAULT_MAX_STALENESS))),
            },
            store: without_password(self.store_url()),
            previous_store: self.previous_store.as_deref().map(without_password),
            web: WebConfig::of(&self.web_policy()?),
            redis: is_on_redis.then(|| RedisConfig::of(self.redis.options())),
            migrate: self.migrate.as_ref().map(|migrate| {
                without_password(migrate.store.as_deref().unwrap_or(self.store_url()))
            }),
        };
        Ok(effective)
    }
}

impl EffectiveKey {
    fn of(key: &Key) -> Self {
        Self { alg: key.algorithm(), kid: key.id().cloned(), can_sign: key.can_sign() }
    }
}

impl AccessConfig {
    fn of(policy: &AccessPolicy) -> Self {
        let legacy = policy.legacy().map(|legacy| {
            LegacyOption::Bound(LegacyConfig {
                max_lifetime: Some(Lifetime(legacy.max_lifetime)),
                required_claims: policy.legacy_required_claims().to_vec(),
                forbidden_claims: policy.legacy_forbidden_claims().to_vec(),
            })
        });
        Self {
            ttl: Some(Lifetime(policy.ttl())),
            issuer: Some(OneOrMany::Many(policy.issuers().to_vec())),
            issuer_patterns: Vec::new(),
            audience: Some(OneOrMany::Many(policy.audiences().to_vec())),
            leeway: Some(Lifetime(policy.leeway())),
            max_age: Some(policy.max_age().map(Lifetime).into()),
            subject_claim: Some(policy.subject_claim().to_owned()),
            numeric_subject: policy.numeric_subject(),
            required_claims: policy.required_claims().to_vec(),
            max_token_bytes: Some(policy.max_token_bytes()),
            cache: Some(policy.cache().try_into().ok().into()),
            jti: policy.jti(),
            legacy: Some(legacy.unwrap_or(LegacyOption::Flag(false))),
        }
    }
}

impl RefreshConfig {
    fn of(policy: &SessionPolicy) -> Self {
        let limiter = policy.limiter.map(|limit| LimiterConfig {
            failures: Some(limit.failures),
            window: Some(Lifetime(limit.window)),
        });
        Self {
            idle_ttl: Some(Lifetime(policy.idle_ttl)),
            absolute_ttl: Some(Lifetime(policy.absolute_ttl)),
            grace: Some(Lifetime(policy.grace)),
            unused_grace: Some(Lifetime(policy.unused_grace())),
            rotation: Some(policy.rotation),
            on_theft: Some(policy.on_theft),
            max_sessions: Some(policy.max_sessions.into()),
            max_in_flight: Some(policy.max_in_flight),
            record_clients: Some(policy.record_clients),
            limiter: Some(limiter.into()),
        }
    }
}

impl DpopConfig {
    fn of(policy: &DpopPolicy) -> Self {
        Self {
            origin: OneOrMany::Many(policy.origins.clone()),
            access: Some(policy.bind_access_tokens),
            required: policy.required,
            max_age: Some(Lifetime(policy.proofs.max_age)),
            leeway: Some(Lifetime(policy.proofs.leeway)),
            nonce: Some(policy.nonce_lifetime.map(Lifetime).into()),
            capacity: Some(policy.proofs.capacity),
        }
    }
}

impl WebConfig {
    fn of(policy: &WebPolicy) -> Self {
        let (refresh, access) = (policy.refresh_cookie.as_ref(), policy.access_cookie.as_ref());
        let cookie = |cookie: Option<&CookiePolicy>| match cookie {
            Some(cookie) => TokenCookie::Name(cookie.name.clone()),
            None => TokenCookie::Flag(false),
        };
        Self {
            refresh_cookie: Some(cookie(refresh)),
            path: refresh.map(|cookie| cookie.path.clone()),
            access_cookie: Some(cookie(access)),
            access_header: Some(policy.access_header.clone()),
            secure: refresh.or(access).map(|cookie| cookie.secure),
            domain: refresh.or(access).and_then(|cookie| cookie.domain.clone()),
            allowed_origins: policy.allowed_origins.iter().map(ToString::to_string).collect(),
        }
    }
}

impl RedisConfig {
    fn of(options: RedisOptions) -> Self {
        Self {
            prefix: Some(options.prefix),
            timeout: Some(Lifetime(options.timeout)),
            ca_file: options.tls.ca_file,
            server_name: options.tls.server_name,
            cert_file: options.tls.cert_file,
            key_file: options.tls.key_file,
            sentinel: options.sentinel.map(|sentinel| SentinelConfig {
                username: sentinel.username,
                password: sentinel.password.map(SecretConfig),
            }),
            replicas: options.replicas,
            replica_timeout: Some(Lifetime(options.replica_timeout)),
            eviction: Some(options.eviction),
        }
    }
}

/// `url` with the password redacted: everything between the first `:` of the user information and
/// the last `@`.
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
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_in_addresses_are_redacted() {
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

    /// Sets every option that holds a secret; `reference::tests` checks that the list is complete.
    #[test]
    fn no_secret_is_shown() {
        const PLANTED: &str = "planted-planted-planted-planted";
        let secret = |purpose: &str| format!("{PLANTED}-{purpose}");
        let jwk = crate::token::base64url::encode(secret("jwk").as_bytes());
        let pair = crate::keys::KeyPair::generate(Algorithm::ES256).unwrap();
        let pem = String::from_utf8(pair.private_pem().expose().to_vec()).unwrap();
        let config = json!({
            "secret": secret("secret"),
            "previousSecrets": [secret("previous")],
            "refreshSecret": secret("refresh"),
            "previousRefreshSecrets": [secret("previous-refresh")],
            "keys": [
                { "alg": "HS256", "kid": "a", "secret": secret("key") },
                { "alg": "HS256", "kid": "b", "jwk": { "kty": "oct", "k": jwk } },
                { "alg": "ES256", "kid": "c", "privateKey": pem },
            ],
            "store": format!("redis+sentinel://user:{}@h:1/main/0", secret("store")),
            "redis": { "sentinel": { "username": "sentinel", "password": secret("sentinel") } },
            "migrate": {
                "secret": secret("migrate"),
                "store": format!("redis://user:{}@h:1/0", secret("migrate-store")),
            },
        });
        let config = AuthConfig::from_json(&config.to_string()).unwrap();
        let effective = config.effective().unwrap();
        for shown in [
            serde_json::to_string(&effective).unwrap(),
            format!("{effective:?}"),
            format!("{:?}", config.keys_config()),
        ] {
            for planted in [PLANTED, jwk.as_str(), pem.lines().nth(1).unwrap()] {
                assert!(!shown.contains(planted), "{shown}");
            }
        }
    }
}
