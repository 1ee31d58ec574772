//! `cargo xtask version`: prints the version, or sets it in every file that contains it.
//!
//! Files are found by name, not listed, so that none can be forgotten. They are edited line by line, which keeps their
//! formatting; a file that is not formatted as Cargo and npm format it is an error.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use semver::Version;
use serde_json::Value;

use crate::checkout;
use crate::process::Invocation;

/// Folders of build output and installed packages.
const EXCLUDED: &[&str] = &["target", "node_modules", "dist"];

/// Prints the version, or sets it everywhere.
pub(crate) fn run(set: Option<&Version>) -> Result<()> {
    let Some(version) = set else {
        println!("{}", current()?);
        return Ok(());
    };
    for (path, text) in files()? {
        let name = checkout::relative(&path);
        let edited = scan(&path, &text, Some(&version.to_string())).context(name.clone())?.1;
        if edited != text {
            std::fs::write(&path, edited).context(name.clone())?;
            println!("{name}: {version}");
        }
    }
    // Each Cargo.lock contains the versions of the workspace's crates.
    for workspace in [checkout::root(), checkout::root().join("tests/fuzz/libfuzzer")] {
        let update = ["update", "--workspace", "--offline", "--quiet"];
        Invocation::new("cargo").args(update).within(workspace).run()?;
    }
    Ok(())
}

/// The version in the workspace's manifest.
fn current() -> Result<String> {
    let path = checkout::root().join("Cargo.toml");
    let (versions, _) = scan(&path, &std::fs::read_to_string(&path)?, None)?;
    versions.into_iter().next().context("the workspace's manifest has no version")
}

/// The files of this checkout that contain the version, with their text.
fn files() -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    let mut folders = vec![checkout::root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if !name.starts_with('.') && !EXCLUDED.contains(&name.as_ref()) {
                    folders.push(path);
                }
            } else if ["Cargo.toml", "package.json", "package-lock.json", "pom.xml"]
                .contains(&name.as_ref())
            {
                let text = std::fs::read_to_string(&path)?;
                if !scan(&path, &text, None).context(checkout::relative(&path))?.0.is_empty() {
                    files.push((path, text));
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The versions of this repository's packages in a file, and the file's text with them set to `version`.
///
/// # Errors
/// The file must have a version and none is found.
fn scan(path: &Path, text: &str, version: Option<&str>) -> Result<(Vec<String>, String)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (marker, end) = match name.as_ref() {
        "Cargo.toml" => ("version = \"", '"'),
        "pom.xml" => ("<version>", '<'),
        _ => ("\"version\": \"", '"'),
    };
    // The current table of a `Cargo.toml`, package of a lock file.
    let mut section = "";
    let (mut versions, mut edited) = (Vec::new(), String::new());
    for line in text.split_inclusive('\n') {
        match name.as_ref() {
            "Cargo.toml" if line.starts_with('[') => section = line.trim(),
            "package-lock.json" if line.starts_with("    \"") => section = line.trim(),
            _ => {}
        }
        let found = line.split_once(marker).filter(|(before, _)| match name.as_ref() {
            "Cargo.toml" if before.is_empty() => {
                ["[package]", "[workspace.package]"].contains(&section)
            }
            "Cargo.toml" => line.contains("path = \""),
            // A lock file lists the package itself and the package around it.
            "package-lock.json" if *before == "      " => {
                ["\"\": {", "\"..\": {"].contains(&section)
            }
            _ => *before == "  ",
        });
        match found.and_then(|(before, rest)| Some((before, rest.split_once(end)?))) {
            Some((before, (old, after))) => {
                versions.push(old.to_owned());
                let new = version.unwrap_or(old);
                edited.push_str(&format!("{before}{marker}{new}{end}{after}"));
            }
            None => edited.push_str(line),
        }
    }
    let required = match name.as_ref() {
        "Cargo.toml" => false,
        "package.json" => serde_json::from_str::<Value>(text)?.get("version").is_some(),
        _ => true,
    };
    ensure!(!versions.is_empty() || !required, "no version, or unexpected formatting");
    Ok((versions, edited))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(name: &str, text: &str) -> Result<Vec<String>> {
        Ok(scan(Path::new(name), text, None)?.0)
    }

    fn with_version(name: &str, text: &str) -> Result<String> {
        Ok(scan(Path::new(name), text, Some("2.0.0"))?.1)
    }

    #[test]
    fn every_file_has_the_same_version() {
        let expected = current().unwrap();
        let files = files().unwrap();
        assert!(!files.is_empty());
        for (path, text) in files {
            for version in scan(&path, &text, None).unwrap().0 {
                assert_eq!(version, expected, "{}", path.display());
            }
        }
    }

    #[test]
    fn setting_a_version_changes_every_file_and_setting_it_back_restores_them() {
        let current = current().unwrap();
        for (path, text) in files().unwrap() {
            let edited = scan(&path, &text, Some("97.98.99-rc.1")).unwrap().1;
            let (versions, restored) = scan(&path, &edited, Some(&current)).unwrap();
            assert!(versions.iter().all(|it| it == "97.98.99-rc.1"), "{}", path.display());
            assert!(restored == text, "{} is not restored", path.display());
        }
    }

    #[test]
    fn version_files_exclude_installed_packages() {
        let files = files().unwrap();
        let contains = |name| files.iter().any(|(path, _)| checkout::relative(path) == name);
        assert!(contains("Cargo.toml") && contains("bindings-node/package.json"));
        assert!(!contains("core/Cargo.toml"), "it inherits the workspace's version");
        assert!(!files.iter().any(|(path, _)| path.to_string_lossy().contains("node_modules")));
    }

    #[test]
    fn only_versions_of_workspace_crates_are_changed() {
        let manifest = r#"
[workspace.package]
version = "0.1.0" # the one

[workspace.dependencies]
regrant = { path = "core", version = "0.1.0", default-features = false }
support = { path = "support" }
serde = { version = "1.0.0" }
"#;
        assert_eq!(versions("Cargo.toml", manifest).unwrap(), ["0.1.0", "0.1.0"]);
        let expected = manifest.replace("0.1.0", "2.0.0");
        assert_eq!(with_version("Cargo.toml", manifest).unwrap(), expected);
    }

    #[test]
    fn an_inherited_version_is_not_listed() {
        let versions = |text| versions("Cargo.toml", text).unwrap();
        assert!(versions("[package]\nversion.workspace = true\n").is_empty());
        assert_eq!(versions("[package]\nversion = \"3.0.0\"\n"), ["3.0.0"]);
    }

    #[test]
    fn only_the_version_of_the_project_is_used() {
        let pom = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- <project><version>9.9.9</version> -->
<project xmlns="x">
  <parent><version>7</version></parent>
  <relativePath/>
  <version>0.1.0</version>
  <dependencies><dependency><version>0.1.0</version></dependency></dependencies>
</project>
"#;
        assert_eq!(versions("pom.xml", pom).unwrap(), ["0.1.0"]);
        assert_eq!(with_version("pom.xml", pom).unwrap(), pom.replacen("0.1.0", "2.0.0", 1));
    }

    #[test]
    fn a_project_without_a_version_is_an_error() {
        let pom = "<project><parent><version>1</version></parent></project>";
        assert!(versions("pom.xml", pom).is_err());
        assert!(versions("pom.xml", "<project").is_err());
        assert!(versions("pom.xml", "").is_err());
    }

    #[test]
    fn a_lock_file_changes_for_our_packages_only() {
        let lock = r#"{
  "version": "0.1.0",
  "packages": {
    "": {
      "version": "0.1.0",
      "dependencies": {
        "other": "0.1.0"
      }
    },
    "..": {
      "version": "0.1.0"
    },
    "node_modules/other": {
      "version": "0.1.0"
    }
  }
}
"#;
        assert_eq!(versions("package-lock.json", lock).unwrap(), ["0.1.0", "0.1.0", "0.1.0"]);
        let expected = lock.replacen("\"version\": \"0.1.0\"", "\"version\": \"2.0.0\"", 3);
        assert_eq!(with_version("package-lock.json", lock).unwrap(), expected);
    }

    #[test]
    fn a_package_changes_on_the_top_level_only() {
        let package =
            "{\n  \"version\": \"0.1.0\",\n  \"config\": {\n    \"version\": \"5\"\n  }\n}\n";
        let expected = package.replace("0.1.0", "2.0.0");
        assert_eq!(with_version("package.json", package).unwrap(), expected);
        let last = "{\n  \"version\": \"0.1.0\"\n}";
        assert_eq!(with_version("package.json", last).unwrap(), "{\n  \"version\": \"2.0.0\"\n}");
    }

    #[test]
    fn unexpected_formatting_is_an_error() {
        assert!(versions("package.json", "{\"version\": \"0.1.0\"}").is_err());
        assert!(versions("package-lock.json", "{\n  \"name\": \"x\"\n}").is_err());
        assert!(versions("package.json", "not json").is_err());
    }
}
