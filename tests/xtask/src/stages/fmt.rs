//! `fmt`: the Rust code is formatted.

use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    Ok(Step::new("cargo").args(["fmt", "--all", "--check"]).run()?)
}
