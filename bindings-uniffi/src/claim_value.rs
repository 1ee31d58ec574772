//! Values of claims, for languages without a JSON type of their own.

use std::collections::HashMap;

use serde_json::{Map, Value};

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
    /// A whole number that 64 bits with a sign hold.
    Integer {
        /// The value.
        value: i64,
    },
    /// Any other number, as near as 64 bits of floating point come.
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
pub(crate) fn all(object: Map<String, Value>) -> HashMap<String, ClaimValue> {
    object.into_iter().map(|(name, value)| (name, value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_json() {
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
