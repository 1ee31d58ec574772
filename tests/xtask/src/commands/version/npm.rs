//! The version in `package.json` and `package-lock.json`.
//!
//! Changed by line, because these files are npm's and must stay as npm writes them; read by a JSON
//! parser, which says whether the change did what was meant.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The packages of a lock file that are ours: itself, and the package around it.
const OURS: &[&str] = &["", ".."];

/// The version that a `package.json` says.
pub(super) fn versions(text: &str) -> Result<Vec<String>> {
    let json: Value = serde_json::from_str(text)?;
    Ok(json.get("version").and_then(Value::as_str).map(str::to_owned).into_iter().collect())
}

/// The versions that a `package-lock.json` says of our own packages.
pub(super) fn lock_versions(text: &str) -> Result<Vec<String>> {
    let mut found = versions(text)?;
    let json: Value = serde_json::from_str(text)?;
    let packages = json.get("packages").context("no packages in the lock file")?;
    let version = |name: &&str| packages.get(name)?.get("version")?.as_str().map(str::to_owned);
    found.extend(OURS.iter().filter_map(version));
    Ok(found)
}

/// The `package.json` with another version.
pub(super) fn with_version(text: &str, version: &str) -> Result<String> {
    let edited = edit(text, version);
    check(&versions(&edited)?, version)?;
    Ok(edited)
}

/// The `package-lock.json` with another version of our own packages.
pub(super) fn lock_with_version(text: &str, version: &str) -> Result<String> {
    let edited = edit(text, version);
    check(&lock_versions(&edited)?, version)?;
    Ok(edited)
}

fn check(found: &[String], version: &str) -> Result<()> {
    ensure!(!found.is_empty(), "it says no version");
    ensure!(found.iter().all(|found| found == version), "it is not formatted as npm formats it");
    Ok(())
}

/// Replaces the version on the top level, and three levels down in the packages that are ours.
fn edit(text: &str, version: &str) -> String {
    let mut within_ours = false;
    let mut edited = String::new();
    for line in text.split_inclusive('\n') {
        if let Some(key) = line.strip_prefix("    \"") {
            within_ours =
                OURS.iter().any(|ours| key.trim_end().strip_suffix("\": {") == Some(ours));
        }
        let top = line.strip_prefix("  \"version\": \"").map(|rest| ("  ", rest));
        let package = line.strip_prefix("      \"version\": \"").filter(|_| within_ours);
        match top.or(package.map(|rest| ("      ", rest))).and_then(|(indent, rest)| {
            rest.split_once('"')
                .map(|(_, after)| format!("{indent}\"version\": \"{version}\"{after}"))
        }) {
            Some(replaced) => edited.push_str(&replaced),
            None => edited.push_str(line),
        }
    }
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{
  "name": "example",
  "version": "0.1.0",
  "lockfileVersion": 3,
  "packages": {
    "": {
      "name": "example",
      "version": "0.1.0",
      "dependencies": {
        "other": "0.1.0"
      }
    },
    "..": {
      "version": "0.1.0"
    },
    "node_modules/other": {
      "version": "0.1.1"
    }
  }
}
"#;

    #[test]
    fn a_lock_file_changes_for_our_packages_only() {
        assert_eq!(lock_versions(LOCK).unwrap(), ["0.1.0", "0.1.0", "0.1.0"]);
        let expected = LOCK.replace("\"version\": \"0.1.0\"", "\"version\": \"2.0.0\"");
        let edited = lock_with_version(LOCK, "2.0.0").unwrap();
        assert_eq!(edited, expected);
        assert!(edited.contains("\"other\": \"0.1.0\"") && edited.contains("\"0.1.1\""));
    }

    #[test]
    fn a_package_changes_on_the_top_level_only() {
        let package =
            "{\n  \"version\": \"0.1.0\",\n  \"config\": {\n    \"version\": \"5\"\n  }\n}\n";
        let expected = package.replace("0.1.0", "2.0.0");
        assert_eq!(with_version(package, "2.0.0").unwrap(), expected);
        let last = "{\n  \"version\": \"0.1.0\"\n}";
        assert_eq!(with_version(last, "2.0.0").unwrap(), "{\n  \"version\": \"2.0.0\"\n}");
    }

    #[test]
    fn unexpected_formatting_is_an_error() {
        assert!(with_version("{\"version\": \"0.1.0\"}", "2.0.0").is_err());
        assert!(with_version("{\n  \"name\": \"x\"\n}", "2.0.0").is_err());
        assert!(with_version("not json", "2.0.0").is_err());
    }
}
