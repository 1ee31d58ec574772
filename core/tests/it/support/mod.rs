//! Fixtures that the tests share.

pub mod access;
#[cfg(feature = "server")]
pub mod sessions;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The path of a file in `tests/vectors`.
pub fn vector_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name)
}

/// The text of a file in `tests/vectors`.
pub fn vector(name: &str) -> String {
    let path = vector_path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON file in `tests/vectors`.
pub fn vector_json<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&vector(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Checks that a JSON file in `tests/vectors` has these rows, one per line. With
/// `REGRANT_UPDATE_VECTORS=1` writes it first.
pub fn check_rows(name: &str, rows: &[Value]) {
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    if std::env::var_os("REGRANT_UPDATE_VECTORS").is_some() {
        std::fs::write(vector_path(name), &text).unwrap();
    }
    assert!(vector(name) == text, "{name} is not what the core does");
}

/// One of the test keys, such as `ed25519-a.private`.
pub fn pem(name: &str) -> String {
    vector(&format!("keys/test-only-{name}.pem"))
}
