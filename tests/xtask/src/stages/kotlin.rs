//! `kotlin`: the Kotlin binding, generated from the library and tested on a JVM, also end to end against the
//! Express example.

use std::ffi::OsString;

use super::bindgen;
use crate::bed::{self, Bed, Length};
use crate::checkout;
use crate::outcome::Stop;
use crate::process::Step;

/// The tests that need the bed.
const END_TO_END: &str = "EndToEnd*";

pub(super) fn run() -> Result<(), Stop> {
    prepare()?;
    let bed = Bed::start()?;
    // Surefire looks for some of its parts only when it runs: a registry may be asked to the end.
    bed::counted(&maven(&bed, Length::Short).run_online_and_keep()?)?;
    Ok(())
}

/// Runs the end-to-end tests alone; gives what they counted.
pub(crate) fn end_to_end(bed: &Bed, length: Length) -> Result<Vec<String>, Stop> {
    prepare()?;
    let only = [format!("-Dtest={END_TO_END}")];
    Ok(bed::counted(&maven(bed, length).args(only).run_online_and_keep()?)?)
}

/// Builds the library and generates what is not committed.
pub(crate) fn prepare() -> Result<(), Stop> {
    let library = bindgen::library()?;
    let out = checkout::kotlin().join("target/generated-sources");
    bindgen::command("uniffi-bindgen")
        .args(["generate", "--language", "kotlin", "--no-format"])
        .args([library.as_os_str(), "--out-dir".as_ref(), out.as_os_str()])
        .run()?;
    Ok(())
}

/// `mvn test`.
fn maven(bed: &Bed, length: Length) -> Step {
    let mut native = OsString::from("-Dregrant.native=");
    native.push(checkout::built("debug"));
    let step = Step::new("mvn").args(["-B", "-ntp", "test"]).args([native]);
    let variables = bed.variables(length);
    variables
        .iter()
        .fold(step, |step, (name, value)| step.env(name, value))
        .within(checkout::kotlin())
}
