//! `cargo xtask ci`: all checks that a change must pass before it is merged.

use std::process::ExitCode;

use anyhow::anyhow;

use crate::args::Selection;
use crate::commands;
use crate::npm;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::runner;
use crate::stages;
use crate::tools::on_path;

/// Runs all stages with `--strict`, tests the release addon, and packs the crate and the jar.
pub(crate) fn run() -> Result<ExitCode, Stop> {
    let code = commands::test::run(&Selection { strict: true, only: Vec::new() })?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    println!("\n=== the npm package with the release addon");
    npm::addon(true)?;
    let ended = runner::run(stages::node_units()?)?;
    // Build the debug addon again, which is quicker to rebuild while developing.
    npm::addon(false)?;
    if ended.iter().any(|unit| unit.end.is_err()) {
        return Err(anyhow!("the npm package fails its tests with the release addon").into());
    }
    println!("\n=== packing the crate");
    Invocation::new("cargo")
        .args(["package", "--locked", "-p", "regrant", "--allow-dirty", "--no-verify"])
        .run()?;
    println!("\n=== packing the jar");
    commands::jar::run()?;
    println!("\n=== dependencies");
    if on_path("cargo-deny").is_none() {
        // The workflow installs it and checks advisories too.
        println!("!!! SKIPPED: cargo-deny is missing: cargo install --locked cargo-deny");
        return Ok(ExitCode::SUCCESS);
    }
    // Advisories need a downloaded database; these three checks need no network.
    let deny = ["deny", "--locked", "check", "bans", "licenses", "sources"];
    Invocation::new("cargo").args(deny).run()?;
    Ok(ExitCode::SUCCESS)
}
