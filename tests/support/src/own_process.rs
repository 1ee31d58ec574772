//! Tests that need a process of their own, because they install something global: a log subscriber or a
//! metrics recorder.

use std::process::Command;

/// The variable with the name of the test, for the process that was started for it.
const OWN_PROCESS: &str = "REGRANT_OWN_PROCESS";

/// Runs a test in a process of its own. Call it first, with the full name of the test:
///
/// ```ignore
/// if !in_own_process("secrets::no_secret_is_logged_or_in_metrics") {
///     return;
/// }
/// ```
///
/// In the process of the whole test program it starts that program once more for this test alone,
/// waits for it, and returns `false`. In the process that was started it returns `true`.
///
/// # Panics
/// The test failed in its own process, or no test has this name.
#[must_use]
#[allow(clippy::panic, clippy::unwrap_used, reason = "called by tests")]
pub fn in_own_process(name: &str) -> bool {
    if std::env::var(OWN_PROCESS).is_ok_and(|own| own == name) {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .env(OWN_PROCESS, name)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name} failed in a process of its own:\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}
