//! `doc`: the documentation of the core builds without a warning, so no link in it is broken.

use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    let step = Step::new("cargo").args([
        "doc",
        "--locked",
        "-p",
        "regrant",
        "-F",
        "client-reqwest",
        "--no-deps",
    ]);
    Ok(step.env("RUSTDOCFLAGS", "-D warnings").run()?)
}
