//! `cargo xtask version`: prints the version, or sets it in every file that contains it.
//!
//! Files are found by name, not listed, so that none can be forgotten. They are edited line by line, which keeps their
//! formatting.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result};
use semver::Version;

use crate::checkout;
use crate::process::Invocation;

const FILES: [&str; 4] = ["*Cargo.toml", "*package.json", "*package-lock.json", "*pom.xml"];

/// Prints the version, or sets it everywhere.
pub(crate) fn run(set: Option<&Version>) -> Result<()> {
    let Some(version) = set else {
        println!("{}", current()?);
        return Ok(());
    };
    for (name, text) in files()? {
        fs::write(checkout::path(&name), with_version(&text, &version.to_string()))?;
        println!("{name}: {version}");
    }
    // Each Cargo.lock contains the versions of the workspace's crates.
    for workspace in [".", "tests/fuzz/libfuzzer"] {
        let update = ["update", "--workspace", "--offline", "--quiet"];
        Invocation::new("cargo").args(update).within(workspace).run()?;
    }
    Ok(())
}

/// The version in the workspace's manifest.
pub(crate) fn current() -> Result<String> {
    let manifest = fs::read_to_string(checkout::path("Cargo.toml"))?;
    let version = versions(&manifest).into_iter().next();
    Ok(version.context("the workspace's manifest has no version")?.to_owned())
}

/// The files of this checkout that contain the version, with their text.
fn files() -> Result<Vec<(String, String)>> {
    let names = Invocation::new("git").args(["ls-files"]).args(FILES).capture()?;
    let mut files = Vec::new();
    for name in names.lines() {
        let text = fs::read_to_string(checkout::path(name)).context(name.to_owned())?;
        if !versions(&text).is_empty() {
            files.push((name.to_owned(), text));
        }
    }
    Ok(files)
}

/// The versions of this repository's packages in the text of a file.
fn versions(text: &str) -> Vec<&str> {
    let lines = text.lines().scan("", |previous, line| {
        let version = version_in(line, std::mem::replace(previous, line));
        Some(version.map(|range| &line[range]))
    });
    lines.flatten().collect()
}

/// The text with these versions replaced.
fn with_version(text: &str, version: &str) -> String {
    let (mut edited, mut previous) = (String::new(), "");
    for line in text.split_inclusive('\n') {
        let mut new = line.to_owned();
        if let Some(range) = version_in(line, previous) {
            new.replace_range(range, version);
        }
        edited.push_str(&new);
        previous = line;
    }
    edited
}

/// Where a line contains the version of a package of this repository: in a package of Cargo, in a dependency on a crate of
/// the workspace, or below the package's name in the files of npm and Maven.
fn version_in(line: &str, previous: &str) -> Option<Range<usize>> {
    let is_ours = line.starts_with("version = ")
        || line.starts_with("regrant") && line.contains("path = ")
        || previous.contains("\"name\": \"regrant")
        || previous.contains("<artifactId>regrant");
    let label = line.find("version").filter(|_| is_ours)?;
    let start = label + line[label..].find(|c: char| c.is_ascii_digit())?;
    let length = line[start..].find(['"', '<'])?;
    Some(start..start + length)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_file_has_the_same_version() {
        let expected = current().unwrap();
        let files = files().unwrap();
        for name in ["Cargo.toml", "bindings-node/package.json", "bindings-uniffi/kotlin/pom.xml"] {
            assert!(files.iter().any(|(file, _)| file == name), "{name}");
        }
        assert!(
            !files.iter().any(|(file, _)| file == "core/Cargo.toml"),
            "it inherits the version"
        );
        for (name, text) in &files {
            assert!(versions(text).iter().all(|version| *version == expected), "{name}");
        }
    }

    #[test]
    fn no_version_of_our_npm_packages_is_missed() {
        let names = Invocation::new("git").args(["ls-files", "*package.json"]).capture().unwrap();
        for name in names.lines() {
            let text = fs::read_to_string(checkout::path(name)).unwrap();
            let package: Value = serde_json::from_str(&text).unwrap();
            let is_ours = package["name"].as_str().is_some_and(|it| it.starts_with("regrant"));
            let version = package["version"].as_str().filter(|_| is_ours);
            assert_eq!(versions(&text).first().copied(), version, "{name}");
        }
    }

    #[test]
    fn setting_a_version_changes_every_file_and_setting_it_back_restores_them() {
        let current = current().unwrap();
        for (name, text) in files().unwrap() {
            let edited = with_version(&text, "97.98.99-rc.1");
            assert!(versions(&edited).iter().all(|it| *it == "97.98.99-rc.1"), "{name}");
            assert!(with_version(&edited, &current) == text, "{name} is not restored");
        }
    }

    #[test]
    fn only_versions_of_our_packages_are_changed() {
        let manifest = r#"
[workspace.package]
version = "0.1.0" # the one
rust-version = "1.89"

[workspace.dependencies]
regrant = { path = "core", version = "0.1.0", default-features = false }
regrant-test-support = { path = "support" }
serde = { version = "1.0.0" }
"#;
        let pom = r#"
<project xmlns="x">
  <parent><version>7</version></parent>
  <artifactId>regrant-sample</artifactId>
  <version>0.1.0</version>
  <dependencies><dependency><version>7.1.0</version></dependency></dependencies>
</project>
"#;
        let lock = r#"{
  "name": "regrant-example",
  "version": "0.1.0",
  "packages": {
    "": {
      "name": "regrant-example",
      "version": "0.1.0"
    },
    "node_modules/other": {
      "version": "7.1.0"
    }
  }
}
"#;
        for (text, count) in [(manifest, 2), (pom, 1), (lock, 2)] {
            assert_eq!(versions(text), vec!["0.1.0"; count]);
            assert_eq!(with_version(text, "2.0.0"), text.replace("0.1.0", "2.0.0"));
        }
        assert!(versions("[package]\nversion.workspace = true\n").is_empty());
    }
}
