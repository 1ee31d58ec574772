//! What JavaScript hands over, as types of the core.

use std::str::FromStr;

use regrant::auth::StalePolicy;
use regrant::types::{RevocationReason, SessionId, Subject, Timestamp};
use regrant::{Error, Result};
use serde_json::{Map, Value};

/// A user id.
pub fn subject(text: String) -> Result<Subject> {
    Subject::new(text)
}

/// A session id.
pub fn session_id(text: &str) -> Result<SessionId> {
    SessionId::from_str(text)
}

/// The app's own claims, as JSON text of an object.
pub fn claims(text: Option<String>) -> Result<Map<String, Value>> {
    match text {
        None => Ok(Map::new()),
        Some(text) => serde_json::from_str(&text).map_err(|_| Error::claim_invalid("claims")),
    }
}

/// What a route does while revocations may be unknown: `open`, `ask` or `closed`.
pub fn stale_policy(name: &str) -> Result<StalePolicy> {
    serde_json::from_value(Value::from(name))
        .map_err(|_| Error::config("whenStale", "expected open, ask or closed"))
}

/// An instant, as `Date` has it: milliseconds since 1970.
#[allow(clippy::cast_possible_truncation, reason = "a Date ends long before an i64 does")]
pub fn instant(millis: f64, name: &'static str) -> Result<Timestamp> {
    match millis.is_finite() {
        true => Ok(Timestamp::from_millis(millis as i64)),
        false => Err(Error::claim_invalid(name)),
    }
}

/// The name of a reason, such as `logout`.
pub fn reason(name: &str) -> Result<RevocationReason> {
    RevocationReason::ALL
        .iter()
        .find(|(reason, _)| reason.as_str() == name)
        .map(|(reason, _)| *reason)
        .ok_or_else(|| Error::claim_invalid("reason"))
}
