//! The whole refresh in Node.js with the built addon, in a child process that runs on request.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::turn::Turn;
use crate::callers::auth::SECRET;
use crate::population::LABEL;
use crate::server::PATIENCE;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node/rotation.mjs");

pub(super) struct Node(Mutex<Process>);

struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    /// Starts the process, which logs in this many users.
    pub(super) fn log_in(url: &str, users: u64) -> Result<Self> {
        let mut child = Command::new("node")
            .arg(Path::new(SCRIPT))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node")?;
        let requests = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut process = Process { child, requests, answers };
        let config = json!({
            "secret": SECRET,
            "store": url,
            // Of any store.
            "redis": { "timeout": PATIENCE.as_secs() },
        });
        process.ask(&json!({ "config": config, "users": users, "device": LABEL }))?;
        Ok(Self(Mutex::new(process)))
    }

    /// For this time, `concurrency` callers present the newest tokens of random users of their own.
    pub(super) fn run(&self, concurrency: usize, time: Duration) -> Result<Turn> {
        let request = json!({ "concurrency": concurrency, "milliseconds": time.as_millis() });
        let mut process = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = process.ask(&request)?;
        let number = |name: &str| -> Result<f64> {
            answer[name].as_f64().with_context(|| format!("no {name} in {answer}"))
        };
        let calls = number("calls")?;
        Ok(Turn {
            rate: calls / (number("milliseconds")? / 1e3),
            p50: number("p50")?,
            p99: number("p99")?,
            calls: calls as u64,
            client: Some(Duration::from_secs_f64(number("processor")? / 1e6)),
            server: Default::default(),
        })
    }
}

impl Process {
    /// Sends one line and reads one line.
    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}").context("node has exited; see above")?;
        self.requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| {
            format!("node answers {line:?}; see above. Is the addon built (`npm run build`)?")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that the process has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
