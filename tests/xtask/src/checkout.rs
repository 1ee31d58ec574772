//! Paths in this checkout.

use std::path::{Path, PathBuf};

/// The top folder of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The npm package.
pub(crate) fn node() -> PathBuf {
    root().join("bindings-node")
}

/// The Express example.
pub(crate) fn example() -> PathBuf {
    node().join("example")
}

/// The generator of the npm package's API reference.
pub(crate) fn reference() -> PathBuf {
    node().join("reference")
}

/// The bundlers that tests of the npm package run.
pub(crate) fn bundlers() -> PathBuf {
    node().join("test/bundlers")
}

/// The Node.js part of the benchmarks.
pub(crate) fn bench() -> PathBuf {
    root().join("tests/bench/node")
}

/// The Maven module.
pub(crate) fn kotlin() -> PathBuf {
    root().join("bindings-uniffi/kotlin")
}

/// The SwiftPM package.
pub(crate) fn swift() -> PathBuf {
    root().join("bindings-uniffi/swift")
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Cargo's output folder for this machine and a profile (`debug`, `release`, `mobile`): `.cargo/config.toml`
/// sets an explicit target, so it is a subfolder.
pub(crate) fn built(profile: &str) -> PathBuf {
    target().join(env!("REGRANT_HOST")).join(profile)
}

/// A path relative to the checkout, for messages.
pub(crate) fn relative(path: &Path) -> String {
    match path.strip_prefix(root()) {
        Ok(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
        Ok(inside) => inside.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
        assert_eq!(relative(&example()), "bindings-node/example");
        assert_eq!(relative(&root()), ".");
    }
}
