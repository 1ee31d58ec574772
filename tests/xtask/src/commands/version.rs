//! `cargo xtask version`: the one version number, read or set everywhere.

mod cargo;
mod maven;
mod npm;
mod places;

use std::process::ExitCode;

use anyhow::{Context, Result};
use semver::Version;

use crate::checkout;
use crate::process::Invocation;
use places::Place;

/// Prints the version, or sets it in every file that says it.
pub(crate) fn run(set: Option<&Version>) -> Result<ExitCode> {
    let Some(version) = set else {
        println!("{}", current()?);
        return Ok(ExitCode::SUCCESS);
    };
    for place in places::all()? {
        let text = place.read()?;
        let edited =
            place.with_version(&text, &version.to_string()).with_context(|| place.to_string())?;
        if edited != text {
            std::fs::write(place.path(), edited).with_context(|| place.to_string())?;
            println!("{place}: {version}");
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
    let place = Place::cargo(checkout::root().join("Cargo.toml"));
    let versions = place.versions(&place.read()?)?;
    versions.into_iter().next().context("the workspace says no version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_says_the_same_version() {
        let expected = current().unwrap();
        let places = places::all().unwrap();
        assert!(!places.is_empty());
        for place in places {
            let versions = place.versions(&place.read().unwrap()).unwrap();
            assert!(!versions.is_empty(), "{place} says no version");
            for version in versions {
                assert_eq!(version, expected, "{place}");
            }
        }
    }

    #[test]
    fn setting_a_version_changes_every_file_and_setting_it_back_restores_them() {
        let current = current().unwrap();
        for place in places::all().unwrap() {
            let text = place.read().unwrap();
            let edited = place.with_version(&text, "97.98.99-rc.1").unwrap();
            let versions = place.versions(&edited).unwrap();
            assert!(!versions.is_empty(), "{place} says no version");
            for version in versions {
                assert_eq!(version, "97.98.99-rc.1", "{place}");
            }
            let restored = place.with_version(&edited, &current).unwrap();
            assert!(restored == text, "{place} is not restored");
        }
    }
}
