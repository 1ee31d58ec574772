//! A real PgBouncer for tests.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::PostgresServer;
use crate::port::Port;
use crate::postgres::{directory_of_nobody, run_by_nobody};
use crate::process::Process;

/// How long it may take until it accepts connections.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A PgBouncer in transaction mode in front of a server. It ends when this value is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    port: Port,
    _running: Process,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts it, with two connections to the server for all clients.
    ///
    /// # Errors
    /// It is not installed (the message names the command that installs it), or does not start.
    pub fn start(server: &PostgresServer) -> Result<Self> {
        let directory = directory_of_nobody("regrant-pgbouncer-")?;
        let port = Port::free()?;
        let settings = directory.path().join("pgbouncer.ini");
        fs::write(
            &settings,
            format!(
                "[databases]\n\
                 postgres = host=127.0.0.1 port={} dbname=postgres user=regrant\n\
                 [pgbouncer]\n\
                 listen_addr = 127.0.0.1\n\
                 listen_port = {}\n\
                 unix_socket_dir =\n\
                 auth_type = any\n\
                 pool_mode = transaction\n\
                 default_pool_size = 2\n\
                 max_client_conn = 200\n",
                server.port(),
                port.number()
            ),
        )?;
        let log = directory.path().join("log");
        let output = fs::File::create(&log)?;
        let mut command = run_by_nobody(&program()?, directory.path());
        command.arg(&settings).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut running = Process::start(&mut command, directory.path())?;
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port.number())).is_err() {
            ensure!(
                running.try_wait()?.is_none() && since.elapsed() < READY_WITHIN,
                "pgbouncer does not answer: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            sleep(Duration::from_millis(30));
        }
        Ok(Self { port, _running: running, _directory: directory })
    }

    /// How clients reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://regrant@127.0.0.1:{}/postgres", self.port.number())
    }
}

/// Debian has it outside of the `PATH` of ordinary users.
fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
        .context("PgBouncer is missing: apt-get install pgbouncer, or brew install pgbouncer")
}
