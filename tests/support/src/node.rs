//! Processes of Node.js that tests call with lines of JSON. Their side of it is `tests/support/node/calls.mjs`.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::sync::oneshot;

/// The calls without a response yet. `None` when the process has ended: they will get none.
type Waiting = Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>;

/// A running process. Killed (SIGKILL) on drop; it also ends when this program ends.
#[derive(Debug)]
pub struct NodeProcess {
    process: Child,
    input: Mutex<Input>,
    waiting: Arc<Waiting>,
}

#[derive(Debug)]
struct Input {
    pipe: ChildStdin,
    calls: u64,
}

impl NodeProcess {
    /// Starts a program with this configuration and waits until it is ready.
    ///
    /// # Errors
    /// Node.js is not installed, or the program fails, for which it has printed the reason.
    pub fn start(program: &Path, config: &Value) -> Result<Self> {
        let mut node = Command::new("node");
        node.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn().context("cannot start Node.js (20 or newer)")?;
        let pipe = process.stdin.take().context("no standard input")?;
        let output = BufReader::new(process.stdout.take().context("no standard output")?);
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let input = Mutex::new(Input { pipe, calls: 0 });
        // Killed on an error, too.
        let started = Self { process, input, waiting };
        started.configure(config, output).with_context(|| {
            let name = program.display();
            format!("{name} has not started; see above. It needs the npm package, built")
        })?;
        Ok(started)
    }

    fn configure(&self, config: &Value, mut output: BufReader<ChildStdout>) -> Result<()> {
        writeln!(lock(&self.input).pipe, "{config}")?;
        let mut ready = String::new();
        output.read_line(&mut ready)?;
        ensure!(!ready.is_empty(), "it has ended");
        let waiting = Arc::clone(&self.waiting);
        // Ends with the process.
        thread::spawn(move || receive(output, &waiting));
        Ok(())
    }

    /// Sends a call, a JSON object, at once. The response comes with the future; `None` if the process ends without it.
    pub fn call(&self, call: Value) -> impl Future<Output = Option<Value>> + Send + use<> {
        let response = self.send(call);
        async move { response?.await.ok() }
    }

    fn send(&self, mut call: Value) -> Option<oneshot::Receiver<Value>> {
        let mut input = lock(&self.input);
        input.calls += 1;
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).as_mut()?.insert(input.calls, sender);
        call["id"] = input.calls.into();
        writeln!(input.pipe, "{call}").ok()?;
        Some(receiver)
    }

    /// Fails if the process has ended by itself.
    ///
    /// # Errors
    /// As it says.
    pub fn ensure_running(&mut self) -> Result<()> {
        let ended = self.process.try_wait()?;
        ensure!(ended.is_none(), "a process of Node.js has ended by itself ({ended:?}); see above");
        Ok(())
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on the responses of a process until it ends.
fn receive(output: BufReader<ChildStdout>, waiting: &Waiting) {
    for line in output.lines().map_while(Result::ok) {
        // The last line of a process that was killed may be a part of one.
        let Ok(response) = serde_json::from_str::<Value>(&line) else { break };
        let id = response["id"].as_u64().unwrap_or_default();
        let caller = lock(waiting).as_mut().and_then(|waiting| waiting.remove(&id));
        // The caller may have stopped waiting.
        caller.map(|caller| caller.send(response));
    }
    *lock(waiting) = None;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
