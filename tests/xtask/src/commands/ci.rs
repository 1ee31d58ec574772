//! `cargo xtask ci`: everything that must hold before a change is merged.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Selection;
use crate::commands;
use crate::process::Step;

/// Runs all stages, strictly, and then sees whether the crate can be packed.
pub(crate) fn run() -> Result<ExitCode> {
    let code = commands::test::run(&Selection { strict: true, only: Vec::new() })?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    println!("\n=== packing the crate");
    Step::new("cargo")
        .args(["package", "--locked", "-p", "regrant", "--allow-dirty", "--no-verify"])
        .run()?;
    Ok(ExitCode::SUCCESS)
}
