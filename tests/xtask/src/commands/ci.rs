//! `cargo xtask ci`: everything that must hold before a change is merged.

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

/// Runs all stages, strictly; then tries the addon as it ships, and whether the crate and the jar can be packed.
pub(crate) fn run() -> Result<ExitCode, Stop> {
    let code = commands::test::run(&Selection { strict: true, only: Vec::new() })?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    println!("\n=== the npm package with the addon as it ships");
    npm::addon(true)?;
    let ended = runner::run(stages::node_units()?)?;
    // Build the debug addon again, which is quicker to rebuild while developing.
    npm::addon(false)?;
    if ended.iter().any(|unit| unit.end.is_err()) {
        return Err(anyhow!("the npm package fails its tests with the addon as it ships").into());
    }
    println!("\n=== packing the crate");
    Invocation::new("cargo")
        .args(["package", "--locked", "-p", "regrant", "--allow-dirty", "--no-verify"])
        .run()?;
    println!("\n=== packing the jar");
    commands::jar::run()?;
    println!("\n=== what is depended on");
    if on_path("cargo-deny").is_none() {
        // The workflow has it, and asks for advisories too.
        println!("!!! SKIPPED: cargo-deny is missing: cargo install --locked cargo-deny");
        return Ok(ExitCode::SUCCESS);
    }
    // Advisories need a database that is fetched from elsewhere; these three need no network.
    let deny = ["deny", "--locked", "check", "bans", "licenses", "sources"];
    Invocation::new("cargo").args(deny).run()?;
    Ok(ExitCode::SUCCESS)
}
