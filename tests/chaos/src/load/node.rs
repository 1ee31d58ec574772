//! Processes of an app on Node.js (`node/app.mjs`), whose sessions are in a database of its own through a recipe of
//! `bindings-node/docs/custom-stores.md`. They are called with lines of JSON, and can be killed.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use regrant::types::{SessionId, Subject};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::apps::{Pair, Refusal};

/// Where a process has its sessions.
#[derive(Clone, Debug)]
pub(crate) struct NodeStore {
    /// A name of `bindings-node/test/databases/stores.mjs`.
    pub(crate) recipe: &'static str,
    /// The address of the database.
    pub(crate) url: String,
    /// A name of `node/defects.mjs`, which the load must notice.
    pub(crate) defect: Option<&'static str>,
}

/// A process, which may be down.
pub(crate) struct NodeApp {
    store: NodeStore,
    config: Value,
    running: Mutex<Option<Running>>,
}

impl NodeApp {
    /// Starts a process; with `migrates`, one that creates the table.
    pub(super) fn start(store: NodeStore, config: Value, migrates: bool) -> Result<Self> {
        let running = Mutex::new(Some(Running::start(&store, &config, migrates)?));
        Ok(Self { store, config, running })
    }

    pub(super) async fn login(&self, subject: &Subject) -> Result<(SessionId, Pair), Refusal> {
        let answer = self.call(json!({ "call": "login", "subject": subject.as_str() })).await?;
        let session = answer["session"].as_str().and_then(|id| id.parse().ok());
        Ok((session.ok_or_else(Refusal::unexpected)?, pair_of(&answer)?))
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<Pair, Refusal> {
        pair_of(&self.call(json!({ "call": "refresh", "token": token })).await?)
    }

    pub(super) async fn logout(&self, token: &str) -> Result<(), Refusal> {
        self.call(json!({ "call": "logout", "token": token })).await.map(drop)
    }

    pub(super) async fn verify(&self, access: &str) -> Result<(), Refusal> {
        self.call(json!({ "call": "verify", "access": access })).await.map(drop)
    }

    async fn call(&self, call: Value) -> Result<Value, Refusal> {
        let answer = self.send(call).ok_or_else(Refusal::no_answer)?;
        let mut answer = answer.await.map_err(|_| Refusal::no_answer())?;
        match answer.get("failure") {
            Some(failure) => Err(Refusal::parse(failure)),
            None => Ok(answer["value"].take()),
        }
    }

    /// `None` if the process is down.
    fn send(&self, call: Value) -> Option<oneshot::Receiver<Value>> {
        lock(&self.running).as_mut()?.send(call)
    }

    /// Kills the process (SIGKILL) in the middle of what it does.
    pub(super) fn kill(&self) -> Result<()> {
        self.ensure_running()?;
        *lock(&self.running) = None;
        Ok(())
    }

    /// Starts the process again.
    pub(super) fn restart(&self) -> Result<()> {
        let running = Running::start(&self.store, &self.config, false)?;
        *lock(&self.running) = Some(running);
        Ok(())
    }

    /// Fails if the process has ended by itself.
    pub(super) fn ensure_running(&self) -> Result<()> {
        let mut running = lock(&self.running);
        let running = running.as_mut().context("the app does not run")?;
        let ended = running.process.try_wait()?;
        ensure!(ended.is_none(), "an app has ended by itself ({ended:?}); see above");
        Ok(())
    }
}

fn pair_of(answer: &Value) -> Result<Pair, Refusal> {
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let tokens = text("access").zip(text("refresh"));
    let (access, refresh) = tokens.ok_or_else(Refusal::unexpected)?;
    Ok(Pair { access, refresh })
}

/// The calls without an answer yet. `None` when the process has ended: they will get none.
type Waiting = Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>;

/// A process that runs. Killed on drop; it also ends when this program ends.
struct Running {
    process: Child,
    input: ChildStdin,
    waiting: Arc<Waiting>,
    calls: u64,
}

impl Running {
    fn start(store: &NodeStore, config: &Value, migrates: bool) -> Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/app.mjs");
        let mut node = Command::new("node");
        node.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn().context("cannot start node")?;
        let input = process.stdin.take().context("no standard input")?;
        let output = BufReader::new(process.stdout.take().context("no standard output")?);
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let mut running = Self { process, input, waiting, calls: 0 };
        running.introduce(store, config, migrates, output)?;
        Ok(running)
    }

    /// Tells the process what it is, and waits until it is ready.
    fn introduce(
        &mut self,
        store: &NodeStore,
        config: &Value,
        migrates: bool,
        mut output: BufReader<ChildStdout>,
    ) -> Result<()> {
        let NodeStore { recipe, url, defect } = store;
        let first = json!({
            "recipe": recipe, "url": url, "defect": defect, "config": config, "migrates": migrates,
        });
        writeln!(self.input, "{first}")?;
        let mut ready = String::new();
        output.read_line(&mut ready)?;
        if ready.is_empty() {
            bail!("{recipe}: the app has not started; see above. It needs the npm package, built");
        }
        let waiting = Arc::clone(&self.waiting);
        // Ends with the process.
        thread::spawn(move || receive(output, &waiting));
        Ok(())
    }

    fn send(&mut self, mut call: Value) -> Option<oneshot::Receiver<Value>> {
        self.calls += 1;
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).as_mut()?.insert(self.calls, sender);
        call["id"] = self.calls.into();
        writeln!(self.input, "{call}").ok()?;
        Some(receiver)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on the answers of a process until it ends.
fn receive(output: BufReader<ChildStdout>, waiting: &Waiting) {
    for line in output.lines().map_while(Result::ok) {
        // The last line of a process that was killed may be a part of one.
        let Ok(answer) = serde_json::from_str::<Value>(&line) else { break };
        let id = answer["id"].as_u64().unwrap_or_default();
        let caller = lock(waiting).as_mut().and_then(|waiting| waiting.remove(&id));
        // The caller may have stopped waiting.
        caller.map(|caller| caller.send(answer));
    }
    *lock(waiting) = None;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
