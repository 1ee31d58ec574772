//! The control: a strict rotation on ioredis, as many apps have it (`node/peer.mjs`), with clients of its
//! own on the same servers as the load and under the same faults.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// What happened to the clients of the peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerCounts {
    /// Sessions of honest clients.
    pub(crate) honest: u64,
    /// Those that were rejected.
    pub(crate) signed_out: u64,
    /// Acknowledged logouts.
    pub(crate) logouts: u64,
    /// Those whose tokens were accepted later.
    pub(crate) forgotten: u64,
    /// Refreshes that returned a token.
    pub(crate) refreshes: u64,
    /// Requests that failed and were repeated.
    pub(crate) failed: u64,
    /// Requests of clients that repeat them without end.
    pub(crate) endless: u64,
}

impl PeerCounts {
    /// Adds the counts of another scenario.
    pub(crate) fn include(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.honest, other.honest),
            (&mut self.signed_out, other.signed_out),
            (&mut self.logouts, other.logouts),
            (&mut self.forgotten, other.forgotten),
            (&mut self.refreshes, other.refreshes),
            (&mut self.failed, other.failed),
            (&mut self.endless, other.endless),
        ] {
            *sum += more;
        }
    }
}

/// A running peer. Killed on drop.
pub(crate) struct Peer {
    process: Child,
    /// The peer runs until this is closed.
    input: Option<ChildStdin>,
}

impl Peer {
    /// Starts processes of the peer, one for each address; with `endless`, clients that repeat one
    /// request. `None` without Node.js or ioredis (`npm ci` in `tests/chaos/node`).
    pub(crate) fn start(urls: &[String], endless: bool) -> Result<Option<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
        if !folder.join("node_modules/ioredis").is_dir() {
            return Ok(None);
        }
        let mut node = Command::new("node");
        node.arg(folder.join("peer.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut process) = node.spawn() else { return Ok(None) };
        let mut input = process.stdin.take().context("no standard input")?;
        input.write_all(json!({ "addresses": urls, "endless": endless }).to_string().as_bytes())?;
        Ok(Some(Self { process, input: Some(input) }))
    }

    /// Ends the peer after all faults are fixed.
    pub(crate) fn finish(mut self) -> Result<PeerCounts> {
        self.input = None;
        let mut output = String::new();
        self.process.stdout.take().context("no standard output")?.read_to_string(&mut output)?;
        ensure!(self.process.wait()?.success(), "the peer has failed; see above");
        let counts: Value = serde_json::from_str(&output).context("the peer's counts")?;
        let count = |name: &str| counts[name].as_u64().with_context(|| format!("no {name}"));
        Ok(PeerCounts {
            honest: count("honest")?,
            signed_out: count("signedOut")?,
            logouts: count("logouts")?,
            forgotten: count("forgotten")?,
            refreshes: count("refreshes")?,
            failed: count("failed")?,
            endless: count("endless")?,
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
