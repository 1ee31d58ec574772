//! How a [`RedisCluster`] is to run.

use std::sync::Arc;

use anyhow::Result;

use super::RedisCluster;
use crate::redis::RedisOptions;
use crate::redis::options::Role;
use crate::{Certificates, TcpProxy};

/// How a [`RedisCluster`] is to run.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    append_only: bool,
    pub(super) proxied: bool,
    pub(super) password: Option<String>,
    pub(super) certificates: Option<Arc<Certificates>>,
    settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// Three masters with a replica each, nothing on disk, no password, no TLS.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The nodes keep their data over a restart; see [`RedisOptions::append_only`].
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Each node is known to clients by the port of a [`TcpProxy`] of its own. The nodes speak
    /// with each other past it, but for replication.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// The nodes ask for this password, letters and digits only.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The nodes speak TLS with each other and with clients. Not together with proxies.
    #[must_use]
    pub fn tls(mut self, certificates: &Arc<Certificates>) -> Self {
        self.certificates = Some(Arc::clone(certificates));
        self
    }

    /// One more setting of the nodes, by the name it has in `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts the nodes, makes a cluster of them, and waits until all of them call it one.
    ///
    /// # Errors
    /// See [`RedisServer::start`](crate::RedisServer::start); or they did not come to terms in
    /// time.
    pub fn start(self) -> Result<RedisCluster> {
        RedisCluster::start_with(self)
    }

    pub(super) fn node(&self, proxy: Option<&TcpProxy>) -> RedisOptions {
        let mut options = RedisOptions::new()
            .role(Role::ClusterNode)
            .setting("cluster-announce-ip", "127.0.0.1")
            .setting("cluster-node-timeout", "1000")
            // A replica takes over however old its data is, and is never moved to another master.
            .setting("cluster-replica-validity-factor", "0")
            .setting("cluster-allow-replica-migration", "no")
            .setting("repl-diskless-sync-delay", "0")
            .setting("repl-timeout", "5")
            .setting("repl-ping-replica-period", "1");
        if self.append_only {
            options = options.append_only();
        }
        if let Some(certificates) = &self.certificates {
            options = options.tls(certificates);
        }
        if let Some(password) = &self.password {
            options = options.password(password).setting("masterauth", password);
        }
        if let Some(proxy) = proxy {
            options = options.setting("cluster-announce-port", proxy.port().to_string());
        }
        self.settings.iter().fold(options, |options, (name, value)| options.setting(name, value))
    }
}
