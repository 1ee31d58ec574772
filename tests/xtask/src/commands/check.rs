//! `cargo xtask check`: format, lints, unit tests and types of the changed parts.

use std::time::Instant;

use anyhow::Result;

use crate::cargo::{self, Build};
use crate::checkout::{self, NODE};
use crate::npm;
use crate::process::{Invocation, Skip};

/// The folder and name of each crate; a folder inside of another comes first.
const CRATES: [(&str, &str); 12] = [
    ("core/cli/", "regrant-cli"),
    ("core/", "regrant"),
    ("bindings-node/", "regrant-node"),
    ("bindings-uniffi/", "regrant-uniffi"),
    ("tests/bench/", "regrant-bench"),
    ("tests/chaos/", "regrant-chaos"),
    ("tests/clients/rust/", "regrant-clients"),
    ("tests/fuzz/", "regrant-fuzz"),
    ("tests/model/", "regrant-model"),
    ("tests/sessions/", "regrant-session-tests"),
    ("tests/support/", "regrant-test-support"),
    ("tests/xtask/", "xtask"),
];
/// Folders that only a stage of `test` checks.
const STAGES: [(&str, &str); 5] = [
    ("bindings-node/test/", "node"),
    ("bindings-node/example/", "browser"),
    ("bindings-uniffi/kotlin/", "kotlin"),
    ("bindings-uniffi/swift/", "swift"),
    ("tests/clients/testbed/", "clients"),
];
/// Inputs of all crates.
const SHARED: [&str; 4] = ["Cargo.toml", "Cargo.lock", "clippy.toml", "rustfmt.toml"];

/// The parts to check.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    /// The names of the crates that have changed.
    crates: Vec<&'static str>,
    /// The npm package's TypeScript.
    typescript: bool,
    /// Changed parts that only these stages of `test` check.
    stages: Vec<&'static str>,
    /// Changed files that only the whole of `test` checks.
    others: Vec<String>,
}

/// Checks what differs from the commit at which this branch left `main`, or from `HEAD` on `main` itself.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let changed = changed()?;
    let parts = parts_of(changed.iter().map(String::as_str));
    if changed.is_empty() {
        println!("nothing has changed");
        return Ok(());
    }
    println!("{} files have changed: {}", changed.len(), parts.crates.join(", "));
    if !parts.crates.is_empty() {
        Invocation::new("cargo").args(["fmt", "--all", "--check"]).run()?;
        cargo::clippy(cargo::everything("clippy"))?;
        if parts.crates.contains(&"regrant-uniffi") {
            cargo::clippy(Build::PureRust.cargo("clippy"))?;
        }
        parts.crates.iter().try_for_each(|name| unit_tests(name))?;
    }
    if parts.typescript {
        match npm::package(false, &[]) {
            Ok(()) => npm::npm(NODE, "typecheck").run()?,
            Err(skip) if skip.is::<Skip>() => println!("!!! SKIPPED: {skip}"),
            Err(error) => return Err(error),
        }
    }
    for stage in &parts.stages {
        println!("not checked: cargo xtask test --only {stage}");
    }
    if !parts.others.is_empty() {
        println!("not checked: {}; cargo xtask test", parts.others.join(", "));
    }
    println!("checked within {} s", started.elapsed().as_secs());
    Ok(())
}

/// Runs the unit tests of a crate: integration tests take long to link and run. Selects this crate alone, because with the
/// workspace's selection Cargo would also compile every crate that depends on it.
fn unit_tests(name: &str) -> Result<()> {
    let test = match name {
        // The addon has no unit tests; without Node.js it could not be linked.
        "regrant-node" => return Ok(()),
        "regrant-uniffi" => Build::PureRust.cargo("test"),
        _ => Invocation::new("cargo").args(["test", "--locked", "-p", name, "--all-features"]),
    };
    let (folder, _) = CRATES.iter().find(|(_, of)| *of == name).unwrap_or(&CRATES[0]);
    let has_library = checkout::path(folder).join("src/lib.rs").exists();
    let library = has_library.then_some("--lib");
    test.args(library).args(["--bins", "--", "--quiet"]).run()
}

/// The changed files, including new ones.
fn changed() -> Result<Vec<String>> {
    let git = |arguments: &[&str]| Invocation::new("git").args(arguments).capture();
    let base = git(&["merge-base", "HEAD", "main"]).unwrap_or_else(|_| "HEAD".to_owned());
    let changed = git(&["diff", "--name-only", base.trim()])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

fn parts_of<'a>(changed: impl IntoIterator<Item = &'a str>) -> Parts {
    let mut parts = Parts::default();
    for file in changed {
        if SHARED.contains(&file) {
            parts.crates = CRATES.map(|(_, name)| name).to_vec();
        }
        let is_rust = [".rs", ".toml", ".lua"].iter().any(|ending| file.ends_with(ending));
        let of = |folders: &[(&str, &'static str)]| {
            Some(folders.iter().find(|(folder, _)| file.starts_with(folder))?.1)
        };
        let changed = of(&CRATES).filter(|name| is_rust && !parts.crates.contains(name));
        parts.crates.extend(changed);
        let typed = [".cts", ".mts", ".json"].iter().any(|ending| file.ends_with(ending));
        let typed = file.starts_with("bindings-node/") && typed;
        parts.typescript |= typed;
        parts.stages.extend(of(&STAGES).filter(|stage| !parts.stages.contains(stage)));
        let is_checked = SHARED.contains(&file) || is_rust && of(&CRATES).is_some() || typed;
        if !is_checked && of(&STAGES).is_none() {
            parts.others.push(file.to_owned());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_select_the_checks() {
        let parts = |files: &[&'static str]| parts_of(files.iter().copied());
        assert_eq!(parts(&[]), Parts::default());
        let others = ["README.md", "core/docs/limits.md", "tests/vectors/errors.json"];
        assert_eq!(parts(&others).others, others);
        assert_eq!(parts(&["core/src/lib.rs", "core/Cargo.toml"]).crates, ["regrant"]);
        assert_eq!(parts(&["core/src/store/redis/step.lua"]).crates, ["regrant"]);
        assert_eq!(parts(&["Cargo.lock"]).crates.len(), CRATES.len());
        let node = parts(&["bindings-node/src/index.cts", "bindings-node/test/auth.test.mjs"]);
        let expected = Parts { typescript: true, stages: vec!["node"], ..Parts::default() };
        assert_eq!(node, expected);
    }

    #[test]
    fn every_crate_is_known() {
        let manifest = std::fs::read_to_string(checkout::path("Cargo.toml")).unwrap();
        let (_, members) = manifest.split_once("members = [").unwrap();
        let (members, _) = members.split_once(']').unwrap();
        for member in members.split('"').filter(|it| it.len() > 2) {
            assert!(CRATES.iter().any(|(folder, _)| folder.starts_with(member)), "{member}");
        }
    }
}
