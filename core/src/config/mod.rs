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

#[cfg(test)]
mod disclosure;
mod effective;
mod keys;
mod objects;
mod options;
mod parse;
mod policies;
#[cfg(test)]
mod reference;
mod values;
mod verifier;

pub use effective::EffectiveConfig;
pub use options::{AuthConfig, KeysConfig, VerifierConfig};
pub use values::{Lifetime, SecretConfig};

use std::fmt;
use std::sync::Arc;

use crate::access::AccessPolicy;
use crate::auth::{self, Auth, AuthBuilder, DpopPolicy, SessionAdmin};
use crate::error::{Error, Result};
use crate::http::WebPolicy;
use crate::migration::{LegacyRefreshTokens, LegacyStore};
use crate::session::RefreshClaims;
use crate::store::{RedisOptions, StoreAddress, is_redis};
use crate::types::{Realm, Realms, SessionId, Subject, Timestamp};
use options::{DpopConfig, MigrateConfig};
pub use parse::unknown_option_problem;
use parse::{names_of, of_element, parse};
use values::OrFalse;

/// Durable, and shared by all processes that are started in the same directory.
const DEFAULT_STORE: &str = "file:regrant.db";

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

    /// The names of the options at the top level, for bindings that add their own.
    pub fn option_names() -> Vec<String> {
        names_of::<Self>()
    }

    /// Resolves all options into a builder.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn builder(self) -> Result<AuthBuilder> {
        let mut builder = AuthBuilder::default();
        self.web_policy()?;
        self.redis.check_timeouts()?;
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
        let realms = self.realms()?;
        Ok(builder
            .realm(realms.current)
            .previous_realms(realms.previous)
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
            self.access.policy().and_then(|_| self.realms()).map(drop),
            self.refresh.policy().map(drop),
            self.legacy_tokens().map(drop),
            self.dpop_policy().map(drop),
            self.web_policy().map(drop),
            self.redis.check_timeouts(),
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

    /// The realm of the sessions, and the realms whose sessions go on.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn realms(&self) -> Result<Realms> {
        if self.realm.as_deref() == Some("") {
            return Err(Error::config("realm", "expected 1 to 4096 bytes of text"));
        }
        let realm = self.realm.as_deref().map(Realm::new).transpose()?;
        let previous = self.previous_realms.as_ref().map(|names| {
            let realms = names.iter().enumerate().map(|(index, name)| {
                Realm::new(name).map_err(|error| of_element("previousRealms", index, error))
            });
            realms.collect::<Result<Vec<_>>>()
        });
        Ok(auth::realms(realm, previous.transpose()?, &self.access.policy()?))
    }

    /// How tokens travel over HTTP: for [`Endpoints`](crate::http::Endpoints),
    /// [`Guard`](crate::http::Guard), and the routes of axum.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn web_policy(&self) -> Result<WebPolicy> {
        self.web.policy()
    }

    /// The address of the store, with the options for Redis.
    pub fn store_address(&self) -> StoreAddress {
        let address = self.address_at(self.store_url());
        match &self.previous_store {
            Some(former) => address.moved_from(self.address_at(former)),
            None => address,
        }
    }

    /// The address of another store, with the options of this configuration.
    pub fn address_at(&self, url: &str) -> StoreAddress {
        let address = StoreAddress::new(url).redis(self.redis.options());
        match self.redis.timeout {
            Some(Lifetime(timeout)) => address.timeout(timeout),
            None => address,
        }
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
        let admin = SessionAdmin::new(
            self.store_address().briefly().open(None)?,
            access.longest_acceptance(),
        )
        .realms(self.realms()?);
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
        let claims = {
            let keys = self.keys_config().refresh_keys()?.in_realms(&self.realms()?)?;
            RefreshClaims::verify(token, &keys)?
        };
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
        let mut tokens = LegacyRefreshTokens::shared(&secret.0, store);
        if config.secret.is_none() {
            for previous in &self.previous_secrets {
                tokens = tokens.and_then(|tokens| tokens.or_secret(&previous.0));
            }
        }
        tokens.map(Some).map_err(|error| match error {
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
