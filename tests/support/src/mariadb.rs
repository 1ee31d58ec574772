//! A real MariaDB server for tests.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::port::{Port, start_on_free_port};
use crate::postgres::{directory_of_nobody, run_by_nobody};
use crate::process::Process;

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The probe interval meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(30);

/// A MariaDB server with an empty database `app`, on a loopback port and in a directory of its own. It ends
/// when this value is dropped, and also when the whole test process ends without dropping it.
#[derive(Debug)]
pub struct MariadbServer {
    program: PathBuf,
    directory: TempDir,
    port: Port,
    flush: Flush,
    running: Option<Process>,
}

/// `innodb_flush_log_at_trx_commit`: when the server writes its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Before it acknowledges a commit, as by default: what it acknowledges survives every crash.
    AtCommit,
    /// Once a second: a crash loses what it has acknowledged since.
    EverySecond,
}

impl MariadbServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// MariaDB is not installed (the message names the command that installs it), or the server did
    /// not answer in time (the message contains its log).
    pub fn start(flush: Flush) -> Result<Self> {
        let directory = directory_of_nobody("regrant-mariadb-")?;
        let (program, port) = (program()?, Port::free()?);
        let mut server = Self { program, directory, port, flush, running: None };
        server.bootstrap()?;
        start_on_free_port("mariadbd", || {
            server.port = Port::free()?;
            server.restart()
        })?;
        Ok(server)
    }

    /// How clients reach it: `mysql://root@127.0.0.1:PORT/app`. Stays the same over
    /// [`restart`](Self::restart).
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/app", self.port.number())
    }

    /// Kills the server (SIGKILL).
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self) -> Result<()> {
        let running = self.running.take().context("the server does not run")?;
        running.signal(Signal::KILL)?;
        drop(running);
        Ok(())
    }

    /// Starts the server again after [`kill`](Self::kill), with its data.
    ///
    /// # Errors
    /// It did not answer in time.
    pub fn restart(&mut self) -> Result<()> {
        let log = self.directory.path().join("log");
        let output = fs::File::create(&log)?;
        let mut command = self.command();
        command.arg("--bind-address=127.0.0.1").arg(format!("--port={}", self.port.number()));
        command.arg(format!("--socket={}", self.directory.path().join("socket").display()));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut process = Process::start(&mut command, self.directory.path())?;
        let since = Instant::now();
        while let Err(error) = greeting(self.port.number()) {
            let ended = process.try_wait()?;
            if ended.is_some() || since.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(log).unwrap_or_default();
                bail!("mariadbd does not answer: {error:#}\n{log}");
            }
            sleep(ASK_EVERY);
        }
        self.running = Some(process);
        Ok(())
    }

    /// Creates the data.
    fn bootstrap(&self) -> Result<()> {
        let mut command = self.command();
        command.arg("--bootstrap").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        process.stdin.take().context("no standard input")?.write_all(b"CREATE DATABASE app;\n")?;
        let output = process.wait_with_output()?;
        ensure!(output.status.success(), "mariadbd: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = run_by_nobody(&self.program, self.directory.path());
        // Without the privilege tables there is nothing to install.
        command.args(["--no-defaults", "--skip-grant-tables"]);
        command.arg(format!("--datadir={}", self.directory.path().display()));
        command.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"]);
        command.arg(match self.flush {
            Flush::AtCommit => "--innodb-flush-log-at-trx-commit=1",
            Flush::EverySecond => "--innodb-flush-log-at-trx-commit=0",
        });
        command
    }
}

/// Waits for the greeting with which the server begins a connection: it listens only when its data is recovered.
fn greeting(port: u16) -> Result<()> {
    /// The version of the protocol, after the length and the number of the packet.
    const VERSION: u8 = 10;
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(READY_WITHIN))?;
    let mut packet = [0; 5];
    connection.read_exact(&mut packet)?;
    ensure!(packet[4] == VERSION, "this is no MariaDB server");
    Ok(())
}

/// `mariadbd`, which Debian has outside of the `PATH` of users.
fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .find_map(|folder| folder.join("mariadbd").canonicalize().ok())
        .context("MariaDB is missing: apt-get install mariadb-server-core, or brew install mariadb")
}
