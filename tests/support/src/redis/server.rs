//! A real `redis-server` for one test.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use redis::FromRedisValue;
use rustix::process::Signal;
use tempfile::TempDir;

use super::options::{Ports, RedisOptions, ServerMode};
use crate::port::{Port, start_on_free_port};
use crate::probe::serves;
use crate::process::Process;

/// How long a server may take until it answers, its data loaded.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The probe interval meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// How long [`RedisServer::command`] waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A `redis-server` on loopback ports and in a directory of its own. It ends when this value is
/// dropped, and also when the whole test process ends without dropping it.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    directory: TempDir,
    options: RedisOptions,
    ports: Ports,
    running: Option<Process>,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk and waits until it answers.
    ///
    /// # Errors
    /// There is no `redis-server` on the `PATH` (the message names the command that installs it),
    /// or it did not answer in time (the message carries the end of its log).
    pub fn start() -> Result<Self> {
        RedisOptions::new().start()
    }

    pub(super) fn start_with(options: RedisOptions) -> Result<Self> {
        let program = program()?;
        let directory = tempfile::Builder::new().prefix("regrant-redis-").tempdir()?;
        let ports = free_ports(&options)?;
        let mut server = Self { program, directory, options, ports, running: None };
        start_on_free_port("redis-server", || {
            server.ports = free_ports(&server.options)?;
            // The server rewrites it to persist runtime settings.
            let configuration = server.options.configuration(&server.ports);
            std::fs::write(server.configuration_path(), configuration)?;
            server.launch()
        })?;
        Ok(server)
    }

    /// How clients reach it: `redis://[:PASSWORD@]127.0.0.1:PORT/0`, or `rediss://` and the TLS
    /// port. Stays the same over [`restart`](Self::restart).
    #[must_use]
    pub fn url(&self) -> String {
        match &self.ports.tls {
            Some(port) => self.url_of("rediss", port.number()),
            None => self.plain_url(),
        }
    }

    /// How clients reach it without TLS.
    #[must_use]
    pub fn plain_url(&self) -> String {
        self.url_of("redis", self.port())
    }

    /// How clients reach it through a [`TcpProxy`](crate::TcpProxy) on this port.
    #[must_use]
    pub fn url_through(&self, proxy: &crate::TcpProxy) -> String {
        self.url_of("redis", proxy.port())
    }

    fn url_of(&self, scheme: &str, port: u16) -> String {
        let user = match &self.options.password {
            Some(password) => format!(":{password}@"),
            None => String::new(),
        };
        format!("{scheme}://{user}127.0.0.1:{port}/0")
    }

    /// The loopback port without TLS. Stays the same over [`restart`](Self::restart).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.plain.number()
    }

    /// The port that clients and other servers are to use: that with TLS, if there is one.
    pub(super) fn main_port(&self) -> u16 {
        self.ports.tls.as_ref().unwrap_or(&self.ports.plain).number()
    }

    /// The port of a cluster node for other nodes.
    pub(super) fn bus_port(&self) -> Option<u16> {
        self.ports.bus.as_ref().map(Port::number)
    }

    /// Whether there is a process, answering or not.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Sends one command on a connection of its own and returns the answer.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer within some seconds, or returns an error.
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let (name, arguments) = words.split_first().context("a command has a name")?;
        let attempt = || -> redis::RedisResult<T> {
            let client = redis::Client::open(self.plain_url())?;
            let mut connection = client.get_connection_with_timeout(ANSWER_WITHIN)?;
            connection.set_read_timeout(Some(ANSWER_WITHIN))?;
            redis::cmd(name).arg(arguments).query(&mut connection)
        };
        attempt().with_context(|| format!("{} to port {}", words.join(" "), self.port()))
    }

    /// Kills the server (SIGKILL), like a crash. Returns when it has ended; does nothing
    /// if it is not running.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts the server again on the same ports and directory, as it was last configured, and
    /// waits until it answers. A running server is killed first. Data survives only with
    /// [`RedisOptions::append_only`].
    ///
    /// # Errors
    /// It did not answer in time, or another process took the port meanwhile.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.launch()
    }

    /// Pauses the server (SIGSTOP): connections stay open without answers.
    ///
    /// # Errors
    /// The server does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Resumes a paused server (SIGCONT).
    ///
    /// # Errors
    /// The server does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.running.as_ref().context("the redis-server does not run")?.signal(signal)
    }

    fn launch(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.log_path())?;
        let mut command = Command::new(&self.program);
        command.arg(self.configuration_path());
        if self.options.mode == ServerMode::Sentinel {
            command.arg("--sentinel");
        }
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        self.running = Some(Process::start(&mut command, self.directory.path())?);
        let ready = self.wait_until_ready();
        if ready.is_err() {
            self.kill();
        }
        ready
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let asked_since = Instant::now();
        let mut reported = 0;
        loop {
            let running = self.running.as_mut().context("the redis-server does not run")?;
            if let Some(status) = running.try_wait()? {
                bail!("redis-server ended with {status}:\n{}", self.log());
            }
            let (password, [info, ping]) = (self.options.password.as_deref(), &self.options.probe);
            if serves(self.ports.plain.number(), password, running.id(), info, ping) {
                return Ok(());
            }
            let waited = asked_since.elapsed();
            ensure!(
                waited < READY_WITHIN,
                "redis-server on port {} gave no answer for {READY_WITHIN:?}:\n{}",
                self.port(),
                self.log()
            );
            if waited.as_secs() > reported {
                reported = waited.as_secs();
                eprintln!("waiting for redis-server on port {} ({reported} s)", self.port());
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    fn configuration_path(&self) -> PathBuf {
        self.directory.path().join("redis.conf")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("redis.log")
    }

    /// The log of the running server, or of the last one.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path())
            .unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }
}

fn free_ports(options: &RedisOptions) -> Result<Ports> {
    Ok(Ports {
        plain: Port::free()?,
        tls: options.certificates.as_ref().map(|_| Port::free()).transpose()?,
        bus: (options.mode == ServerMode::ClusterNode).then(Port::free).transpose()?,
    })
}

/// `REGRANT_REDIS_SERVER`, for example a `valkey-server`, or the `redis-server` on the `PATH`.
fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("REGRANT_REDIS_SERVER") {
        return Ok(program.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("redis-server"))
        .find(|candidate| candidate.is_file())
        .context("redis-server is not installed; `cargo xtask setup` installs it")
}
