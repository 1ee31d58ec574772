//! The raw limit: `redis-benchmark` sends exactly the command that the store sends.
//!
//! The command is not duplicated here: it is captured with `MONITOR` while the store
//! refreshes one session, and only the user's number is replaced by a random one. So both sides
//! run the same script with the same arguments on the same records.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::contestants::{Raw, RawRun};
use crate::population::{first_token, policy, refresh, session, user};
use crate::server::{Redis, Server as _};

/// How long the server may take to show a command.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// A deadline in the far future that replaces the store's short one; it has as many digits.
const NEVER_LATE: &str = "4102444800000";

/// The placeholder of `redis-benchmark` for a random number.
const RANDOM: &str = "__rand_int__";

/// `redis-benchmark` with the command of a refresh.
#[derive(Clone)]
pub(super) struct RedisBenchmark {
    arguments: Vec<String>,
    port: u16,
    users: u64,
    flow: Flow,
}

/// How concurrent calls reach the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Each on a connection of its own.
    Connections,
    /// All on one connection.
    Pipeline,
}

impl RedisBenchmark {
    /// Captures the refresh of user 0.
    pub(super) async fn overhear(server: &Redis, users: u64) -> Result<Self> {
        let store = server.store()?;
        let token = first_token();
        // Once before capturing: the first call of a script sends its source.
        refresh(&*store, &user(0)?, &session(0)?, &token, &policy()).await?;
        let mut monitor = monitor(server.port())?;
        refresh(&*store, &user(0)?, &session(0)?, &token, &policy()).await?;
        let command = tokio::task::spawn_blocking(move || {
            loop {
                let mut line = String::new();
                ensure!(monitor.read_line(&mut line)? > 0, "the monitor's connection was closed");
                if line.contains("\"EVALSHA\"") {
                    return words(&line);
                }
            }
        })
        .await??;
        let number = format!("{:012}", 0);
        let mut arguments: Vec<_> =
            command.iter().map(|word| word.replace(&number, RANDOM)).collect();
        let until = arguments.last_mut().context("no arguments")?;
        ensure!(until.len() == NEVER_LATE.len() && until.parse::<u64>().is_ok(), "{until}");
        NEVER_LATE.clone_into(until);
        let random = arguments.iter().filter(|word| word.contains(RANDOM)).count();
        ensure!(random == 1, "{random} arguments name the user: {arguments:?}");
        Ok(Self { arguments, port: server.port(), users, flow: Flow::Connections })
    }

    /// The same with all concurrent calls on one connection.
    pub(super) fn pipelined(&self) -> Self {
        Self { flow: Flow::Pipeline, ..self.clone() }
    }
}

impl Raw for RedisBenchmark {
    fn name(&self, concurrency: usize) -> String {
        match self.flow {
            Flow::Connections => format!("redis-benchmark -c {concurrency}"),
            Flow::Pipeline => format!("redis-benchmark -c 1 -P {concurrency}"),
        }
    }

    /// With one caller, the pipeline is the same as the single connection.
    fn is_for(&self, concurrency: usize) -> bool {
        self.flow == Flow::Connections || concurrency > 1
    }

    fn run(&self, concurrency: usize, calls: u64) -> Result<RawRun> {
        let (connections, pipeline) = match self.flow {
            Flow::Connections => (concurrency, 1),
            Flow::Pipeline => (1, concurrency),
        };
        let output = Command::new("redis-benchmark")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--csv"])
            .args(["-r", &self.users.to_string(), "-n", &calls.to_string()])
            .args(["-c", &connections.to_string(), "-P", &pipeline.to_string()])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .output()
            .context("cannot run redis-benchmark")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "redis-benchmark: {}{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        result(&text, calls).with_context(|| format!("redis-benchmark says {text}"))
    }
}

/// The last line: `"command","rps","avg","min","p50","p95","p99","max"`, latencies in ms.
fn result(text: &str, calls: u64) -> Option<RawRun> {
    let line = text.lines().last()?.trim_end().strip_suffix('"')?;
    let mut fields = line.rsplit("\",\"");
    let mut number = |skip: usize| fields.nth(skip)?.parse::<f64>().ok();
    let (p99, p50, rate) = (number(1)?, number(1)?, number(2)?);
    Some(RawRun { calls, rate, p50: p50 * 1000.0, p99: p99 * 1000.0 })
}

/// A connection on which the server shows every command.
fn monitor(port: u16) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(SHOWN_WITHIN))?;
    stream.write_all(b"MONITOR\r\n")?;
    let mut monitor = BufReader::new(stream);
    let mut answer = String::new();
    monitor.read_line(&mut answer)?;
    ensure!(answer == "+OK\r\n", "MONITOR answers {answer}");
    Ok(monitor)
}

/// The words of a line such as `+1700000000.1 [0 127.0.0.1:1] "GET" "key"`.
fn words(line: &str) -> Result<Vec<String>> {
    let (_, quoted) = line.split_once("] ").context("no command in the monitor's line")?;
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut characters = quoted.trim_end().chars();
    while let Some(character) = characters.next() {
        match (&mut word, character) {
            (None, '"') => word = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => words.extend(word.take()),
            (Some(word), '\\') => match characters.next() {
                Some(escaped @ ('"' | '\\')) => word.push(escaped),
                _ => bail!("an argument is not printable, so redis-benchmark cannot send it"),
            },
            (Some(word), other) => word.push(other),
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_command_is_parsed() {
        let line = r#"+1700000000.123456 [0 127.0.0.1:5000] "EVALSHA" "" "a \"b\\ c" "x""#;
        assert_eq!(words(line).unwrap(), ["EVALSHA", "", r#"a "b\ c"#, "x"]);
        assert!(words(r#"+1 [0 x] "\x00""#).is_err());
        assert!(words("+OK").is_err());
    }

    #[test]
    fn the_result_is_parsed_from_the_end_of_the_line() {
        let text = "\"test\",\"rps\",\"avg_latency_ms\"\n\
            \"EVALSHA a \"\",\"\" b\",\"12345.67\",\"0.071\",\"0.032\",\"0.063\",\"0.111\",\"0.175\",\"1.5\"\n";
        let run = result(text, 7).unwrap();
        assert_eq!((run.calls, run.rate, run.p50, run.p99), (7, 12345.67, 63.0, 175.0));
        assert!(result("Could not connect", 7).is_none());
    }
}
