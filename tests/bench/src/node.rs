//! Runs Node.js scripts, which print their results as lines of JSON.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Runs a script of the folder `node` with one argument, and passes each line that it prints to
/// `each`.
pub(crate) fn run<T: DeserializeOwned>(
    script: &str,
    order: &Value,
    mut each: impl FnMut(T),
) -> Result<()> {
    let mut child = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(script))
        .arg(order.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    for line in BufReader::new(child.stdout.take().context("no standard output")?).lines() {
        let line = line?;
        each(serde_json::from_str(&line).with_context(|| format!("{script} prints {line:?}"))?);
    }
    ensure!(child.wait()?.success(), "{script} has failed; see above");
    Ok(())
}
