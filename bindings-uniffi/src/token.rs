//! Tokens as text: parsing of the `Authorization` header, and decoding without verification.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::RegrantError;
use crate::claims::{self, ClaimValue};

/// The token in an `Authorization` header (RFC 6750 §2.1), or in a header of the same form:
/// `Bearer <token>`, with the scheme in any case.
///
/// Fails with `ERR_TOKEN_MISSING` if the value is empty or has another scheme, and with
/// `ERR_TOKEN_MALFORMED` if the scheme is not followed by exactly one token.
#[uniffi::export]
pub fn bearer_token(header_value: &str) -> Result<String, RegrantError> {
    Ok(regrant::access::bearer_token(header_value)?.to_owned())
}

/// The content of a token, **unverified**: for display and debugging only. Its text form shows names
/// and no values.
#[derive(Clone, PartialEq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct DecodedToken {
    /// The header parameters by name, unverified.
    pub header: HashMap<String, ClaimValue>,
    /// The claims by name, unverified.
    pub claims: HashMap<String, ClaimValue>,
    /// The claims as JSON, unverified; not byte for byte as in the token.
    pub claims_json: String,
}

/// Decodes a token **without verifying its signature or any claim**. Never use the result to
/// authenticate a user: anybody can create such a token.
///
/// Fails with `ERR_TOKEN_TOO_LARGE` above 64 KiB, and with `ERR_TOKEN_MALFORMED` if the token is not
/// a compact JWS whose header and payload are JSON objects with unique names.
#[uniffi::export]
pub fn decode_unverified(token: &str) -> Result<DecodedToken, RegrantError> {
    let decoded = regrant::token::decode_unverified(token)?;
    Ok(DecodedToken {
        header: claims::values(decoded.header().clone()),
        claims: claims::values(decoded.claims().clone()),
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
    fn returns_everything_and_prints_names_only() {
        let decoded = decode_unverified(TOKEN).unwrap();
        assert_eq!(decoded.header["alg"], ClaimValue::Text { value: "none".to_owned() });
        assert_eq!(decoded.claims["sub"], ClaimValue::Text { value: "비밀".to_owned() });
        assert_eq!(decoded.claims["n"], ClaimValue::Json { json: "[1]".to_owned() });
        assert_eq!(decoded.claims_json, r#"{"n":[1],"sub":"비밀"}"#);
        let printed = format!("{decoded:?}");
        assert_eq!(printed, r#"DecodedToken { header: ["alg"], claims: ["n", "sub"] }"#);
    }

    #[test]
    fn rejects_malformed_and_oversized_tokens() {
        assert_eq!(decode_unverified("a.b").unwrap_err().code(), "ERR_TOKEN_MALFORMED");
        let large = "a".repeat(64 * 1024 + 1);
        assert_eq!(decode_unverified(&large).unwrap_err().code(), "ERR_TOKEN_TOO_LARGE");
    }

    #[test]
    fn finds_the_token_or_fails_with_a_code() {
        assert_eq!(bearer_token("bearer  a.b.c").unwrap(), "a.b.c");
        assert_eq!(bearer_token("Basic YQ==").unwrap_err().code(), "ERR_TOKEN_MISSING");
        assert_eq!(bearer_token("Bearer a b").unwrap_err().code(), "ERR_TOKEN_MALFORMED");
    }
}
