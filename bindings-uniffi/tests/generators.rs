//! The generators of Kotlin and Swift start.
#![allow(clippy::unwrap_used, reason = "in a test, what must not fail may panic")]

use std::process::Command;

#[test]
fn both_say_how_they_are_used() {
    for program in
        [env!("CARGO_BIN_EXE_uniffi-bindgen"), env!("CARGO_BIN_EXE_uniffi-bindgen-swift")]
    {
        let output = Command::new(program).arg("--help").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("Usage:"), "{program}: {text}");
    }
}
