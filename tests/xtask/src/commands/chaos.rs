//! `cargo xtask chaos`: honest clients and thieves against servers that are killed, failed over, partitioned and
//! resharded; and the clients of all languages with kills, network faults and stolen tokens.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::Chaos;
use crate::cargo::{self, Build, Kind};
use crate::checkout::{self, CHAOS};
use crate::clients::{self, Client, Length};
use crate::npm;
use crate::process::{Invocation, Skip};
use crate::tools::{self, Tool};

/// Required tools besides Cargo.
pub(crate) const NEEDS: &[Tool] =
    &[Tool::RedisServer, Tool::Postgres, Tool::PgBouncer, Tool::MariaDb, Tool::Node];

const PROGRAM: &str = "regrant-chaos";

/// The prefix of the scenarios with processes of the npm package.
const CUSTOM: &str = "custom-";
/// The scenario that runs the kill test of the file store with more kills.
const FILE_KILL: &str = "file-kill";
/// Part of the name of that test.
const KILL_TEST: &str = "acknowledged";
/// How many processes it kills.
const KILLS: &str = "200";
/// The prefix of that test's result.
const KILLS_PREFIX: &str = "kills: ";

/// The scenarios that are the end-to-end tests of a client.
const CLIENTS: [(&str, Client, &[Tool]); 3] = [
    ("client-rust", Client::Rust, &[Tool::Node]),
    ("client-kotlin", Client::Kotlin, &[Tool::Node, Tool::Jdk, Tool::Maven]),
    ("client-swift", Client::Swift, &[Tool::Node, Tool::Swift]),
];

/// Runs the selected scenarios.
pub(crate) fn run(chaos: &Chaos) -> Result<()> {
    // Without names, `quick` runs the faults of servers only.
    let is_selected = |name: &str| match &chaos.names[..] {
        [] => !chaos.quick,
        names => names.iter().any(|it| it == name),
    };
    let mut servers = chaos.names.clone();
    servers.retain(|name| name != FILE_KILL && !CLIENTS.iter().any(|(client, ..)| client == name));
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    if is_selected(FILE_KILL) {
        lines.push(format!("{FILE_KILL}: {}", kill_file_users(chaos.quick)?));
    }
    if chaos.names.is_empty() || !servers.is_empty() {
        tools::require(NEEDS)?;
        // It prints its table even if it fails.
        let (program, options) = program(chaos)?;
        failures.extend(Invocation::new(program).args(options).args(&servers).run().err());
    }
    for (name, client, needs) in CLIENTS.iter().filter(|(name, ..)| is_selected(name)) {
        println!("\n=== {name}: kills, network faults and stolen tokens");
        match run_client(name, *client, needs, chaos.quick) {
            Ok(counted) => lines.extend(counted.iter().map(|it| format!("{name}: {it}"))),
            Err(skip) if skip.is::<Skip>() => lines.push(format!("{name}: SKIPPED: {skip}")),
            Err(error) => failures.push(error.context(*name)),
        }
    }
    let counted = lines.join("\n");
    println!("\n{counted}");
    if let Some(path) = &chaos.report {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| write!(file, "\n{counted}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if failures.is_empty() {
        return Ok(());
    }
    let failures: Vec<_> = failures.iter().map(|error| format!("{error:#}")).collect();
    bail!("{}", failures.join("\n"));
}

/// The scenarios that inject every kind of server fault once: the name of each, and what runs it.
///
/// # Errors
/// The program does not compile.
pub(crate) fn prepare_quick() -> Result<Vec<(String, Invocation)>> {
    let quick = program(&Chaos { quick: true, ..Chaos::default() })?;
    let run = |arguments: &[&str]| {
        let (program, options) = &quick;
        Invocation::new(program).args(options).args(arguments)
    };
    let names = run(&["--list"]).capture()?;
    Ok(names.lines().map(|name| (name.to_owned(), run(&[name]))).collect())
}

/// The program that injects the faults of servers, and its options.
fn program(chaos: &Chaos) -> Result<(PathBuf, Vec<OsString>)> {
    let built = Build::Workspace.build_as_tested(&["--bin", PROGRAM])?;
    if chaos.names.is_empty() || chaos.names.iter().any(|name| name.starts_with(CUSTOM)) {
        npm::package(false, &[CHAOS])?;
    } else if let Err(error) = npm::install(CHAOS) {
        println!("without the control: {error:#}");
    }
    let mut options: Vec<OsString> = Vec::new();
    if chaos.quick {
        options.push("--quick".into());
    }
    if let Some(seed) = chaos.seed {
        options.extend(["--seed".into(), seed.to_string().into()]);
    }
    if let Some(path) = &chaos.report {
        options.extend(["--report".into(), path.into()]);
    }
    Ok((cargo::program_of(&built, PROGRAM)?, options))
}

/// Kills processes that share a file; returns the result line of the test.
fn kill_file_users(quick: bool) -> Result<String> {
    for it in Build::Workspace.build(&["--tests"])? {
        if it.kind != Kind::Test || it.folder != "tests/sessions" {
            continue;
        }
        let tests = cargo::tests_of(&it.path)?;
        let Some(test) = tests.iter().find(|test| test.contains(KILL_TEST)) else { continue };
        let run = Invocation::new(&it.path).args(["--exact", test]).within(&it.folder);
        let kills = (!quick).then_some(("REGRANT_KILLS", KILLS));
        let output = run.envs(kills).run_and_keep()?;
        let result = output.lines().find_map(|line| line.split_once(KILLS_PREFIX));
        return Ok(result.context("the kill test printed no result")?.1.to_owned());
    }
    bail!("the kill test does not exist")
}

/// Runs the end-to-end tests of a client; returns their counters.
fn run_client(name: &str, client: Client, needs: &[Tool], quick: bool) -> Result<Vec<String>> {
    tools::require(needs)?;
    let log = checkout::path(format!("target/chaos-{name}.log"));
    println!("its output: {}", checkout::relative(&log));
    let length = if quick { Length::Short } else { Length::Long };
    Ok(clients::prepare(client, true)?.run(length, &log)?.1)
}
