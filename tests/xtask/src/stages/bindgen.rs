//! What `kotlin` and `swift` share: the library, and uniffi's generators that read it.

use std::path::PathBuf;

use anyhow::Result;

use crate::checkout;
use crate::process::Step;

/// Builds the library for this machine and says where it is.
pub(super) fn library() -> Result<PathBuf> {
    Step::new("cargo").args(["build", "--locked", "-p", "regrant-uniffi"]).run()?;
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    Ok(checkout::built("debug").join(format!("{prefix}regrant_uniffi{suffix}")))
}

/// One of the generators, still without arguments.
pub(super) fn command(name: &str) -> Step {
    Step::new("cargo").args(["run", "--locked", "-p", "regrant-uniffi", "--bin", name, "--"])
}
