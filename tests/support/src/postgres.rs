//! A real PostgreSQL server for tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::port::{Port, start_on_free_port};
use crate::process::Process;

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The probe interval meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(30);
/// How long a server may take to end.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// The user and group `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// A PostgreSQL server on a loopback port and in a directory of its own. It ends when this value is
/// dropped, and also when the whole test process ends without dropping it.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    directory: TempDir,
    port: Port,
    /// Whether a commit waits for the disk.
    is_durable: bool,
    running: Option<Process>,
}

impl PostgresServer {
    /// Starts an empty server and waits until it answers. It survives being killed, but not a crash
    /// of the machine.
    ///
    /// # Errors
    /// PostgreSQL is not installed (the message names the command that installs it), or the server
    /// did not answer in time (the message contains its log).
    pub fn start() -> Result<Self> {
        Self::empty(false)
    }

    /// As [`start`](Self::start), with the settings of a new installation: a commit waits for the disk.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_durable() -> Result<Self> {
        Self::empty(true)
    }

    fn empty(is_durable: bool) -> Result<Self> {
        Self::with_data("initdb", is_durable, |initdb| {
            initdb
                .args(["--auth=trust", "--username=regrant", "--encoding=UTF8", "--locale=C"])
                .arg("--no-sync");
        })
    }

    /// Starts a streaming replica of this server, which has what the server has committed so far.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_standby(&self) -> Result<Self> {
        let name =
            format!("host=127.0.0.1 user=regrant application_name=standby port={}", self.port());
        Self::with_data("pg_basebackup", self.is_durable, |backup| {
            backup.args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "--dbname",
                &name,
            ]);
        })
    }

    /// A commit of this server waits until a standby has it.
    ///
    /// # Errors
    /// There is no standby.
    pub fn wait_for_standbys(&self) -> Result<()> {
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.sql("SELECT pg_reload_conf()")?;
        let replicates = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        self.until(replicates, "1")
    }

    /// A standby receives nothing any more: what is committed from now on is lost with the primary.
    ///
    /// # Errors
    /// It is no standby.
    pub fn stop_receiving(&self) -> Result<()> {
        self.sql("ALTER SYSTEM SET primary_conninfo = ''")?;
        self.sql("SELECT pg_reload_conf()")?;
        self.until("SELECT count(*) FROM pg_stat_wal_receiver", "0")
    }

    /// A standby becomes the primary.
    ///
    /// # Errors
    /// It is no standby.
    pub fn promote(&self) -> Result<()> {
        self.sql("SELECT pg_promote()")?;
        self.until("SELECT pg_is_in_recovery()", "f")
    }

    fn until(&self, query: &str, result: &str) -> Result<()> {
        let since = Instant::now();
        while self.sql(query)? != result {
            ensure!(since.elapsed() < READY_WITHIN, "{query} is never {result}");
            sleep(ASK_EVERY);
        }
        Ok(())
    }

    /// A server with the data that a program makes.
    fn with_data(
        program: &str,
        is_durable: bool,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let programs = programs()?;
        let directory = directory_of_nobody("regrant-postgres-")?;
        let port = Port::free()?;
        let mut server = Self { programs, directory, port, is_durable, running: None };
        let mut making = server.program(program);
        making.arg("--pgdata").arg(server.data());
        arguments(&mut making);
        let output = making.output()?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        start_on_free_port("postgres", || {
            server.port = Port::free()?;
            server.launch()
        })?;
        Ok(server)
    }

    /// How clients reach it: `postgres://regrant@127.0.0.1:PORT/postgres`. Stays the same over
    /// [`restart`](Self::restart).
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://regrant@127.0.0.1:{}/postgres", self.port.number())
    }

    /// How clients reach it through a [`TcpProxy`](crate::TcpProxy) on this port.
    #[must_use]
    pub fn url_through(&self, proxy: &crate::TcpProxy) -> String {
        format!("postgres://regrant@127.0.0.1:{}/postgres", proxy.port())
    }

    /// The loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The version of the installed server, such as `15.18`.
    ///
    /// # Errors
    /// PostgreSQL is not installed.
    pub fn version() -> Result<String> {
        let output = Command::new(programs()?.join("postgres")).arg("--version").output()?;
        let text = String::from_utf8(output.stdout)?;
        let number =
            text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        Ok(number.context("postgres does not print its version")?.to_owned())
    }

    /// The id of the server's first process, the parent of all others; `None` if it does not run.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.running.as_ref().map(Process::id)
    }

    /// A client program of PostgreSQL, such as `pgbench`.
    #[must_use]
    pub fn client(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    /// Runs SQL as the superuser, and returns what `psql` prints.
    ///
    /// # Errors
    /// The SQL failed.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let output = self
            .program("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname"])
            .arg(self.url())
            .output()?;
        ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Kills the server (SIGKILL); its backends end when they notice.
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
        self.running = None;
        let since = Instant::now();
        loop {
            match self.launch() {
                // As long as a backend of the killed server is left, a new one refuses to start.
                Err(error) if since.elapsed() < READY_WITHIN => {
                    eprintln!("postgres: {error:#}");
                    sleep(ASK_EVERY);
                }
                outcome => return outcome,
            }
        }
    }

    /// Restarts the server so that it accepts TLS too, with the server's certificate of `certificates`.
    ///
    /// # Errors
    /// The files cannot be written, or the server did not answer in time.
    pub fn use_tls(&mut self, certificates: &crate::Certificates) -> Result<()> {
        let files = [
            (certificates.server_certificate(), "server.crt"),
            (certificates.server_key(), "server.key"),
        ];
        for (from, name) in files {
            let to = self.data().join(name);
            fs::copy(from, &to)?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?;
            if geteuid().is_root() {
                chown(&to, Some(NOBODY), Some(NOBODY))?;
            }
        }
        self.sql("ALTER SYSTEM SET ssl = on")?;
        self.restart()
    }

    /// Ends the server so that it removes the shared memory that a killed one leaves behind.
    fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let since = Instant::now();
        // What does not end is killed when `running` is dropped.
        while running.signal(Signal::QUIT).is_ok()
            && matches!(running.try_wait(), Ok(None))
            && since.elapsed() < STOPPED_WITHIN
        {
            sleep(ASK_EVERY);
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A program of PostgreSQL, run by somebody who is not root.
    fn program(&self, name: &str) -> Command {
        run_by_nobody(&self.programs.join(name), self.directory.path())
    }

    fn launch(&mut self) -> Result<()> {
        let log = self.directory.path().join("log");
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port().to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // What was written survives the death of the process all the same.
            if self.is_durable { "fsync=on" } else { "fsync=off" },
            "max_connections=200",
            // In its directory: segments in `/dev/shm` stay behind when the server is killed.
            "dynamic_shared_memory_type=mmap",
            "log_min_messages=fatal",
        ] {
            command.args(["-c", setting]);
        }
        let output = fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut process = Process::start(&mut command, self.directory.path())?;
        let since = Instant::now();
        while self.sql("SELECT 1").is_err() {
            let ended = process.try_wait()?;
            if ended.is_some() || since.elapsed() > READY_WITHIN {
                bail!("postgres does not answer: {}", fs::read_to_string(log).unwrap_or_default());
            }
            sleep(ASK_EVERY);
        }
        self.running = Some(process);
        Ok(())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A temporary directory that [`run_by_nobody`] can write to.
pub(crate) fn directory_of_nobody(prefix: &str) -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix(prefix).tempdir()?;
    if geteuid().is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY))?;
    }
    Ok(directory)
}

/// A program that refuses to run as root.
pub(crate) fn run_by_nobody(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).env("HOME", directory);
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The folder with `postgres` and `initdb`, the newest version first. Debian has them outside of the `PATH`.
fn programs() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .filter_map(|folder| folder.join("postgres").canonicalize().ok())
        .filter_map(|program| program.parent().map(Path::to_owned));
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    on_path
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .context("PostgreSQL is missing: apt-get install postgresql, or brew install postgresql")
}
