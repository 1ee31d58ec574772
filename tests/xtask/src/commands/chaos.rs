//! `cargo xtask chaos`: honest clients and thieves against servers that are killed, failed over, partitioned and
//! resharded; and the clients of all languages with kills, network faults and stolen tokens.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::setup;
use crate::args::Chaos;
use crate::cargo::{Build, Kind, tests_of};
use crate::checkout;
use crate::clients::{self, Client, Length};
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::tools::Tool;

/// Required tools besides Cargo.
pub(crate) const NEEDS: &[Tool] = &[Tool::RedisServer];

const PROGRAM: &str = "regrant-chaos";

/// The scenario that runs the kill test of the file store with more kills.
const FILE_KILL: &str = "file-kill";
/// Part of the name of that test.
const KILL_TEST: &str = "acknowledged";
/// How many processes it kills.
const KILLS: &str = "200";
/// The prefix of that test's result.
const KILLS_PREFIX: &str = "kills: ";

/// A scenario that is the end-to-end tests of a client.
struct App {
    name: &'static str,
    needs: &'static [Tool],
    client: Client,
}

const APPS: [App; 3] = [
    App { name: "client-rust", needs: &[Tool::Node], client: Client::Rust },
    App {
        name: "client-kotlin",
        needs: &[Tool::Node, Tool::Jdk, Tool::Maven],
        client: Client::Kotlin,
    },
    App { name: "client-swift", needs: &[Tool::Node, Tool::Swift], client: Client::Swift },
];

/// Runs the selected scenarios.
pub(crate) fn run(chaos: &Chaos) -> Result<()> {
    let is_app = |name: &String| APPS.iter().any(|app| app.name == name);
    let asked = |name: &str| chaos.names.iter().any(|it| it == name);
    let all = chaos.names.is_empty();
    let servers: Vec<_> =
        chaos.names.iter().filter(|name| *name != FILE_KILL && !is_app(name)).cloned().collect();
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    if all && !chaos.quick || asked(FILE_KILL) {
        lines.push(format!("{FILE_KILL}: {}", kill_file_users(chaos.quick)?));
    }
    if all || !servers.is_empty() {
        setup::require(NEEDS)?;
        let program = Invocation::new(Build::Workspace.program(PROGRAM)?);
        // It prints its table even if it fails.
        failures.extend(program.args(arguments(chaos, &servers)).run().err());
    }
    for app in &APPS {
        if all && !chaos.quick || asked(app.name) {
            println!("\n=== {}: kills, network faults and stolen tokens", app.name);
            match run_app(app, chaos.quick) {
                Ok(counted) => lines.extend(counted.iter().map(|it| format!("{}: {it}", app.name))),
                Err(Stop::Skip(why)) => lines.push(format!("{}: SKIPPED: {why}", app.name)),
                Err(Stop::Fail(error)) => failures.push(error.context(app.name)),
            }
        }
    }
    let counted = lines.join("\n");
    println!("\n{counted}");
    if let Some(path) = &chaos.report {
        append(path, &format!("\n{counted}\n"))?;
    }
    if failures.is_empty() {
        return Ok(());
    }
    let failures: Vec<_> = failures.iter().map(|error| format!("{error:#}")).collect();
    bail!("{}", failures.join("\n"));
}

/// The invocation that injects every kind of server fault once.
///
/// # Errors
/// It does not compile.
pub(crate) fn prepare_quick() -> Result<Invocation> {
    let quick = Chaos { quick: true, ..Chaos::default() };
    Ok(Invocation::new(Build::Workspace.program(PROGRAM)?).args(arguments(&quick, &[])))
}

/// Kills processes that share a file; returns the result line of the test.
fn kill_file_users(quick: bool) -> Result<String> {
    let artifacts = Build::Workspace.build(&["--tests"])?;
    for it in artifacts.iter().filter(|it| it.kind == Kind::Test) {
        let tests =
            if it.package == "regrant-session-tests" { tests_of(&it.path)? } else { continue };
        let Some(test) = tests.iter().find(|test| test.contains(KILL_TEST)) else { continue };
        let mut run = Invocation::new(&it.path).args(["--exact", test]).within(&it.folder);
        if !quick {
            run = run.env("REGRANT_KILLS", KILLS);
        }
        let said = run.run_and_keep()?;
        let words = said.lines().find_map(|line| line.split_once(KILLS_PREFIX));
        return Ok(words.context("the kill test printed no result")?.1.to_owned());
    }
    bail!("the kill test does not exist")
}

fn run_app(app: &App, quick: bool) -> Result<Vec<String>, Stop> {
    setup::install_missing(app.needs)?;
    if let Some(missing) = Tool::missing_of(app.needs).first() {
        return Err(Stop::Skip(missing.advice().to_owned()));
    }
    let length = if quick { Length::Short } else { Length::Long };
    let log = checkout::root().join("target").join(format!("chaos-{}.log", app.name));
    println!("its output: {}", checkout::relative(&log));
    clients::prepare(app.client, length, true)?.run(&log).map(|(_, counted)| counted)
}

fn arguments(chaos: &Chaos, names: &[String]) -> Vec<String> {
    let mut arguments = Vec::new();
    if chaos.quick {
        arguments.push("--quick".to_owned());
    }
    if let Some(seed) = chaos.seed {
        arguments.extend(["--seed".to_owned(), seed.to_string()]);
    }
    if let Some(path) = &chaos.report {
        arguments.extend(["--report".to_owned(), path.display().to_string()]);
    }
    arguments.extend_from_slice(names);
    arguments
}

fn append(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
