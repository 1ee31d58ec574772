//! `kotlin`: the Kotlin binding, generated from the library and tested on a JVM.

use std::ffi::OsString;

use crate::checkout;
use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    Step::new("cargo").args(["build", "--locked", "-p", "regrant-uniffi"]).run()?;
    let built = checkout::target().join("debug");
    let library = built.join(format!(
        "{}regrant_uniffi{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    let out = checkout::kotlin().join("target/generated-sources");
    Step::new("cargo")
        .args(["run", "--locked", "-p", "regrant-uniffi", "--bin", "uniffi-bindgen", "--"])
        .args(["generate", "--language", "kotlin", "--no-format"])
        .args([library.as_os_str(), "--out-dir".as_ref(), out.as_os_str()])
        .run()?;
    let mut native = OsString::from("-Dregrant.native=");
    native.push(&built);
    // Surefire looks for some of its parts only when it runs: a registry may be asked to the end.
    Step::new("mvn")
        .args(["-B", "-ntp", "test"])
        .args([native])
        .within(checkout::kotlin())
        .run_online()
}
