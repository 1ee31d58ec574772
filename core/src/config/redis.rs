//! `redis`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::SecretConfig;
use super::sessions::some_span;
use crate::store::{Eviction, RedisCredentials, RedisOptions};

/// How Redis is reached and used; see [`RedisOptions`] for the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedisConfig {
    /// What every key begins with.
    pub prefix: Option<String>,
    /// How long one operation may take.
    #[serde(deserialize_with = "some_span")]
    pub timeout: Option<Duration>,
    /// The certificates of the authorities that are trusted, where the address says `rediss`: a
    /// file in PEM. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate chain that this client shows: a file in PEM.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate: a file in PEM.
    pub key_file: Option<PathBuf>,
    /// Who this is to the Sentinels, where they ask.
    pub sentinel: Option<SentinelConfig>,
    /// How many replicas must have a login or a revocation before it counts as replicated.
    pub replicas: Option<u32>,
    /// How long is waited for them.
    #[serde(deserialize_with = "some_span")]
    pub replica_timeout: Option<Duration>,
    /// What to do about a server that may evict live sessions: `warn` or `refuse`.
    pub eviction: Option<Eviction>,
}

/// Who this is to the Sentinels.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SentinelConfig {
    /// The user; default the Sentinels' `default` user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretConfig>,
}

impl RedisConfig {
    pub(super) fn options(&self) -> RedisOptions {
        let mut options = RedisOptions::default();
        if let Some(prefix) = &self.prefix {
            options.prefix.clone_from(prefix);
        }
        if let Some(timeout) = self.timeout {
            options.timeout = timeout;
        }
        options.tls.ca_file.clone_from(&self.ca_file);
        options.tls.cert_file.clone_from(&self.cert_file);
        options.tls.key_file.clone_from(&self.key_file);
        options.sentinel = self.sentinel.as_ref().map(SentinelConfig::credentials);
        options.replicas = self.replicas;
        if let Some(timeout) = self.replica_timeout {
            options.replica_timeout = timeout;
        }
        options.eviction = self.eviction.unwrap_or_default();
        options
    }
}

impl SentinelConfig {
    fn credentials(&self) -> RedisCredentials {
        let password = self.password.as_ref().map(|password| password.0.clone());
        RedisCredentials { username: self.username.clone(), password }
    }
}
