//! `cargo xtask bench`: runs the benchmarks.

use super::setup;
use crate::cargo::Build;
use crate::checkout;
use crate::npm;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::tools::Tool;

/// Required tools besides Cargo.
pub(crate) const NEEDS: &[Tool] = &[Tool::Node, Tool::RedisServer];

const PROGRAM: &str = "regrant-bench";

/// Builds optimised and runs the named benchmarks (all if empty).
pub(crate) fn run(quick: bool, names: &[String]) -> Result<(), Stop> {
    setup::require(NEEDS)?;
    let bench = if quick { prepare_quick() } else { prepare() }?;
    Ok(bench.args(names).run()?)
}

/// Builds everything optimised, including the addon.
fn prepare() -> Result<Invocation, Stop> {
    npm::release_package(&[checkout::bench()])?;
    Build::Workspace.build_as_tested(&["--release", "--bin", PROGRAM])?;
    Ok(Invocation::new(checkout::built("release").join(PROGRAM)))
}

/// Prepares a short run of all benchmarks with the debug addon and program, to check that they work.
///
/// # Errors
/// Something does not compile, or npm's registry cannot be reached.
pub(crate) fn prepare_quick() -> Result<Invocation, Stop> {
    npm::package(&[checkout::bench()])?;
    Ok(Invocation::new(Build::Workspace.program(PROGRAM)?).args(["--quick"]))
}
