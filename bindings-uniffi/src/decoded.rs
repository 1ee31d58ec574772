//! Looking into a token without believing it.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::RegrantError;
use crate::claim_value::{self, ClaimValue};

/// What a token says, with **nothing verified**: for display and debugging only. Its text form
/// shows the names and none of the values.
#[derive(Clone, PartialEq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct DecodedToken {
    /// The members of the header by name, unverified.
    pub header: HashMap<String, ClaimValue>,
    /// The claims by name, unverified.
    pub claims: HashMap<String, ClaimValue>,
    /// The claims as JSON text, unverified; not byte for byte as in the token.
    pub claims_json: String,
}

/// Reads a token **without checking its signature or any claim**.
///
/// Anybody can write such a token. Use it to show something, never to decide who someone is.
///
/// Fails with `ERR_TOKEN_TOO_LARGE` beyond 64 KiB, and with `ERR_TOKEN_MALFORMED` when it is not
/// a compact JWS whose header and payload are JSON objects with unique names.
#[uniffi::export]
pub fn decode_unverified(token: &str) -> Result<DecodedToken, RegrantError> {
    let decoded = regrant::token::decode_unverified(token)?;
    Ok(DecodedToken {
        header: claim_value::all(decoded.header().clone()),
        claims: claim_value::all(decoded.claims().clone()),
        claims_json: json(decoded.claims()),
    })
}

fn json(object: &Map<String, Value>) -> String {
    Value::Object(object.clone()).to_string()
}

impl fmt::Debug for DecodedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |object: &HashMap<String, ClaimValue>| {
            let mut names: Vec<_> = object.keys().cloned().collect();
            names.sort_unstable();
            names
        };
        f.debug_struct("DecodedToken")
            .field("header", &names(&self.header))
            .field("claims", &names(&self.claims))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"alg":"none"}.{"sub":"비밀","n":[1]}` with a signature of one zero byte.
    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiLruYTrsIAiLCJuIjpbMV19.AA";

    #[test]
    fn shows_everything_and_prints_only_names() {
        let decoded = decode_unverified(TOKEN).unwrap();
        assert_eq!(decoded.header["alg"], ClaimValue::Text { value: "none".to_owned() });
        assert_eq!(decoded.claims["sub"], ClaimValue::Text { value: "비밀".to_owned() });
        assert_eq!(decoded.claims["n"], ClaimValue::Json { json: "[1]".to_owned() });
        assert_eq!(decoded.claims_json, r#"{"n":[1],"sub":"비밀"}"#);
        let printed = format!("{decoded:?}");
        assert_eq!(printed, r#"DecodedToken { header: ["alg"], claims: ["n", "sub"] }"#);
    }

    #[test]
    fn is_as_strict_as_the_core() {
        assert_eq!(decode_unverified("a.b").unwrap_err().code(), "ERR_TOKEN_MALFORMED");
        let large = "a".repeat(64 * 1024 + 1);
        assert_eq!(decode_unverified(&large).unwrap_err().code(), "ERR_TOKEN_TOO_LARGE");
    }
}
