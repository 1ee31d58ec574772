//! The raw limit of PostgreSQL: `pgbench` sends exactly the statements that the store sends.
//!
//! The statements are not duplicated here: they are read from `pg_stat_activity`, where the server shows the
//! last one of each connection, and only the parameters are replaced by variables of `pgbench`. The record
//! that is written is one that the store has written.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::contestants::{Raw, RawRun};
use crate::population::{first_token, policy, refresh, session, user};
use crate::server::{Postgres, Server as _};
use crate::statistics::Sample;

/// The connections of a store.
const CONNECTIONS_OF_A_STORE: usize = 10;

/// The version of each row that `pgbench` writes. It stays the same, because `pgbench` cannot remember one
/// per user.
const VERSION: i64 = 1;

/// The statements of a refresh, ready for `pgbench`.
#[derive(Clone)]
pub(super) struct Statements {
    load: String,
    update: String,
    /// `name=value`.
    variables: Vec<String>,
}

impl Statements {
    /// Captures a refresh of user 0. The users of `pgbench` exist already.
    pub(super) async fn overhear(server: &Postgres) -> Result<Self> {
        let store = server.store()?;
        let (subject, session) = (user(0)?, session(0)?);
        let policy = policy();
        let renew = async || refresh(&*store, &subject, &session, &first_token(), &policy).await;
        let update = overheard(server, "UPDATE", renew).await?;
        let list = async || store.list(&subject).await.map(drop).map_err(Into::into);
        let load = overheard(server, "SELECT", list).await?;
        let column = async |column, subject: &str| {
            let sql = format!("SELECT {column} FROM regrant_users WHERE subject = '{subject}'");
            server.sql(&sql).await
        };
        let sessions = column("sessions", subject.as_str()).await?;
        // As most refreshes, those of `pgbench` do not change it.
        let expires_at = column("expires_at", &Postgres::FIRST_NUMBER.to_string()).await?;
        Ok(Self {
            load: with_values(&load, &[":subject", "NULL"])?,
            // Without the time that the store has estimated: it is compared with the server's.
            update: with_values(
                &update,
                &[":subject", ":sessions", ":expires_at", ":version", ":version", "NULL"],
            )?,
            variables: vec![
                format!("sessions={sessions}"),
                format!("expires_at={expires_at}"),
                format!("version={VERSION}"),
            ],
        })
    }
}

/// The last statement about users with this verb, which `call` sends. The server shows one statement per connection,
/// and the store also deletes what has expired: then `call` is repeated.
async fn overheard(
    server: &Postgres,
    verb: &str,
    call: impl AsyncFn() -> Result<()>,
) -> Result<String> {
    let sql = format!(
        "SELECT query FROM pg_stat_activity
        WHERE application_name = 'regrant' AND query ~ '^\\s*{verb}.*regrant_users'
        ORDER BY query_start DESC LIMIT 1"
    );
    for _ in 0..100 {
        call().await?;
        let statement = server.sql(&sql).await?.trim().to_owned();
        if !statement.is_empty() {
            return Ok(statement);
        }
    }
    bail!("the store sent no {verb}")
}

/// The statement with these values in place of `$1`, `$2` and so on, on one line.
fn with_values(statement: &str, values: &[&str]) -> Result<String> {
    let mut text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    for (index, value) in values.iter().enumerate() {
        let parameter = format!("${}", index + 1);
        ensure!(text.contains(&parameter), "no {parameter} in {text}");
        text = text.replace(&parameter, value);
    }
    ensure!(!text.contains('$'), "more parameters than {}: {text}", values.len());
    Ok(text)
}

/// `pgbench` with the statements of a refresh.
#[derive(Clone)]
pub(super) struct Pgbench {
    program: OsString,
    url: String,
    statements: Statements,
    users: u64,
    /// `-M`: `extended`, as the store sends statements, or `prepared`, once per connection.
    mode: &'static str,
    /// Whether the row is read before it is written.
    reads: bool,
    most_connections: usize,
}

impl Pgbench {
    /// As a store that sends both statements, on as many connections as it has.
    pub(super) fn new(server: &Postgres, statements: Statements, users: u64) -> Self {
        Self {
            program: server.program("pgbench").get_program().to_owned(),
            url: server.url(),
            statements,
            users,
            mode: "extended",
            reads: true,
            most_connections: CONNECTIONS_OF_A_STORE,
        }
    }

    /// The same with one connection for each concurrent call.
    pub(super) fn on_all_connections(&self) -> Self {
        Self { most_connections: usize::MAX, ..self.clone() }
    }

    /// The same with statements that are prepared once.
    pub(super) fn prepared(&self) -> Self {
        Self { mode: "prepared", ..self.clone() }
    }

    /// The same without reading the row, as a store that has written it last.
    pub(super) fn only_update(&self) -> Self {
        Self { reads: false, ..self.clone() }
    }

    fn connections(&self, concurrency: usize) -> usize {
        concurrency.min(self.most_connections)
    }

    fn script(&self) -> String {
        let first = Postgres::FIRST_NUMBER;
        let mut script = format!("\\set subject random({first}, {})\n", first + self.users - 1);
        if self.reads {
            script += &format!("{};\n", self.statements.load);
        }
        script + &format!("{};\n", self.statements.update)
    }
}

impl Raw for Pgbench {
    fn name(&self, concurrency: usize) -> String {
        let what = if self.reads { "" } else { ", only UPDATE" };
        format!("pgbench -M {} -c {}{what}", self.mode, self.connections(concurrency))
    }

    fn is_for(&self, concurrency: usize) -> bool {
        self.most_connections != usize::MAX || concurrency > CONNECTIONS_OF_A_STORE
    }

    fn run(&self, concurrency: usize, calls: u64) -> Result<RawRun> {
        let folder = tempfile::tempdir()?;
        let script = folder.path().join("script.sql");
        std::fs::write(&script, self.script())?;
        let connections = self.connections(concurrency);
        let each = calls / connections as u64 + 1;
        let mut command = Command::new(&self.program);
        command
            .args(["--no-vacuum", "--protocol", self.mode])
            .args(["--client", &connections.to_string(), "--transactions", &each.to_string()])
            .args(self.statements.variables.iter().flat_map(|variable| ["--define", variable]))
            .arg("--log")
            .arg("--log-prefix")
            .arg(folder.path().join("latency"))
            .arg("--file")
            .arg(script)
            .arg(&self.url);
        let output = command.stdin(Stdio::null()).output().context("cannot run pgbench")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench: {}{text}{errors}", output.status);
        let rate = rate(&text).with_context(|| format!("pgbench says {text}{errors}"))?;
        let latency = latencies(folder.path())?;
        let calls = each * connections as u64;
        Ok(RawRun { calls, rate, p50: latency.percentile(0.5), p99: latency.percentile(0.99) })
    }
}

/// Of the line `tps = 1234.5 (without initial connection time)`.
fn rate(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Of each transaction, in microseconds: the third value of each line of the logs.
fn latencies(folder: &Path) -> Result<Sample> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("latency") {
            for line in std::fs::read_to_string(file.path())?.lines() {
                let value = line.split(' ').nth(2).context("a line of pgbench's log")?;
                all.push(value.parse()?);
            }
        }
    }
    Sample::new(all).context("pgbench has logged nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_by_values() {
        let text = with_values("\n SELECT $2,\n  $1::text", &[":a", "NULL"]).unwrap();
        assert_eq!(text, "SELECT NULL, :a::text");
        assert!(with_values("SELECT $1", &[":a", ":b"]).is_err());
        assert!(with_values("SELECT $1, $2", &[":a"]).is_err());
    }

    #[test]
    fn the_rate_is_parsed() {
        let text = "latency average = 0.1 ms\ntps = 215.71 (without initial connection time)\n";
        assert_eq!(rate(text), Some(215.71));
        assert_eq!(rate("pgbench: error"), None);
    }
}
