//! Paths in this checkout.

use std::path::{Path, PathBuf};

/// The npm package.
pub(crate) const NODE: &str = "bindings-node";
/// The Express example.
pub(crate) const EXAMPLE: &str = "bindings-node/example";
/// The generator of the npm package's API reference.
pub(crate) const REFERENCE: &str = "bindings-node/reference";
/// The bundlers that tests of the npm package run.
pub(crate) const BUNDLERS: &str = "bindings-node/test/bundlers";
/// The Node.js part of the benchmarks.
pub(crate) const BENCH: &str = "tests/bench/node";
/// The Node.js part of the chaos runs.
pub(crate) const CHAOS: &str = "tests/chaos/node";
/// The Maven module.
pub(crate) const KOTLIN: &str = "bindings-uniffi/kotlin";
/// The SwiftPM package.
pub(crate) const SWIFT: &str = "bindings-uniffi/swift";

/// The top folder of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A file or folder in the checkout.
pub(crate) fn path(inside: impl AsRef<Path>) -> PathBuf {
    root().join(inside)
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    path(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
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
        let manifest = std::fs::read_to_string(path("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
        assert_eq!(relative(&path(EXAMPLE)), EXAMPLE);
        assert_eq!(relative(&root()), ".");
    }
}
