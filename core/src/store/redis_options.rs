//! How Redis is reached and used, beside its address.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::{Clock, SecretBytes};

/// How Redis is reached and used.
///
/// ```
/// use regrant::store::RedisOptions;
///
/// let mut options = RedisOptions::default();
/// options.prefix = "shop:".to_owned();
/// options.tls.ca_file = Some("/etc/ssl/redis-ca.pem".into());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisOptions {
    /// What every key begins with. Default `regrant:`.
    pub prefix: String,
    /// How long one operation may take, connecting included. Default 2 seconds.
    pub timeout: Duration,
    /// Who is trusted, and who this is, where the address says `rediss`.
    pub tls: RedisTls,
    /// The credentials of the Sentinels, where they ask for any. Those in the address are the
    /// master's.
    pub sentinel: Option<RedisCredentials>,
    /// How many replicas must have a login or a revocation before it counts as replicated
    /// (`WAIT`). Default 1 with Sentinels and in a cluster, else 0, which asks for none.
    pub replicas: Option<u32>,
    /// How long is waited for them. Default 100 ms.
    pub replica_timeout: Duration,
    /// What to do about a server that may evict live sessions.
    pub eviction: Eviction,
    /// A clock in place of the server's: for tests.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "regrant:".to_owned(),
            timeout: Duration::from_secs(2),
            tls: RedisTls::default(),
            sentinel: None,
            replicas: None,
            replica_timeout: Duration::from_millis(100),
            eviction: Eviction::default(),
            clock: None,
        }
    }
}

/// TLS towards Redis and its Sentinels.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RedisTls {
    /// The certificates of the authorities that are trusted, as PEM. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate chain that this client shows, as PEM. Needs a key.
    pub cert_file: Option<PathBuf>,
    /// The private key of the certificate, as PEM.
    pub key_file: Option<PathBuf>,
}

/// A user and a password.
#[derive(Clone, Default)]
pub struct RedisCredentials {
    /// The name of the user in the server's access list; default its `default` user.
    pub username: Option<String>,
    /// The password; without one nothing is shown to the server.
    pub password: Option<SecretBytes>,
}

impl fmt::Debug for RedisCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What to do about a server whose `maxmemory-policy` may evict live sessions: their keys have
/// lifetimes, so every policy but `noeviction` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Eviction {
    /// Says so in the log and in the report of health, and goes on.
    #[default]
    Warn,
    /// Does not use the server: operations fail as if it were away.
    Refuse,
}
