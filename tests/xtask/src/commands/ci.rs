//! `cargo xtask ci`: everything that must hold before a change is merged.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Selection;
use crate::commands;
use crate::process::Step;
use crate::tools::on_path;

/// Runs all stages, strictly, and then sees whether the crate and the jar can be packed.
pub(crate) fn run() -> Result<ExitCode> {
    let code = commands::test::run(&Selection { strict: true, only: Vec::new() })?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    println!("\n=== packing the crate");
    Step::new("cargo")
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
    Step::new("cargo").args(["deny", "--locked", "check", "bans", "licenses", "sources"]).run()?;
    Ok(ExitCode::SUCCESS)
}
