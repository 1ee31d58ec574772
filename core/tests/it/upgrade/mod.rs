//! This version reads data of earlier versions, and no session is lost: the fixtures in
//! `tests/vectors/upgrade`, whose `README.md` describes how they were made.

#[cfg(all(feature = "client", feature = "file", feature = "redis"))]
mod client;
#[cfg(all(feature = "file", feature = "redis"))]
mod scenarios;
#[cfg(all(feature = "file", feature = "redis"))]
mod stores;
mod tokens;

use std::path::PathBuf;

use serde_json::Value;

use crate::support::vector_path;

/// A file among the fixtures of a version.
fn fixture(name: &str) -> PathBuf {
    vector_path("upgrade/0.1.0").join(name)
}

fn read_json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}
