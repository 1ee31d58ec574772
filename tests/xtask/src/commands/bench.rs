//! `cargo xtask bench`: runs the benchmarks.

use anyhow::Result;

use crate::cargo::{self, Build};
use crate::checkout::BENCH;
use crate::npm;
use crate::process::Invocation;
use crate::tools::{self, Tool};

/// Required tools besides Cargo.
pub(crate) const NEEDS: &[Tool] = &[Tool::Node, Tool::RedisServer, Tool::Postgres];

const PROGRAM: &str = "regrant-bench";

/// Runs the named benchmarks (all if empty).
pub(crate) fn run(quick: bool, names: &[String]) -> Result<()> {
    tools::require(NEEDS)?;
    prepare(quick)?.args(names).run()
}

/// Builds the program and the addon: optimised, or with `quick` unoptimised, for a short run that only checks that the
/// benchmarks work.
///
/// # Errors
/// Something does not compile, or npm's registry cannot be reached.
pub(crate) fn prepare(quick: bool) -> Result<Invocation> {
    npm::package(!quick, &[BENCH])?;
    let (profile, option) = if quick { ("dev", Some("--quick")) } else { ("release", None) };
    let targets = ["--profile", profile, "--bin", PROGRAM];
    let program = cargo::program_of(&Build::Workspace.build_as_tested(&targets)?, PROGRAM)?;
    Ok(Invocation::new(program).args(option))
}
