//! `cargo xtask bench`: how it scales, measured and written down.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::setup;
use crate::checkout;
use crate::outcome::Stop;
use crate::process::Step;
use crate::stages::node;
use crate::tools::Tool;

/// What the measurements need beside Cargo.
pub(crate) const NEEDS: &[Tool] = &[Tool::Node, Tool::RedisServer];

/// Builds with optimisation, measures what these names say (everything where there are none), and
/// keeps the figures.
pub(crate) fn run(quick: bool, names: &[String]) -> Result<ExitCode> {
    setup::install_missing(NEEDS)?;
    if let Some(missing) = Tool::missing_of(NEEDS).first() {
        bail!("{}", missing.advice());
    }
    let end = if quick { smoke(names) } else { measure(names) };
    match end {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stop::Skip(reason)) => bail!("{reason}"),
        Err(Stop::Fail(error)) => Err(error),
    }
}

fn measure(names: &[String]) -> Result<(), Stop> {
    node::build("build")?;
    node::install(&checkout::bench())?;
    Ok(program(&["--release"]).args(names).run()?)
}

/// Goes through the measurements once and small, with what the tests have compiled already: so
/// that they cannot rot.
pub(crate) fn smoke(names: &[String]) -> Result<(), Stop> {
    node::build("build:debug")?;
    node::install(&checkout::bench())?;
    Ok(program(&[]).args(["--quick"]).args(names).run()?)
}

fn program(profile: &[&str]) -> Step {
    let step = Step::new("cargo").args(["run", "--locked", "--quiet", "-p", "regrant-bench"]);
    step.args(profile).args(["--"])
}
