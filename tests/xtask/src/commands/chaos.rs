//! `cargo xtask chaos`: honest clients and thieves over servers that are killed, failed over, cut
//! off and moved.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::setup;
use crate::args::Chaos;
use crate::process::Step;
use crate::tools::Tool;

/// What it needs beside Cargo.
pub(crate) const NEEDS: &[Tool] = &[Tool::RedisServer];

/// The scenario that is a test of the file store, which only kills more processes here.
const FILE_KILL: &str = "file-kill";
/// Processes that it kills.
const KILLS: &str = "200";
/// How that test's last words begin.
const KILLS_SAID: &str = "kills: ";

/// Runs what was asked for.
pub(crate) fn run(chaos: &Chaos) -> Result<ExitCode> {
    setup::install_missing(NEEDS)?;
    if let Some(missing) = Tool::missing_of(NEEDS).first() {
        bail!("{}", missing.advice());
    }
    let (files, servers): (Vec<_>, Vec<_>) =
        chaos.names.iter().cloned().partition(|name| name == FILE_KILL);
    let all = chaos.names.is_empty();
    let mut killed = None;
    if all && !chaos.quick || !files.is_empty() {
        killed = Some(kill_file_users(chaos.quick)?);
    }
    let mut failure = None;
    if all || !servers.is_empty() {
        // Where it fails there is a table as well.
        failure = program(&Chaos { names: servers, ..chaos.clone() }).run().err();
    }
    if let Some(killed) = killed {
        println!("\nfile-kill: {killed}");
        if let Some(path) = &chaos.report {
            append(path, &format!("\nfile-kill: {killed}\n"))?;
        }
    }
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Every kind of fault once.
pub(crate) fn quick() -> Result<()> {
    program(&Chaos { quick: true, ..Chaos::default() }).run()
}

/// Kills processes that share a file; returns what the test found out.
fn kill_file_users(quick: bool) -> Result<String> {
    let mut test = Step::new("cargo").args(["test", "--locked", "-p", "regrant-session-tests"]);
    test = test.args(["--test", "kills"]);
    if !quick {
        test = test.env("REGRANT_KILLS", KILLS);
    }
    let said = test.run_and_keep()?;
    let words = said.lines().find_map(|line| line.split_once(KILLS_SAID));
    Ok(words.context("the test of kills did not say how many")?.1.to_owned())
}

fn program(chaos: &Chaos) -> Step {
    let mut step = Step::new("cargo").args(["run", "--locked", "--quiet", "-p", "regrant-chaos"]);
    step = step.args(["--"]);
    if chaos.quick {
        step = step.args(["--quick"]);
    }
    if let Some(seed) = chaos.seed {
        step = step.args(["--seed", &seed.to_string()]);
    }
    if let Some(path) = &chaos.report {
        step = step.args(["--report".as_ref(), path.as_os_str()]);
    }
    step.args(&chaos.names)
}

fn append(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
