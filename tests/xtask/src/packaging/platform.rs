//! The platforms of a release, the folders of what is built for them, and the record of each build.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process::Invocation;

/// A platform for which a release has native code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// The name in napi-rs, which the npm package of the platform has too: `linux-x64-gnu`.
    pub(crate) name: &'static str,
    /// The target of Rust.
    pub(crate) target: &'static str,
    /// The oldest glibc that it runs on, as cargo-zigbuild appends it to the target.
    pub(crate) glibc: &'static str,
    /// The folder in the jar where JNA looks for the library. JNA itself has no build for musl.
    pub(crate) jna: Option<&'static str>,
}

pub(crate) const ALL: [Platform; 7] = [
    Platform {
        name: "linux-x64-gnu",
        target: "x86_64-unknown-linux-gnu",
        glibc: ".2.17",
        jna: Some("linux-x86-64"),
    },
    Platform {
        name: "linux-arm64-gnu",
        target: "aarch64-unknown-linux-gnu",
        glibc: ".2.17",
        jna: Some("linux-aarch64"),
    },
    Platform { name: "linux-x64-musl", target: "x86_64-unknown-linux-musl", glibc: "", jna: None },
    Platform {
        name: "linux-arm64-musl",
        target: "aarch64-unknown-linux-musl",
        glibc: "",
        jna: None,
    },
    // The toolchain of Visual C++ cannot be had on Linux. Node.js does not care: the interface is that of C.
    Platform {
        name: "win32-x64-gnu",
        target: "x86_64-pc-windows-gnu",
        glibc: "",
        jna: Some("win32-x86-64"),
    },
    Platform {
        name: "darwin-x64",
        target: "x86_64-apple-darwin",
        glibc: "",
        jna: Some("darwin-x86-64"),
    },
    Platform {
        name: "darwin-arm64",
        target: "aarch64-apple-darwin",
        glibc: "",
        jna: Some("darwin-aarch64"),
    },
];

/// What native code is made from.
const SOURCES: [&str; 13] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    "core/Cargo.toml",
    "core/src",
    "core/cli/Cargo.toml",
    "core/cli/src",
    "bindings-node/Cargo.toml",
    "bindings-node/build.rs",
    "bindings-node/native",
    "bindings-uniffi/Cargo.toml",
    "bindings-uniffi/src",
];

impl Platform {
    pub(crate) fn is_apple(&self) -> bool {
        self.target.ends_with("apple-darwin")
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.target.contains("windows")
    }

    /// The folder of what was built for this platform.
    pub(crate) fn folder(&self) -> PathBuf {
        super::work().join("native").join(self.name)
    }

    /// The addon for Node.js.
    pub(crate) fn addon(&self) -> PathBuf {
        self.folder().join(format!("regrant.{}.node", self.name))
    }

    /// The library for Kotlin and Swift.
    pub(crate) fn library(&self) -> PathBuf {
        let name = if self.is_windows() {
            "regrant_uniffi.dll"
        } else if self.is_apple() {
            "libregrant_uniffi.dylib"
        } else {
            "libregrant_uniffi.so"
        };
        self.folder().join(name)
    }

    fn record(&self) -> PathBuf {
        self.folder().join("build.json")
    }

    /// Writes down from which sources the platform was built.
    pub(crate) fn note_build(&self) -> Result<()> {
        let record = json!({ "commit": commit()? });
        Ok(fs::write(self.record(), record.to_string())?)
    }

    /// The commit that the platform was built from, `None` if it was not built.
    pub(crate) fn built_from(&self) -> Option<String> {
        let record: Value = serde_json::from_str(&fs::read_to_string(self.record()).ok()?).ok()?;
        Some(record["commit"].as_str()?.to_owned())
    }
}

/// The last commit that changed the sources of native code, abbreviated, with a `+` if they were changed since.
pub(crate) fn commit() -> Result<String> {
    let git = |arguments: &[&str]| {
        let ran = Invocation::new("git").args(arguments).args(["--"]).args(SOURCES).capture();
        ran.context("a release is built from a Git checkout")
    };
    let changes = git(&["status", "--porcelain"])?;
    let commit = git(&["log", "-1", "--format=%h", "--abbrev=10"])?;
    Ok(format!("{}{}", commit.trim(), if changes.is_empty() { "" } else { "+" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout;

    /// @napi-rs/cli makes the packages from these targets.
    #[test]
    fn the_platforms_are_those_of_the_npm_package() {
        let manifest = fs::read_to_string(checkout::path("bindings-node/package.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let targets = manifest["napi"]["targets"].as_array().unwrap();
        let mut targets: Vec<_> = targets.iter().filter_map(Value::as_str).collect();
        let mut own = ALL.map(|platform| platform.target).to_vec();
        targets.sort_unstable();
        own.sort_unstable();
        assert_eq!(own, targets);
    }

    #[test]
    fn every_platform_has_a_row_on_the_page_and_a_place_in_the_loader() {
        for file in ["bindings-node/docs/platforms.md", "bindings-node/native.cjs"] {
            let text = fs::read_to_string(checkout::path(file)).unwrap();
            for platform in &ALL {
                let package = format!("regrant-{}", platform.name);
                assert!(text.contains(&package), "{package} is not in {file}");
            }
        }
    }
}
