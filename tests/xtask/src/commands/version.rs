//! `cargo xtask version`: the one version number, read or set everywhere.

mod cargo;
mod files;
mod maven;
mod npm;

use std::process::ExitCode;

use anyhow::{Context, Result};
use semver::Version;

use crate::checkout;
use crate::process::Invocation;
use files::VersionFile;

/// Prints the version, or sets it in every file that says it.
pub(crate) fn run(set: Option<&Version>) -> Result<ExitCode> {
    let Some(version) = set else {
        println!("{}", current()?);
        return Ok(ExitCode::SUCCESS);
    };
    for file in files::all()? {
        let text = file.read()?;
        let edited =
            file.with_version(&text, &version.to_string()).with_context(|| file.to_string())?;
        if edited != text {
            std::fs::write(file.path(), edited).with_context(|| file.to_string())?;
            println!("{file}: {version}");
        }
    }
    // Each Cargo.lock names the versions of our own crates.
    for workspace in [checkout::root(), checkout::root().join("tests/fuzz/libfuzzer")] {
        let update = ["update", "--workspace", "--offline", "--quiet"];
        Invocation::new("cargo").args(update).within(workspace).run()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The version that the workspace says.
fn current() -> Result<String> {
    let file = VersionFile::cargo(checkout::root().join("Cargo.toml"));
    let versions = file.versions(&file.read()?)?;
    versions.into_iter().next().context("the workspace says no version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_the_same_version() {
        let expected = current().unwrap();
        let files = files::all().unwrap();
        assert!(!files.is_empty());
        for file in files {
            let versions = file.versions(&file.read().unwrap()).unwrap();
            assert!(!versions.is_empty(), "{file} says no version");
            for version in versions {
                assert_eq!(version, expected, "{file}");
            }
        }
    }

    #[test]
    fn setting_a_version_changes_every_file_and_setting_it_back_restores_them() {
        let current = current().unwrap();
        for file in files::all().unwrap() {
            let text = file.read().unwrap();
            let edited = file.with_version(&text, "97.98.99-rc.1").unwrap();
            let versions = file.versions(&edited).unwrap();
            assert!(!versions.is_empty(), "{file} says no version");
            for version in versions {
                assert_eq!(version, "97.98.99-rc.1", "{file}");
            }
            let restored = file.with_version(&edited, &current).unwrap();
            assert!(restored == text, "{file} is not restored");
        }
    }
}
