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
//! bytes. An unknown or wrong field is refused with its path.

mod access;
mod dpop;
mod effective;
#[cfg(feature = "server")]
mod issuers;
mod jwk;
mod keys;
mod limiter;
mod migrate;
mod problems;
mod redis;
mod secret;
mod session_limit;
mod sessions;

pub use access::{AccessConfig, LegacyBound, LegacyConfig, OneOrMany};
pub use dpop::DpopConfig;
#[cfg(feature = "server")]
pub use dpop::ProofConfig;
pub use effective::{
    EffectiveAccess, EffectiveConfig, EffectiveDpop, EffectiveKey, EffectiveRedis, EffectiveRefresh,
};
#[cfg(feature = "server")]
pub use issuers::{IssuerConfig, IssuersConfig, KeySetsConfig};
pub use jwk::JwkConfig;
pub use keys::{KeyConfig, KeysConfig};
pub use limiter::{Limiter, LimiterConfig};
pub use migrate::MigrateConfig;
pub use redis::{RedisConfig, SentinelConfig};
pub use secret::SecretConfig;
pub use session_limit::SessionLimit;
pub use sessions::{RefreshConfig, RevocationConfig};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::auth::{Auth, AuthBuilder, SessionAdmin};
use crate::error::{Error, Result};
use crate::store::StoreAddress;

/// Durable, and shared by all processes that are started in the same folder.
const DEFAULT_STORE: &str = "file:regrant.db";

/// Everything that [`Auth`](crate::Auth) needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthConfig {
    /// The app's one secret: an HS256 key for access tokens, from which the secret of refresh
    /// tokens is derived unless that is given.
    pub secret: Option<SecretConfig>,
    /// Accepts secrets shorter than the hash, for apps that have one already.
    #[serde(default)]
    pub allow_short_secret: bool,
    /// The keys of access tokens, where there is more than one secret.
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// The secret of refresh tokens.
    pub refresh_secret: Option<SecretConfig>,
    /// Secrets that may have been, or may be, [`secret`](Self::secret) in another process: access
    /// tokens that one of them signed are accepted, and refresh tokens by the secret that follows
    /// from it. None of them signs. For the rotation of keys.
    #[serde(default)]
    pub accepted_secrets: Vec<SecretConfig>,
    /// The same for [`refresh_secret`](Self::refresh_secret).
    #[serde(default)]
    pub accepted_refresh_secrets: Vec<SecretConfig>,
    /// What access tokens say and must say.
    #[serde(default)]
    pub access: AccessConfig,
    /// How sessions are refreshed.
    #[serde(default)]
    pub refresh: RefreshConfig,
    /// Where sessions live: `memory:`, `file:PATH` or `redis://…`. Default `file:regrant.db`, a
    /// file in the working folder of the process.
    pub store: Option<String>,
    /// How revocations by other processes are followed.
    #[serde(default)]
    pub revocation: RevocationConfig,
    /// How Redis is used.
    #[serde(default)]
    pub redis: RedisConfig,
    /// Sessions that are bound to keys of clients.
    pub dpop: Option<DpopConfig>,
    /// The app that was here before, whose refresh tokens are taken over.
    pub migrate: Option<MigrateConfig>,
}

impl AuthConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        read(json)
    }

    /// The address of the store as it was given, or the default.
    pub(crate) fn store_url(&self) -> &str {
        self.store.as_deref().unwrap_or(DEFAULT_STORE)
    }

    /// The address of the store, with how it is to be used.
    pub fn store_address(&self) -> StoreAddress {
        let mut address = StoreAddress::new(self.store_url()).redis(self.redis.options());
        if let Some(timeout) = self.redis.timeout {
            address = address.timeout(timeout);
        }
        address
    }

    /// What looks after the sessions of this configuration. It takes a store and no secret; a
    /// store in a file is opened, or made.
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

    /// The builder with all of this in it.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn builder(self) -> Result<AuthBuilder> {
        let mut builder = AuthBuilder::default();
        if let Some(bound) = self.revocation.max_staleness {
            builder = builder.max_staleness(bound);
        }
        if let Some(old) = self.old_tokens()? {
            builder = builder.migrate_legacy_tokens(old);
        }
        if let Some(dpop) = &self.dpop {
            builder = builder.dpop(dpop.server_policy()?);
        }
        let keys = self.keys_config();
        Ok(builder
            .access_keys(keys.keyring()?)
            .refresh_keys(keys.refresh_keys()?)
            .access_policy(self.access.policy()?)
            .session_policy(self.refresh.policy()?)
            .store_at(self.store_address()))
    }
}

impl Auth {
    /// Starts building an [`Auth`] from a configuration as JSON; see [`config`](crate::config).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the field.
    pub fn from_json(json: &str) -> Result<AuthBuilder> {
        AuthConfig::from_json(json)?.builder()
    }
}

/// Reads a configuration as JSON.
fn read<T: DeserializeOwned>(json: &str) -> Result<T> {
    let mut input = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "config".to_owned() } else { path };
        Error::config(field, problem(error.inner()))
    })
}

/// What serde says, without the position in a text that the caller never saw.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
