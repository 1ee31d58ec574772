//! `migrate`.

use std::time::Duration;

use serde::Deserialize;

use super::{AuthConfig, SecretConfig};
use crate::adopt::OldRefreshTokens;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// The app that was here before, whose refresh tokens are taken over; see [`adopt`](crate::adopt).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrateConfig {
    /// The secret that signed its refresh tokens. Default: `secret`.
    pub secret: Option<SecretConfig>,
    /// The Redis that holds them: `redis://…`. Default: `store`, where that is one.
    pub store: Option<String>,
}

impl AuthConfig {
    /// The app that was here before, if there was one.
    pub(super) fn old_tokens(&self) -> Result<Option<OldRefreshTokens>> {
        let Some(config) = &self.migrate else { return Ok(None) };
        let secret = config.secret.as_ref().or(self.secret.as_ref()).ok_or_else(|| {
            Error::config("migrate.secret", "is required when there is no secret")
        })?;
        let url = config.store.as_deref().or(self.store.as_deref()).unwrap_or_default();
        if !url.starts_with("redis://") {
            return Err(Error::config(
                "migrate.store",
                "expected redis://USER:PASSWORD@HOST:PORT/DB",
            ));
        }
        let prefix = self.redis.prefix.as_deref().unwrap_or("regrant:");
        let timeout = self.redis.timeout.unwrap_or(Duration::from_secs(2));
        old_tokens(&secret.0, url, prefix, timeout).map(Some).map_err(|error| match error {
            Error::ConfigInvalid { field, problem }
                if field == "secret" && config.secret.is_some() =>
            {
                Error::config("migrate.secret", problem)
            }
            other => other,
        })
    }
}

#[cfg(feature = "redis")]
fn old_tokens(
    secret: &SecretBytes,
    url: &str,
    prefix: &str,
    timeout: Duration,
) -> Result<OldRefreshTokens> {
    let store = crate::adopt::redis::OldRedis::new(url, prefix, timeout)?;
    OldRefreshTokens::new(secret, store)
}

#[cfg(not(feature = "redis"))]
fn old_tokens(_: &SecretBytes, _: &str, _: &str, _: Duration) -> Result<OldRefreshTokens> {
    Err(Error::config("migrate", "this build of regrant has no Redis store"))
}
