//! `cargo xtask bench`: how it scales, measured and written down.

use super::setup;
use crate::cargo::Build;
use crate::checkout;
use crate::npm;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::tools::Tool;

/// What the measurements need beside Cargo.
pub(crate) const NEEDS: &[Tool] = &[Tool::Node, Tool::RedisServer];

const PROGRAM: &str = "regrant-bench";

/// Builds with optimisation, measures what these names say (everything where there are none), and
/// keeps the figures.
pub(crate) fn run(quick: bool, names: &[String]) -> Result<(), Stop> {
    setup::require(NEEDS)?;
    let bench = if quick { prepare_quick() } else { prepare() }?;
    Ok(bench.args(names).run()?)
}

/// Everything optimised, the addon too, as it ships.
fn prepare() -> Result<Invocation, Stop> {
    npm::release_package(&[checkout::bench()])?;
    Build::Workspace.build_as_tested(&["--release", "--bin", PROGRAM])?;
    Ok(Invocation::new(checkout::built("release").join(PROGRAM)))
}

/// To go through the measurements once and small, with the addon and the program of the tests: so that they cannot
/// rot.
///
/// # Errors
/// Something does not compile, or npm's registry cannot be reached.
pub(crate) fn prepare_quick() -> Result<Invocation, Stop> {
    npm::package(&[checkout::bench()])?;
    Ok(Invocation::new(Build::Workspace.program(PROGRAM)?).args(["--quick"]))
}
