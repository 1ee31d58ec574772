//! The claims of a verified access token, and claim values for languages without a JSON type.

use std::collections::HashMap;
use std::fmt;
use std::time::SystemTime;

use regrant::access::VerifiedAccess;
use serde_json::{Map, Value};

use crate::RegrantError;
use crate::time::{system_time, timestamp};

/// The claims of a verified access token. Its text form omits the app's claims.
#[derive(Clone, PartialEq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct AccessClaims {
    /// The user's id: the configured subject claim, else `sub`. An integer is converted to its
    /// digits.
    pub subject: String,
    /// The session (`sid`), if the token has one.
    pub session_id: Option<String>,
    /// The number of rotations since the login (`gen`).
    pub generation: Option<u32>,
    /// The branch (`brn`): 0 unless an earlier child of the same parent was discarded.
    pub branch: Option<u32>,
    /// `exp`: the token is accepted until then, plus the leeway.
    pub expires_at: SystemTime,
    /// `iat`.
    pub issued_at: Option<SystemTime>,
    /// `nbf`.
    pub not_before: Option<SystemTime>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`, whether a string or an array in the token. Empty if absent.
    pub audience: Vec<String>,
    /// `jti`.
    pub id: Option<String>,
    /// All claims by name, including the app's own.
    pub claims: HashMap<String, ClaimValue>,
    /// All claims as JSON, byte for byte as signed.
    pub payload_json: String,
}

impl TryFrom<VerifiedAccess> for AccessClaims {
    type Error = RegrantError;

    fn try_from(access: VerifiedAccess) -> Result<Self, RegrantError> {
        let family_position = access.family_position();
        Ok(Self {
            subject: access.subject().as_str().to_owned(),
            session_id: access.session().map(|id| id.to_string()),
            generation: family_position.map(|family_position| family_position.generation),
            branch: family_position.map(|family_position| family_position.branch),
            expires_at: system_time(access.expires_at()),
            issued_at: access.issued_at().map(system_time),
            not_before: access.not_before().map(system_time),
            issuer: access.issuer().map(str::to_owned),
            audience: access.audience().into_iter().map(str::to_owned).collect(),
            id: access.id().map(str::to_owned),
            claims: values(access.custom()?),
            payload_json: access.payload().to_owned(),
        })
    }
}

impl fmt::Debug for AccessClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessClaims")
            .field("subject", &self.subject)
            .field("session_id", &self.session_id)
            .field("generation", &self.generation)
            .field("branch", &self.branch)
            .field("expires_at", &timestamp(self.expires_at))
            .finish_non_exhaustive()
    }
}

/// The value of a claim.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
pub enum ClaimValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag {
        /// The value.
        value: bool,
    },
    /// An integer that fits into 64 bits.
    Integer {
        /// The value.
        value: i64,
    },
    /// Any other number, rounded to a double.
    Number {
        /// The value.
        value: f64,
    },
    /// Text.
    Text {
        /// The value.
        value: String,
    },
    /// An array or an object, as JSON text.
    Json {
        /// The text.
        json: String,
    },
}

impl From<Value> for ClaimValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Flag { value },
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Self::Integer { value },
                (None, Some(value)) => Self::Number { value },
                (None, None) => Self::Json { json: number.to_string() },
            },
            Value::String(value) => Self::Text { value },
            nested @ (Value::Array(_) | Value::Object(_)) => {
                Self::Json { json: nested.to_string() }
            }
        }
    }
}

/// The values of a JSON object by name.
pub(crate) fn values(object: Map<String, Value>) -> HashMap<String, ClaimValue> {
    object.into_iter().map(|(name, value)| (name, value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_every_json_type() {
        for (json, expected) in [
            ("null", ClaimValue::Null),
            ("true", ClaimValue::Flag { value: true }),
            ("-9223372036854775808", ClaimValue::Integer { value: i64::MIN }),
            ("9223372036854775807", ClaimValue::Integer { value: i64::MAX }),
            ("9223372036854775808", ClaimValue::Number { value: 9_223_372_036_854_775_808.0 }),
            ("1.5", ClaimValue::Number { value: 1.5 }),
            ("1.0", ClaimValue::Number { value: 1.0 }),
            (r#""관리자""#, ClaimValue::Text { value: "관리자".to_owned() }),
            (r#"[1, "a"]"#, ClaimValue::Json { json: r#"[1,"a"]"#.to_owned() }),
            (r#"{"a": null}"#, ClaimValue::Json { json: r#"{"a":null}"#.to_owned() }),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(ClaimValue::from(value), expected, "{json}");
        }
    }
}
