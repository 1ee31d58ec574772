//! `migrate`.

use std::sync::Arc;

use serde::Deserialize;

use super::{AuthConfig, SecretConfig};
use crate::error::{Error, Result};
use crate::migration::{LegacyRefreshTokens, LegacyStore};
use crate::store::{RedisOptions, is_redis};

/// The app that was here before, whose refresh tokens are taken over; see [`adopt`](crate::migration).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrateConfig {
    /// The secret that signed its refresh tokens. Default: `secret`.
    pub secret: Option<SecretConfig>,
    /// The Redis that holds them: `redis://…`, or one with Sentinels. Default: `store`, where that
    /// is one. `redis` holds for both.
    pub store: Option<String>,
}

impl AuthConfig {
    /// The app that was here before, if there was one.
    pub(super) fn old_tokens(&self) -> Result<Option<LegacyRefreshTokens>> {
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

    /// Where that app keeps its tokens: to know it takes no secret.
    pub(super) fn legacy_store(&self) -> Result<Option<Arc<dyn LegacyStore>>> {
        let Some(config) = &self.migrate else { return Ok(None) };
        let url = config.store.as_deref().or(self.store.as_deref()).unwrap_or_default();
        if !url.split_once(':').is_some_and(|(scheme, _)| is_redis(scheme)) {
            return Err(Error::config(
                "migrate.store",
                "expected redis://USER:PASSWORD@HOST:PORT/DB",
            ));
        }
        old_redis(url, &self.redis.options()).map(Some)
    }
}

#[cfg(feature = "redis")]
fn old_redis(url: &str, options: &RedisOptions) -> Result<Arc<dyn LegacyStore>> {
    Ok(Arc::new(crate::migration::redis::LegacyRedis::new(url, options)?))
}

#[cfg(not(feature = "redis"))]
fn old_redis(_: &str, _: &RedisOptions) -> Result<Arc<dyn LegacyStore>> {
    Err(Error::config("migrate", "this build of regrant has no Redis store"))
}
