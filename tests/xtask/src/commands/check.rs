//! `cargo xtask check`: format, lints, unit tests and types of the changed parts.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cargo::{self, Build, Kind};
use crate::checkout;
use crate::npm;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::report::Format;
use crate::runner::{self, Unit};

/// The parts to check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parts {
    /// The crates that have changed, by the folder of each.
    crates: Vec<&'static str>,
    /// The npm package's TypeScript.
    typescript: bool,
    /// Changed parts that only these stages of `test` check.
    stages: Vec<&'static str>,
}

/// The crates, by folder and name.
const CRATES: &[(&str, &str)] = &[
    ("core/cli/", "regrant-cli"),
    ("core/", "regrant"),
    ("bindings-node/native/", "regrant-node"),
    ("bindings-uniffi/src/", "regrant-uniffi"),
    ("tests/bench/src/", "regrant-bench"),
    ("tests/chaos/", "regrant-chaos"),
    ("tests/clients/rust/", "regrant-clients"),
    ("tests/fuzz/", "regrant-fuzz"),
    ("tests/sessions/", "regrant-session-tests"),
    ("tests/support/", "regrant-test-support"),
    ("tests/xtask/", "xtask"),
];

/// Checks what differs from the commit at which this branch left `main`, or from `HEAD` on `main` itself.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let changed = changed()?;
    let parts = parts_of(&changed);
    if changed.is_empty() {
        println!("nothing has changed");
        return Ok(());
    }
    println!("{} files have changed: {}", changed.len(), parts.crates.join(", "));
    if !parts.crates.is_empty() {
        rust(&parts)?;
    }
    if parts.typescript {
        match npm::package(&[]) {
            Ok(()) => npm::npm(&checkout::node(), "typecheck").run()?,
            Err(Stop::Skip(reason)) => println!("!!! SKIPPED: {reason}"),
            Err(Stop::Fail(error)) => return Err(error),
        }
    }
    for stage in &parts.stages {
        println!("not checked: cargo xtask test --only {stage}");
    }
    println!("checked within {} s", started.elapsed().as_secs());
    Ok(())
}

fn rust(parts: &Parts) -> Result<()> {
    Invocation::new("cargo").args(["fmt", "--all", "--check"]).run()?;
    let clippy = Invocation::new("cargo").args(["clippy", "--locked"]).args(cargo::EVERYTHING);
    clippy.args(["--all-targets", "--", "-D", "warnings"]).run()?;
    // Unit tests only: integration tests take long to link and run.
    let mut units = Vec::new();
    for (build, everything) in [(Build::Workspace, true), (Build::PureRust, false)] {
        let tested: Vec<_> =
            parts.crates.iter().filter(|name| (**name != "regrant-uniffi") == everything).collect();
        if tested.is_empty() {
            continue;
        }
        let artifacts = build.unit_tests()?;
        for test in artifacts.iter().filter(|it| it.kind == Kind::Test) {
            if tested.iter().any(|name| **name == test.package) {
                let name = format!("{} {}", test.package, test.target);
                let expected = cargo::tests_of(&test.path)?;
                let run = Invocation::new(&test.path).within(&test.folder);
                units.push(Unit::tests("check", name, Format::Libtest, expected, run));
            }
        }
    }
    if runner::run(units)?.iter().any(|unit| unit.end.is_err()) {
        bail!("unit tests failed");
    }
    Ok(())
}

/// The changed files, including new ones.
fn changed() -> Result<Vec<String>> {
    let base = git(&["merge-base", "HEAD", "main"]).unwrap_or_else(|_| "HEAD".to_owned());
    let changed = git(&["diff", "--name-only", base.trim()])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(checkout::root())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parts_of(changed: &[String]) -> Parts {
    let mut parts = Parts::default();
    for file in changed {
        // Inputs of all crates.
        if matches!(file.as_str(), "Cargo.toml" | "Cargo.lock" | "clippy.toml" | "rustfmt.toml") {
            parts.crates = CRATES.iter().map(|(_, name)| *name).collect();
        }
        let is_rust = file.ends_with(".rs") || file.ends_with(".toml") || file.ends_with(".lua");
        if let Some((_, name)) =
            CRATES.iter().find(|(folder, _)| file.starts_with(folder) && is_rust)
            && !parts.crates.contains(name)
        {
            parts.crates.push(name);
        }
        let typed = [".cts", ".mts", ".json"].iter().any(|ending| file.ends_with(ending));
        parts.typescript |= file.starts_with("bindings-node/") && typed;
        for (start, stage) in [
            ("bindings-node/test/", "node"),
            ("bindings-node/example/", "browser"),
            ("bindings-uniffi/kotlin/", "kotlin"),
            ("bindings-uniffi/swift/", "swift"),
            ("tests/clients/testbed/", "clients"),
        ] {
            if file.starts_with(start) && !parts.stages.contains(&stage) {
                parts.stages.push(stage);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(files: &[&str]) -> Parts {
        parts_of(&files.iter().map(|&file| file.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn changed_files_select_the_checks() {
        assert_eq!(parts(&["README.md", "core/docs/limits.md"]), Parts::default());
        assert_eq!(parts(&["core/src/lib.rs", "core/Cargo.toml"]).crates, ["regrant"]);
        assert_eq!(parts(&["core/src/store/redis/step.lua"]).crates, ["regrant"]);
        assert_eq!(parts(&["Cargo.lock"]).crates.len(), CRATES.len());
        let node = parts(&["bindings-node/src/index.cts", "bindings-node/test/auth.test.mjs"]);
        assert_eq!(node, Parts { crates: vec![], typescript: true, stages: vec!["node"] });
    }

    #[test]
    fn every_crate_is_known() {
        let manifest = std::fs::read_to_string(checkout::root().join("Cargo.toml")).unwrap();
        let (_, members) = manifest.split_once("members = [").unwrap();
        let (members, _) = members.split_once(']').unwrap();
        for member in members.split('"').filter(|it| it.len() > 2) {
            assert!(CRATES.iter().any(|(folder, _)| folder.starts_with(member)), "{member}");
        }
    }
}
