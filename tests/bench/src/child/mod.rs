//! Child processes of the benchmarks: `regrant-bench child NAME ARGUMENT`.

pub(crate) mod denied;
pub(crate) mod verifier;

use std::process::Command;

use anyhow::{Result, bail};

/// The command that runs this program as the child of that name.
fn command(name: &str, argument: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", name, argument]);
    Ok(command)
}

/// Runs as the child of that name.
pub(crate) fn run(name: &str, argument: &str) -> Result<()> {
    match name {
        denied::NAME => denied::run(argument),
        verifier::NAME => verifier::run(argument),
        other => bail!("no child is called {other}"),
    }
}
