//! A real `redis-server` for one test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::guard::Guard;
use crate::probe::{free_port, serves};

/// How long a server may take until it answers, its data loaded.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// How many free ports are tried before giving up: another process may take one first.
const PORT_ATTEMPTS: u32 = 5;

/// How a [`RedisServer`] is to run.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    append_only: bool,
    password: Option<String>,
    settings: Vec<(String, String)>,
}

impl RedisOptions {
    /// Nothing is written to disk and no password is asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    /// One more setting, by the name it has in `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts a server with these options and waits until it answers.
    ///
    /// # Errors
    /// See [`RedisServer::start`].
    pub fn start(self) -> Result<RedisServer> {
        let program = program()?;
        let directory = tempfile::Builder::new().prefix("regrant-redis-").tempdir()?;
        let mut server = RedisServer { program, directory, options: self, port: 0, running: None };
        for attempt in 1.. {
            server.port = free_port()?;
            match server.launch() {
                Ok(()) => break,
                Err(error) if attempt == PORT_ATTEMPTS => return Err(error),
                Err(error) => eprintln!("redis-server, attempt {attempt}: {error:#}"),
            }
        }
        Ok(server)
    }

    fn arguments(&self, port: u16) -> Vec<String> {
        let mut arguments = vec!["--port".to_owned(), port.to_string()];
        let mut set = |name: &str, value: &str| {
            arguments.extend([format!("--{name}"), value.to_owned()]);
        };
        set("bind", "127.0.0.1");
        set("save", "");
        set("appendonly", if self.append_only { "yes" } else { "no" });
        set("appendfsync", "always");
        if let Some(password) = &self.password {
            set("requirepass", password);
        }
        for (name, value) in &self.settings {
            set(name, value);
        }
        arguments
    }
}

/// A `redis-server` on a loopback port and in a directory of its own. It ends when this value is
/// dropped, and also when the whole test process ends without dropping it.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    directory: TempDir,
    options: RedisOptions,
    port: u16,
    running: Option<Running>,
}

/// The process while there is one, and who watches over it.
struct Running {
    guard: Guard,
    process: Child,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("pid", &self.process.id()).finish_non_exhaustive()
    }
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

    /// `redis://[:PASSWORD@]127.0.0.1:PORT/0`. Stays the same over [`restart`](Self::restart).
    #[must_use]
    pub fn url(&self) -> String {
        let user = match &self.options.password {
            Some(password) => format!(":{password}@"),
            None => String::new(),
        };
        format!("redis://{user}127.0.0.1:{}/0", self.port)
    }

    /// The loopback port. Stays the same over [`restart`](Self::restart).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once (SIGKILL), as a crash would. Returns when it is gone; does nothing
    /// where it does not run.
    pub fn kill(&mut self) {
        if let Some(Running { guard, mut process }) = self.running.take() {
            drop(guard);
            // Failing here means that the process is gone already, which is what is wanted.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the server again on the same port and directory and waits until it answers. One that
    /// still runs is killed first. Data is there again only with [`RedisOptions::append_only`].
    ///
    /// # Errors
    /// It did not answer in time, or another process took the port meanwhile.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.launch()
    }

    /// Freezes the server (SIGSTOP): connections stay open and nobody answers.
    ///
    /// # Errors
    /// The server does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Thaws a paused server (SIGCONT).
    ///
    /// # Errors
    /// The server does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let running = self.running.as_ref().context("the redis-server does not run")?;
        kill_process(Pid::from_child(&running.process), signal)?;
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.log_path())?;
        let mut process = Command::new(&self.program)
            .args(self.options.arguments(self.port))
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let guard = match Guard::over(process.id(), self.directory.path()) {
            Ok(guard) => guard,
            Err(error) => {
                process.kill().and_then(|()| process.wait())?;
                return Err(error);
            }
        };
        self.running = Some(Running { guard, process });
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
            if let Some(status) = running.process.try_wait()? {
                bail!("redis-server ended with {status}:\n{}", self.log());
            }
            if serves(self.port, self.options.password.as_deref(), running.process.id()) {
                return Ok(());
            }
            let waited = asked_since.elapsed();
            ensure!(
                waited < READY_WITHIN,
                "redis-server on port {} gave no answer for {READY_WITHIN:?}:\n{}",
                self.port,
                self.log()
            );
            if waited.as_secs() > reported {
                reported = waited.as_secs();
                eprintln!("waiting for redis-server on port {} ({reported} s)", self.port);
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("redis.log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_path())
            .unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("redis-server"))
        .find(|candidate| candidate.is_file())
        .context("redis-server is not installed; `cargo xtask setup` installs it")
}
