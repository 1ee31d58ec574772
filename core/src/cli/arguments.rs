//! Reading arguments as types of the core, whose errors speak of fields of a configuration.

use std::str::FromStr;

use crate::error::Error;
use crate::keys::{Algorithm, KeyId};
use crate::types::{SessionId, Subject};

/// What is wrong, without the field that it would be wrong in.
fn problem(error: Error) -> String {
    match error {
        Error::ConfigInvalid { problem, .. } => problem,
        other => other.to_string(),
    }
}

pub(super) fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_str(text).map_err(problem)
}

pub(super) fn subject(text: &str) -> Result<Subject, String> {
    let expected = format!("expected 1 to {} bytes without control characters", Subject::MAX_BYTES);
    Subject::new(text).map_err(|_| expected)
}

pub(super) fn session(text: &str) -> Result<SessionId, String> {
    text.parse().map_err(|_| "expected a session id: 22 characters of base64url".to_owned())
}

pub(super) fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::from_str(text).map_err(problem)
}
