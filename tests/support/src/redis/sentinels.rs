//! A primary with replicas, monitored by Sentinels.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::options::{RedisOptions, ServerMode};
use super::server::RedisServer;
use crate::certificates::Certificates;
use crate::deadline::until;
use crate::proxy::TcpProxy;

/// The name of the primary.
const NAME: &str = "mymaster";
/// How long Sentinels and servers may take to agree. A Sentinel that was not scheduled for two seconds
/// distrusts its clock (TILT) and starts no failover for the next 30.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);

/// A primary with replicas, and three Sentinels with a quorum of two.
#[derive(Debug)]
pub struct RedisSentinels {
    options: SentinelOptions,
    servers: Vec<RedisServer>,
    proxies: Vec<TcpProxy>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// Starts one primary, two replicas and three Sentinels; see [`SentinelOptions::start`].
    ///
    /// # Errors
    /// See [`SentinelOptions::start`].
    pub fn start() -> Result<Self> {
        SentinelOptions::new().start()
    }

    fn start_with(options: SentinelOptions) -> Result<Self> {
        let proxies = match options.proxied {
            false => Vec::new(),
            true => {
                (0..=options.replicas).map(|_| TcpProxy::to_nobody()).collect::<Result<Vec<_>>>()?
            }
        };
        let mut servers: Vec<RedisServer> = Vec::new();
        let mut primary_port = None;
        for number in 0..=options.replicas {
            let proxy = proxies.get(number);
            let server = options.server(primary_port, proxy).start()?;
            if let Some(proxy) = proxy {
                proxy.set_server(server.main_port());
            }
            let known_as = proxy.map_or(server.main_port(), TcpProxy::port);
            primary_port.get_or_insert(known_as);
            servers.push(server);
        }
        let primary_port = primary_port.context("there is a primary")?;
        let sentinels =
            (0..3).map(|_| options.sentinel(primary_port).start()).collect::<Result<Vec<_>>>()?;
        for sentinel in &sentinels {
            // Default ten seconds. The Sentinels should learn of changes soon.
            sentinel.command::<()>(&["SENTINEL", "DEBUG", "INFO-PERIOD", "1000"])?;
        }
        let setup = Self { options, servers, proxies, sentinels };
        setup.wait_until_settled()?;
        Ok(setup)
    }

    /// `redis+sentinel://[:PASSWORD@]127.0.0.1:P1,127.0.0.1:P2,127.0.0.1:P3/mymaster/0`, with
    /// `rediss` where there is TLS. The password is that of the servers.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.certificates.is_some() { "rediss" } else { "redis" };
        let user = match &self.options.password {
            Some(password) => format!(":{password}@"),
            None => String::new(),
        };
        let hosts: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.main_port()))
            .collect();
        format!("{scheme}+sentinel://{user}{}/{NAME}/0", hosts.join(","))
    }

    /// The data servers. Which of them is the primary changes.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// One of the servers, to kill or restart it.
    ///
    /// # Panics
    /// There is no such server.
    pub fn server_mut(&mut self, number: usize) -> &mut RedisServer {
        &mut self.servers[number]
    }

    /// The Sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// One of the Sentinels, to kill or restart it.
    ///
    /// # Panics
    /// There is no such Sentinel.
    pub fn sentinel_mut(&mut self, number: usize) -> &mut RedisServer {
        &mut self.sentinels[number]
    }

    /// The proxy in front of a server, if there are proxies.
    #[must_use]
    pub fn proxy(&self, number: usize) -> Option<&TcpProxy> {
        self.proxies.get(number)
    }

    /// The number of the server that a majority of the Sentinels names as the primary.
    ///
    /// # Errors
    /// There is no majority.
    pub fn primary(&self) -> Result<usize> {
        let named: Vec<_> = self.sentinels.iter().filter_map(|it| named_primary(it).ok()).collect();
        let agreed = named.iter().find(|&port| {
            named.iter().filter(|&other| other == port).count() * 2 > self.sentinels.len()
        });
        let port = *agreed.with_context(|| format!("no agreed primary: {named:?}"))?;
        (0..self.servers.len())
            .find(|&number| self.known_as(number) == port)
            .with_context(|| format!("the primary is said to be on port {port}"))
    }

    /// Makes the Sentinels replace the primary (`SENTINEL FAILOVER`) and waits until they all
    /// agree. Returns the number of the new one. The old primary remains one until a Sentinel
    /// reconfigures it.
    ///
    /// # Errors
    /// The failover did not complete in time.
    pub fn failover(&self) -> Result<usize> {
        let before = self.primary()?;
        self.order_failover()?;
        self.wait_for_another_primary(before)
    }

    /// Starts a failover and does not wait for it.
    ///
    /// # Errors
    /// All Sentinels refuse.
    pub fn order_failover(&self) -> Result<()> {
        // They refuse while another one is under way or no healthy replica is known.
        until(SETTLED_WITHIN, "a Sentinel starts a failover", || {
            let sentinel = self.running_sentinels().next().context("no Sentinel runs")?;
            sentinel.command::<()>(&["SENTINEL", "FAILOVER", NAME])
        })
    }

    /// Waits until all running Sentinels agree on a primary other than this one, and it reports to
    /// be one.
    ///
    /// # Errors
    /// They did not in time.
    pub fn wait_for_another_primary(&self, before: usize) -> Result<usize> {
        until(SETTLED_WITHIN, "another primary", || {
            let now = self.primary()?;
            ensure!(now != before, "server {now} is still the primary");
            for sentinel in self.running_sentinels() {
                ensure!(named_primary(sentinel)? == self.known_as(now), "not all Sentinels know");
            }
            ensure!(role(&self.servers[now])? == "master", "server {now} is no primary yet");
            Ok(now)
        })
    }

    /// Waits until all other running servers are replicas of the primary and in sync, and every
    /// running Sentinel knows all servers and all other Sentinels.
    ///
    /// # Errors
    /// They did not in time.
    pub fn wait_until_settled(&self) -> Result<()> {
        until(SETTLED_WITHIN, "replicas are in sync and Sentinels know each other", || {
            let primary = self.primary()?;
            ensure!(role(&self.servers[primary])? == "master", "the primary is not a primary");
            for (number, server) in self.servers.iter().enumerate() {
                if number == primary || !server.is_running() {
                    continue;
                }
                ensure!(role(server)? == "slave", "server {number} is still a primary");
                let (_, _, port, link, _): (String, String, u16, String, i64) =
                    server.command(&["ROLE"])?;
                ensure!(port == self.known_as(primary), "server {number} follows another one");
                ensure!(link == "connected", "server {number} is not in sync: {link}");
            }
            let (servers, sentinels) = (self.running(&self.servers), self.running(&self.sentinels));
            for sentinel in self.running_sentinels() {
                let replicas = count_healthy(sentinel, "REPLICAS")?;
                ensure!(replicas + 1 >= servers, "a Sentinel knows {replicas} healthy replicas");
                let others = count_healthy(sentinel, "SENTINELS")?;
                ensure!(others + 1 >= sentinels, "a Sentinel knows {others} others");
            }
            Ok(())
        })
    }

    fn running(&self, servers: &[RedisServer]) -> usize {
        servers.iter().filter(|server| server.is_running()).count()
    }

    fn running_sentinels(&self) -> impl Iterator<Item = &RedisServer> {
        self.sentinels.iter().filter(|sentinel| sentinel.is_running())
    }

    /// The port under which the Sentinels know a server.
    fn known_as(&self, number: usize) -> u16 {
        self.proxies.get(number).map_or(self.servers[number].main_port(), TcpProxy::port)
    }
}

/// The port of the primary that a Sentinel names.
fn named_primary(sentinel: &RedisServer) -> Result<u16> {
    let (_, port): (String, u16) =
        sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
    Ok(port)
}

/// How many healthy replicas or other Sentinels a Sentinel knows.
fn count_healthy(sentinel: &RedisServer, whom: &str) -> Result<usize> {
    let known: Vec<HashMap<String, String>> = sentinel.command(&["SENTINEL", whom, NAME])?;
    let good = |flags: &str| flags == "slave" || flags == "sentinel";
    let linked = |one: &HashMap<String, String>| {
        one.get("master-link-status").is_none_or(|status| status == "ok")
    };
    Ok(known
        .iter()
        .filter(|one| one.get("flags").is_some_and(|flags| good(flags)) && linked(one))
        .count())
}

/// The role that a server reports: `master` or `slave`.
fn role(server: &RedisServer) -> Result<String> {
    let answer: Vec<redis::Value> = server.command(&["ROLE"])?;
    let first = answer.into_iter().next().context("an empty answer to ROLE")?;
    Ok(redis::from_redis_value(first)?)
}

/// The options of [`RedisSentinels`].
#[derive(Debug, Clone)]
pub struct SentinelOptions {
    replicas: usize,
    append_only: bool,
    proxied: bool,
    password: Option<String>,
    sentinel_password: Option<String>,
    certificates: Option<Arc<Certificates>>,
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
    /// One primary, two replicas, three Sentinels, nothing on disk, no passwords, no TLS.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of replicas. Default two.
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

    /// Each server announces the port of a [`TcpProxy`] of its own to everybody.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// The servers require this password, letters and digits only.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The Sentinels require this password, letters and digits only.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_password = Some(password.into());
        self
    }

    /// Servers and Sentinels use TLS with each other and with clients.
    #[must_use]
    pub fn tls(mut self, certificates: &Arc<Certificates>) -> Self {
        self.certificates = Some(Arc::clone(certificates));
        self
    }

    /// One more setting of the servers, by its name in `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts everything and waits until the replicas are in sync and the Sentinels know all.
    ///
    /// # Errors
    /// See [`RedisServer::start`]; or they did not agree in time.
    pub fn start(self) -> Result<RedisSentinels> {
        RedisSentinels::start_with(self)
    }

    fn server(&self, primary_port: Option<u16>, proxy: Option<&TcpProxy>) -> RedisOptions {
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
        if let Some(port) = primary_port {
            options = options.setting("replicaof", format!("127.0.0.1 {port}"));
        }
        // Replicas get their first copy at once and without the disk.
        options = options
            .setting("replica-announce-ip", "127.0.0.1")
            .setting("repl-diskless-sync-delay", "0")
            .setting("repl-timeout", "5")
            .setting("repl-ping-replica-period", "1");
        self.settings.iter().fold(options, |options, (name, value)| options.setting(name, value))
    }

    fn sentinel(&self, primary_port: u16) -> RedisOptions {
        let mut options = RedisOptions::new()
            .mode(ServerMode::Sentinel)
            .setting("sentinel", format!("monitor {NAME} 127.0.0.1 {primary_port} 2"))
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
