//! A master with replicas, watched over by Sentinels.

mod asked;
mod options;

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::asked::{role, told_good, told_master};
pub use self::options::SentinelOptions;
use super::RedisServer;
use crate::TcpProxy;
use crate::deadline::until;

/// What the master is called.
const NAME: &str = "mymaster";
/// How long Sentinels and servers may take to come to terms.
const SETTLED_WITHIN: Duration = Duration::from_secs(40);

/// A master with replicas, and three Sentinels of which two must agree.
#[derive(Debug)]
pub struct RedisSentinels {
    options: SentinelOptions,
    servers: Vec<RedisServer>,
    proxies: Vec<TcpProxy>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// Starts one master, two replicas and three Sentinels; see [`SentinelOptions::start`].
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
        let mut master_port = None;
        for number in 0..=options.replicas {
            let proxy = proxies.get(number);
            let server = options.server(master_port, proxy).start()?;
            if let Some(proxy) = proxy {
                proxy.set_server(server.main_port());
            }
            let known_as = proxy.map_or(server.main_port(), TcpProxy::port);
            master_port.get_or_insert(known_as);
            servers.push(server);
        }
        let master_port = master_port.context("there is a master")?;
        let sentinels =
            (0..3).map(|_| options.sentinel(master_port).start()).collect::<Result<Vec<_>>>()?;
        for sentinel in &sentinels {
            // In place of ten seconds: what they know of the servers is to be true soon.
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

    /// The servers that hold data. Which of them is the master changes.
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

    /// The proxy in front of a server, where there are proxies.
    #[must_use]
    pub fn proxy(&self, number: usize) -> Option<&TcpProxy> {
        self.proxies.get(number)
    }

    /// The number of the server that the Sentinels call master, which must be more than half of
    /// them.
    ///
    /// # Errors
    /// They do not agree.
    pub fn master(&self) -> Result<usize> {
        let told: Vec<_> = self.sentinels.iter().filter_map(|it| told_master(it).ok()).collect();
        let agreed = told.iter().find(|&port| {
            told.iter().filter(|&other| other == port).count() * 2 > self.sentinels.len()
        });
        let port = *agreed.with_context(|| format!("no agreed master: {told:?}"))?;
        (0..self.servers.len())
            .find(|&number| self.known_as(number) == port)
            .with_context(|| format!("the master is said to be on port {port}"))
    }

    /// Makes the Sentinels put another server in the master's place (`SENTINEL FAILOVER`) and
    /// waits until they all say so. Returns its number. The old master goes on as a master until
    /// a Sentinel tells it otherwise.
    ///
    /// # Errors
    /// It did not happen in time.
    pub fn failover(&self) -> Result<usize> {
        let before = self.master()?;
        self.order_failover()?;
        self.wait_for_another_master(before)
    }

    /// Orders a failover and does not wait for it.
    ///
    /// # Errors
    /// No Sentinel takes the order.
    pub fn order_failover(&self) -> Result<()> {
        // While another one is under way, or no replica is known to be good, they refuse.
        until(SETTLED_WITHIN, "a Sentinel takes the order to fail over", || {
            let sentinel = self.running_sentinels().next().context("no Sentinel runs")?;
            sentinel.command::<()>(&["SENTINEL", "FAILOVER", NAME])
        })
    }

    /// Waits until all running Sentinels agree on a master other than this one, and it says that
    /// it is one.
    ///
    /// # Errors
    /// It did not happen in time.
    pub fn wait_for_another_master(&self, before: usize) -> Result<usize> {
        until(SETTLED_WITHIN, "another master", || {
            let now = self.master()?;
            ensure!(now != before, "server {now} is still the master");
            for sentinel in self.running_sentinels() {
                ensure!(told_master(sentinel)? == self.known_as(now), "not all Sentinels know");
            }
            ensure!(role(&self.servers[now])? == "master", "server {now} is no master yet");
            Ok(now)
        })
    }

    /// Waits until the master has all other running servers as replicas that are in step, and
    /// every running Sentinel knows all servers and all other Sentinels.
    ///
    /// # Errors
    /// It did not happen in time.
    pub fn wait_until_settled(&self) -> Result<()> {
        until(SETTLED_WITHIN, "replicas are in step and Sentinels know each other", || {
            let master = self.master()?;
            ensure!(role(&self.servers[master])? == "master", "the master is none");
            for (number, server) in self.servers.iter().enumerate() {
                if number == master || !server.is_running() {
                    continue;
                }
                ensure!(role(server)? == "slave", "server {number} still calls itself a master");
                let (_, _, port, link, _): (String, String, u16, String, i64) =
                    server.command(&["ROLE"])?;
                ensure!(port == self.known_as(master), "server {number} follows another one");
                ensure!(link == "connected", "server {number} is not in step: {link}");
            }
            let (servers, sentinels) = (self.running(&self.servers), self.running(&self.sentinels));
            for sentinel in self.running_sentinels() {
                let replicas = told_good(sentinel, "REPLICAS")?;
                ensure!(replicas + 1 >= servers, "a Sentinel knows {replicas} good replicas");
                let others = told_good(sentinel, "SENTINELS")?;
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

    /// The port by which the Sentinels know a server.
    fn known_as(&self, number: usize) -> u16 {
        self.proxies.get(number).map_or(self.servers[number].main_port(), TcpProxy::port)
    }
}
