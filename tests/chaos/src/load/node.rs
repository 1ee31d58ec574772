//! Processes of an app on Node.js (`node/app.mjs`), whose sessions are in a database of its own through a recipe of
//! `bindings-node/docs/custom-stores.md`. They can be killed.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use regrant::types::{SessionId, Subject};
use regrant_test_support::NodeProcess;
use serde_json::{Value, json};

use super::apps::{Pair, Refusal};

/// Where a process has its sessions.
#[derive(Clone, Debug)]
pub(crate) struct NodeStore {
    /// A name of `bindings-node/test/databases/stores.mjs`.
    pub(crate) recipe: &'static str,
    /// The address of the database.
    pub(crate) url: String,
    /// A name of `tests/support/node/defects.mjs`, which the load must notice.
    pub(crate) defect: Option<&'static str>,
}

impl NodeStore {
    /// Starts a process; with `migrates`, one that creates the table.
    fn start(&self, config: &Value, migrates: bool) -> Result<NodeProcess> {
        let Self { recipe, url, defect } = self;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/app.mjs");
        let config = json!({
            "recipe": recipe, "url": url, "defect": defect, "config": config, "migrates": migrates,
        });
        NodeProcess::start(&program, &config).context(*recipe)
    }
}

/// A process, which may be down.
pub(crate) struct NodeApp {
    store: NodeStore,
    config: Value,
    running: Mutex<Option<NodeProcess>>,
}

impl NodeApp {
    /// Starts a process; with `migrates`, one that creates the table.
    pub(super) fn start(store: NodeStore, config: Value, migrates: bool) -> Result<Self> {
        let running = Mutex::new(Some(store.start(&config, migrates)?));
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
        let answer = self.running().as_ref().map(|process| process.call(call));
        let answer = answer.ok_or_else(Refusal::no_answer)?.await;
        let mut answer = answer.ok_or_else(Refusal::no_answer)?;
        match answer.get("failure") {
            Some(failure) => Err(Refusal::parse(failure)),
            None => Ok(answer["value"].take()),
        }
    }

    /// Kills the process (SIGKILL) in the middle of what it does.
    pub(super) fn kill(&self) -> Result<()> {
        self.ensure_running()?;
        *self.running() = None;
        Ok(())
    }

    /// Starts the process again.
    pub(super) fn restart(&self) -> Result<()> {
        let running = self.store.start(&self.config, false)?;
        *self.running() = Some(running);
        Ok(())
    }

    /// Fails if the process has ended by itself.
    pub(super) fn ensure_running(&self) -> Result<()> {
        self.running().as_mut().context("the app does not run")?.ensure_running()
    }

    fn running(&self) -> MutexGuard<'_, Option<NodeProcess>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair_of(answer: &Value) -> Result<Pair, Refusal> {
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let tokens = text("access").zip(text("refresh"));
    let (access, refresh) = tokens.ok_or_else(Refusal::unexpected)?;
    Ok(Pair { access, refresh })
}
