//! `clients`: the client in Rust, end to end against the Express example, and the bed itself. Those in Kotlin and
//! Swift go through the same in their own stages.

use crate::bed::{self, Bed, Length};
use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    let bed = Bed::start()?;
    Step::new("node").args(["--test", "tests/clients/bed/bed.test.mjs"]).run()?;
    end_to_end(&bed, Length::Short).map(drop)
}

/// Runs the tests; gives what they counted.
pub(crate) fn end_to_end(bed: &Bed, length: Length) -> Result<Vec<String>, Stop> {
    // As a part of the workspace: what `rust` has built will do.
    let test = ["test", "--locked", "--workspace", "--test", "end_to_end"];
    let mut step = Step::new("cargo").args(test).args(["--", "--include-ignored"]);
    for (name, value) in bed.variables(length) {
        step = step.env(name, value);
    }
    Ok(bed::counted(&step.run_and_keep()?)?)
}
