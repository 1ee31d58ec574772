//! How [`RedisSentinels`] are to run.

use std::sync::Arc;

use anyhow::Result;

use super::{NAME, RedisSentinels};
use crate::redis::RedisOptions;
use crate::redis::options::Role;
use crate::{Certificates, TcpProxy};

/// How [`RedisSentinels`] are to run.
#[derive(Debug, Clone)]
pub struct SentinelOptions {
    pub(super) replicas: usize,
    append_only: bool,
    pub(super) proxied: bool,
    pub(super) password: Option<String>,
    sentinel_password: Option<String>,
    pub(super) certificates: Option<Arc<Certificates>>,
    settings: Vec<(String, String)>,
}

impl Default for SentinelOptions {
    fn default() -> Self {
        Self {
            replicas: 2,
            append_only: false,
            proxied: false,
            password: None,
            sentinel_password: None,
            certificates: None,
            settings: Vec::new(),
        }
    }
}

impl SentinelOptions {
    /// One master, two replicas, three Sentinels, nothing on disk, no passwords, no TLS.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// So many replicas in place of two.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// The servers keep their data over a restart; see [`RedisOptions::append_only`].
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Each of the servers is known to everybody by the port of a [`TcpProxy`] of its own.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// The servers ask for this password, letters and digits only.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The Sentinels ask for this password, letters and digits only.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_password = Some(password.into());
        self
    }

    /// Servers and Sentinels speak TLS with each other and with clients.
    #[must_use]
    pub fn tls(mut self, certificates: &Arc<Certificates>) -> Self {
        self.certificates = Some(Arc::clone(certificates));
        self
    }

    /// One more setting of the servers, by the name it has in `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts everything and waits until replicas are in step and all Sentinels know all.
    ///
    /// # Errors
    /// See [`RedisServer::start`]; or they did not come to terms in time.
    pub fn start(self) -> Result<RedisSentinels> {
        RedisSentinels::start_with(self)
    }

    pub(super) fn server(
        &self,
        master_port: Option<u16>,
        proxy: Option<&TcpProxy>,
    ) -> RedisOptions {
        let mut options = RedisOptions::new();
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
            options = options.setting("replica-announce-port", proxy.port().to_string());
        }
        if let Some(port) = master_port {
            options = options.setting("replicaof", format!("127.0.0.1 {port}"));
        }
        // A replica gets its first copy at once and without the disk.
        options = options
            .setting("replica-announce-ip", "127.0.0.1")
            .setting("repl-diskless-sync-delay", "0")
            .setting("repl-timeout", "5")
            .setting("repl-ping-replica-period", "1");
        self.settings.iter().fold(options, |options, (name, value)| options.setting(name, value))
    }

    pub(super) fn sentinel(&self, master_port: u16) -> RedisOptions {
        let mut options = RedisOptions::new()
            .role(Role::Sentinel)
            .setting("sentinel", format!("monitor {NAME} 127.0.0.1 {master_port} 2"))
            .setting("sentinel", format!("down-after-milliseconds {NAME} 1500"))
            .setting("sentinel", format!("failover-timeout {NAME} 3000"))
            .setting("sentinel", format!("parallel-syncs {NAME} 2"))
            .setting("sentinel", "announce-ip 127.0.0.1");
        if let Some(password) = &self.password {
            options = options.setting("sentinel", format!("auth-pass {NAME} {password}"));
        }
        if let Some(password) = &self.sentinel_password {
            options =
                options.password(password).setting("sentinel", format!("sentinel-pass {password}"));
        }
        match &self.certificates {
            Some(certificates) => options.tls(certificates),
            None => options,
        }
    }
}
