//! `cargo xtask chaos`: honest clients and thieves over servers that are killed, failed over, cut
//! off and moved; and the clients of all languages, killed, cut off and robbed.

mod clients;

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
    let only = |wanted: fn(&str) -> bool| {
        let names = chaos.names.iter().filter(|name| wanted(name)).cloned().collect();
        Chaos { names, ..chaos.clone() }
    };
    let (files, apps) = (only(|name| name == FILE_KILL), only(clients::is_one));
    let servers = only(|name| name != FILE_KILL && !clients::is_one(name));
    let all = chaos.names.is_empty();
    let needs_redis = all || !servers.names.is_empty();
    if needs_redis {
        setup::install_missing(NEEDS)?;
        if let Some(missing) = Tool::missing_of(NEEDS).first() {
            bail!("{}", missing.advice());
        }
    }
    let mut lines = Vec::new();
    if all && !chaos.quick || !files.names.is_empty() {
        lines.push(format!("file-kill: {}", kill_file_users(chaos.quick)?));
    }
    let mut failures = Vec::new();
    if needs_redis {
        // Where it fails there is a table as well.
        failures.extend(program(&servers).run().err());
    }
    if all && !chaos.quick || !apps.names.is_empty() {
        match clients::run(&apps) {
            Ok(counted) => lines.extend(counted),
            Err(error) => failures.push(error),
        }
    }
    let counted = lines.join("\n");
    println!("\n{counted}");
    if let Some(path) = &chaos.report {
        append(path, &format!("\n{counted}\n"))?;
    }
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let failures: Vec<_> = failures.iter().map(|error| format!("{error:#}")).collect();
    bail!("{}", failures.join("\n"));
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
