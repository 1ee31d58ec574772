//! The options of a [`RedisServer`].

use std::sync::Arc;

use anyhow::Result;

use super::RedisServer;
use crate::Certificates;
use crate::port::Port;

/// The options of a [`RedisServer`].
#[derive(Debug, Clone)]
pub struct RedisOptions {
    append_only: bool,
    pub(super) password: Option<String>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) mode: ServerMode,
    settings: Vec<(String, String)>,
    /// What the probe for readiness calls `INFO` and `PING`.
    pub(crate) probe: [String; 2],
}

/// The mode of the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ServerMode {
    /// A standalone server.
    #[default]
    Data,
    /// A cluster node.
    ClusterNode,
    /// A Sentinel.
    Sentinel,
}

/// The loopback ports of one server.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) plain: Port,
    /// With certificates.
    pub(super) tls: Option<Port>,
    /// Of a cluster node.
    pub(super) bus: Option<Port>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RedisOptions {
    /// Nothing is written to disk, no password is asked for, and there is no TLS.
    #[must_use]
    pub fn new() -> Self {
        Self {
            append_only: false,
            password: None,
            certificates: None,
            mode: ServerMode::default(),
            settings: Vec::new(),
            probe: ["INFO".to_owned(), "PING".to_owned()],
        }
    }

    /// A server without this command (`rename-command`).
    #[must_use]
    pub fn without(mut self, command: &str) -> Self {
        // The probe still needs it.
        let hidden = format!("HIDDEN-{command}");
        for name in &mut self.probe {
            if name == command {
                name.clone_from(&hidden);
            }
        }
        self.setting("rename-command", format!("{command} {hidden}"))
    }

    /// Every write reaches the disk before it is acknowledged (`appendfsync always`), so that data
    /// survives [`RedisServer::kill`] and [`RedisServer::restart`].
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// The server asks for this password, letters and digits only; [`RedisServer::url`] carries it.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The server also serves TLS, on a port of its own, and speaks TLS with other servers.
    /// [`RedisServer::url`] is that of the TLS port then.
    #[must_use]
    pub fn tls(mut self, certificates: &Arc<Certificates>) -> Self {
        self.certificates = Some(Arc::clone(certificates));
        self
    }

    /// One more setting, by the name it has in `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Sets the mode of the program.
    pub(super) fn mode(mut self, mode: ServerMode) -> Self {
        self.mode = mode;
        self
    }

    /// Starts a server with these options and waits until it answers.
    ///
    /// # Errors
    /// See [`RedisServer::start`].
    pub fn start(self) -> Result<RedisServer> {
        RedisServer::start_with(self)
    }

    /// The text of `redis.conf`.
    pub(super) fn configuration(&self, ports: &Ports) -> String {
        let mut lines = Vec::new();
        let mut set = |name: &str, value: &str| lines.push(format!("{name} {value}\n"));
        set("bind", "127.0.0.1");
        set("port", &ports.plain.number().to_string());
        if let (Some(port), Some(certificates)) = (&ports.tls, &self.certificates) {
            set("tls-port", &port.number().to_string());
            set("tls-cert-file", &certificates.server_certificate().display().to_string());
            set("tls-key-file", &certificates.server_key().display().to_string());
            set("tls-ca-cert-file", &certificates.ca_file().display().to_string());
            set("tls-auth-clients", "no");
            set("tls-replication", "yes");
        }
        if let Some(password) = &self.password {
            set("requirepass", password);
        }
        if self.mode != ServerMode::Sentinel {
            set("save", "\"\"");
            set("appendonly", if self.append_only { "yes" } else { "no" });
            set("appendfsync", "always");
        }
        if let (ServerMode::ClusterNode, Some(port)) = (self.mode, &ports.bus) {
            set("cluster-enabled", "yes");
            set("cluster-port", &port.number().to_string());
            if ports.tls.is_some() {
                set("tls-cluster", "yes");
            }
        }
        for (name, value) in &self.settings {
            set(name, value);
        }
        lines.concat()
    }
}
