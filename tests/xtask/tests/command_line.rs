//! The commands as they are run, on a machine whose only programs are those that a test puts there.
#![allow(clippy::unwrap_used, reason = "in a test, what must not fail may panic")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// `cargo xtask …` with nothing but this folder on the `PATH`.
fn xtask(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env("PATH", path).env_remove("CI").stdin(Stdio::null());
    command
}

/// A folder with a shell script under each of these names.
fn programs(scripts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_stage_without_its_tools_is_reported_as_skipped() {
    let nothing = programs(&[]);
    for (stage, reason) in [("kotlin", "a JDK"), ("swift", "Swift 6 is missing")] {
        let output = xtask(nothing.path(), &["test", "--only", stage]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(last_line(&output), "0 passed, 0 failed, 1 skipped");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("!!! {stage} SKIPPED: {reason}")), "{text}");
    }
}

#[test]
fn a_skipped_stage_fails_with_strict_or_ci() {
    let nothing = programs(&[]);
    for (arguments, ci) in [
        (&["test", "--only", "kotlin", "--strict"][..], ""),
        (&["test", "--only", "kotlin"], "true"),
    ] {
        let output = xtask(nothing.path(), arguments).env("CI", ci).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} CI={ci}");
        assert_eq!(last_line(&output), "0 passed, 1 failed, 0 skipped");
    }
}

#[test]
fn a_failing_stage_does_not_stop_the_next() {
    let machine =
        programs(&[("cargo-fmt", "exit 0"), ("cargo", "if [ \"$1\" = fmt ]; then exit 1; fi")]);
    let arguments = ["test", "--only", "fmt", "--only", "doc"];
    let output = xtask(machine.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(last_line(&output), "1 passed, 1 failed, 0 skipped");
}

#[test]
fn ctrl_c_ends_started_programs() {
    let machine = programs(&[("cargo", "echo \"PID $$\"; exec /bin/sleep 600")]);
    let mut running =
        xtask(machine.path(), &["test", "--only", "doc"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("PID ") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended before it started cargo");
    }
    let started = Pid::from_raw(line.trim_start_matches("PID ").trim().parse().unwrap()).unwrap();
    let asked = Instant::now();
    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert!(rest.contains("interrupted"), "{rest}");
    assert!(kill_process(started, Signal::CONT).is_err(), "what it started still runs");
    assert!(asked.elapsed() < Duration::from_secs(300), "it waited for what it started");
}

#[test]
fn an_invalid_command_line_exits_with_2() {
    let nothing = programs(&[]);
    let output = xtask(nothing.path(), &["deploy"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("unrecognized subcommand 'deploy'") && text.contains("cargo xtask <COMMAND>")
    );
}

#[test]
fn an_installed_swift_is_used_unless_too_old() {
    for (version, is_used) in [("6.1", true), ("5.10", false)] {
        let compiler = format!("echo 'Swift version {version} (swift-{version}-RELEASE)'");
        // The stage begins with a build, which shows here that it was not skipped.
        let machine = programs(&[
            ("cargo", "exit 7"),
            ("node", "echo v22.0.0"),
            ("npm", "exit 7"),
            ("swift", "exit 7"),
            ("swiftc", compiler.as_str()),
        ]);
        let output = xtask(machine.path(), &["test", "--only", "swift"]).output().unwrap();
        let line = if is_used { "0 passed, 1 failed, 0" } else { "0 passed, 0 failed, 1" };
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(last_line(&output), format!("{line} skipped"), "{text}");
        assert_eq!(text.contains("SKIPPED: Swift 6 is missing"), !is_used, "{text}");
    }
}
