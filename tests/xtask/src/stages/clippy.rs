//! `clippy`: no lint of the workspace is violated, with everything on and with as little as the
//! core can be built with.

use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    clippy(&["--workspace", "--all-targets", "--all-features"])?;
    clippy(&["-p", "regrant", "--all-targets", "--no-default-features", "-F", "rust-crypto"])
}

fn clippy(selection: &[&str]) -> Result<(), Stop> {
    let step = Step::new("cargo").args(["clippy", "--locked"]).args(selection);
    Ok(step.args(["--", "-D", "warnings"]).run()?)
}
