//! `kotlin`: the Kotlin binding, generated from the library and tested on a JVM.

use std::ffi::OsString;

use super::bindgen;
use crate::checkout;
use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    let library = bindgen::library()?;
    let out = checkout::kotlin().join("target/generated-sources");
    bindgen::command("uniffi-bindgen")
        .args(["generate", "--language", "kotlin", "--no-format"])
        .args([library.as_os_str(), "--out-dir".as_ref(), out.as_os_str()])
        .run()?;
    let mut native = OsString::from("-Dregrant.native=");
    native.push(checkout::target().join("debug"));
    // Surefire looks for some of its parts only when it runs: a registry may be asked to the end.
    Step::new("mvn")
        .args(["-B", "-ntp", "test"])
        .args([native])
        .within(checkout::kotlin())
        .run_online()
}
