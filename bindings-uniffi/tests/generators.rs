//! The generators of Kotlin and Swift start. `cargo xtask` also builds this small target to give the
//! library the same dependencies as the tests.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

#[test]
fn both_print_their_usage() {
    for program in
        [env!("CARGO_BIN_EXE_uniffi-bindgen"), env!("CARGO_BIN_EXE_uniffi-bindgen-swift")]
    {
        let output = Command::new(program).arg("--help").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("Usage:"), "{program}: {text}");
    }
}
