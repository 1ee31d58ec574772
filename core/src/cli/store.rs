//! The store that a command is to look at: one that exists, and that other processes share.

use std::path::Path;

use super::failure::Failure;
use crate::config::AuthConfig;

/// Whether the configured store is the memory of whoever opens it.
fn is_private(config: &AuthConfig) -> bool {
    config.store_url().starts_with("memory:")
}

/// Whether there is a store to ask: one that other processes share, and that was named, or is
/// where it is looked for by default.
pub(super) fn is_there_to_ask(config: &AuthConfig) -> bool {
    let named_or_found =
        config.store.is_some() || config.store_address().file_path().is_none_or(Path::exists);
    named_or_found && !is_private(config)
}

/// Refuses what this command would have to make up: a store in its own memory, or a new file.
pub(super) fn existing(config: &AuthConfig) -> Result<(), Failure> {
    if is_private(config) {
        let problem = "store: is required, by --store, REGRANT_STORE or the configuration; sessions in memory are seen by their own process alone";
        return Err(Failure::usage(problem));
    }
    match config.store_address().file_path() {
        Some(path) if !path.exists() => {
            Err(Failure::usage(format!("store: there is no file {}", path.display())))
        }
        _ => Ok(()),
    }
}
