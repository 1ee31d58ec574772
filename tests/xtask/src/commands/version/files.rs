//! The files that say the version. They are found, not listed, so that none can be forgotten.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{cargo, maven, npm};
use crate::checkout;

/// Folders that hold what was built or installed.
const NOT_OURS: &[&str] = &["target", "node_modules", "dist"];

/// One file that says the version.
#[derive(Debug)]
pub(crate) struct VersionFile {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Cargo,
    Npm,
    NpmLock,
    Maven,
}

impl VersionFile {
    /// The workspace's manifest.
    pub(crate) fn cargo(path: PathBuf) -> Self {
        Self { path, format: Format::Cargo }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> Result<String> {
        std::fs::read_to_string(&self.path).with_context(|| self.to_string())
    }

    /// The versions that this text of the file says of us.
    pub(crate) fn versions(&self, text: &str) -> Result<Vec<String>> {
        match self.format {
            Format::Cargo => cargo::versions(text),
            Format::Npm => npm::versions(text),
            Format::NpmLock => npm::lock_versions(text),
            Format::Maven => maven::versions(text),
        }
    }

    /// This text of the file with another version, and nothing else changed.
    pub(crate) fn with_version(&self, text: &str, version: &str) -> Result<String> {
        match self.format {
            Format::Cargo => cargo::with_version(text, version),
            Format::Npm => npm::with_version(text, version),
            Format::NpmLock => npm::lock_with_version(text, version),
            Format::Maven => maven::with_version(text, version),
        }
    }
}

impl std::fmt::Display for VersionFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&checkout::relative(&self.path))
    }
}

/// All of them, in this checkout. A crate that inherits the workspace's version is none, nor is an
/// npm project that is not a package.
pub(crate) fn all() -> Result<Vec<VersionFile>> {
    let mut files = Vec::new();
    let mut folders = vec![checkout::root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_ref()) {
                    folders.push(path);
                }
                continue;
            }
            let format = match name.as_ref() {
                "Cargo.toml" => Format::Cargo,
                "package.json" => Format::Npm,
                "package-lock.json" => Format::NpmLock,
                "pom.xml" => Format::Maven,
                _ => continue,
            };
            let file = VersionFile { path, format };
            if !may_say_none(format) || !file.versions(&file.read()?)?.is_empty() {
                files.push(file);
            }
        }
    }
    files.sort_by(|one, two| one.path.cmp(&two.path));
    Ok(files)
}

/// Whether files of this format need not say a version.
fn may_say_none(format: Format) -> bool {
    matches!(format, Format::Cargo | Format::Npm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_files_exclude_installed_packages() {
        let files = all().unwrap();
        assert!(files.iter().any(|file| file.to_string() == "Cargo.toml"));
        assert!(!files.iter().any(|file| file.to_string() == "core/Cargo.toml"), "it inherits");
        assert!(files.iter().any(|file| file.to_string() == "bindings-node/package.json"));
        assert!(!files.iter().any(|file| file.to_string().contains("node_modules")));
    }
}
