//! The options of a Redis store, beside its address.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::{Clock, SecretBytes};

/// The options of a Redis store, beside its address.
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
    /// The prefix of all keys. Default `regrant:`.
    pub prefix: String,
    /// How long one operation may take, connecting included. Default 2 seconds.
    pub timeout: Duration,
    /// Certificates, used if the scheme of the address is `rediss`.
    pub tls: RedisTls,
    /// The credentials of the Sentinels, if they require any. Those in the address are for the
    /// data servers.
    pub sentinel: Option<RedisCredentials>,
    /// How many replicas must acknowledge a login or a revocation (`WAIT`) before it counts as
    /// replicated. Default 1 with Sentinels and in a cluster, else 0: do not wait.
    pub replicas: Option<u32>,
    /// How long to wait for the replicas. Default 100 ms.
    pub replica_timeout: Duration,
    /// What to do about a server that may evict live sessions.
    pub eviction: Eviction,
    /// A clock to use instead of the server's: for tests.
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

/// The certificates for TLS to Redis and its Sentinels.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RedisTls {
    /// The trusted certificate authorities, as PEM. Default: the system's. A server whose own
    /// certificate is in the file is trusted whatever that certificate says.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificates of the servers must have. Default: the host that is connected
    /// to.
    pub server_name: Option<String>,
    /// The certificate chain of this client, as PEM. Requires `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The private key of `cert_file`, as PEM.
    pub key_file: Option<PathBuf>,
}

/// A user name and a password.
#[derive(Clone, Default)]
pub struct RedisCredentials {
    /// The user in the server's access list (ACL). Default: the `default` user.
    pub username: Option<String>,
    /// The password. Without one the client does not authenticate.
    pub password: Option<SecretBytes>,
}

impl fmt::Debug for RedisCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What to do about a server whose `maxmemory-policy` may evict live sessions. Session keys have a
/// TTL, so every policy except `noeviction` may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Eviction {
    /// Log it, report it in the health report, and use the server.
    #[default]
    Warn,
    /// Do not use the server: operations fail as if it were unreachable.
    Refuse,
}
