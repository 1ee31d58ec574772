//! Looking into a token without believing it.

use std::fmt;

use serde_json::{Map, Value};

use super::base64url;
use super::compact::Compact;
use super::json;
use crate::error::Result;

/// The largest token that [`decode_unverified`] looks into, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// What a token says, with nothing verified: for display and debugging only.
///
/// `Debug` shows the names of the members and none of their values.
#[derive(Clone, PartialEq)]
pub struct DecodedToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl DecodedToken {
    /// The members of the header, unverified.
    pub const fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims, unverified.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl fmt::Debug for DecodedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedToken")
            .field("header", &self.header.keys())
            .field("claims", &self.claims.keys())
            .finish()
    }
}

/// Reads a token **without checking its signature or any claim**.
///
/// Anybody can write such a token. Use it to show a countdown, never to decide who someone is.
///
/// # Errors
/// [`Error::TokenTooLarge`](crate::Error::TokenTooLarge) beyond 64 KiB,
/// [`Error::TokenMalformed`](crate::Error::TokenMalformed) when it is not a compact JWS whose
/// header and payload are JSON objects with unique names.
pub fn decode_unverified(token: &str) -> Result<DecodedToken> {
    let compact = Compact::split(token, MAX_BYTES)?;
    base64url::decode(compact.signature)?;
    Ok(DecodedToken {
        header: json::parse_object(&base64url::decode_text(compact.header)?)?,
        claims: json::parse_object(&base64url::decode_text(compact.payload)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        format!("{}.{}.AA", encode(header), encode(payload))
    }

    #[test]
    fn shows_header_and_claims() {
        let decoded =
            decode_unverified(&token(r#"{"alg":"none"}"#, r#"{"sub":"7","n":{"a":[1]}}"#));
        let decoded = decoded.unwrap();
        assert_eq!(decoded.header()["alg"], "none");
        assert_eq!(decoded.claims()["n"]["a"][0], 1);
        assert!(!format!("{decoded:?}").contains("none"));
    }

    #[test]
    fn is_strict_about_the_form() {
        for bad in [
            "a.b".to_owned(),
            "e30.e30.A".to_owned(),
            "e30=.e30.AA".to_owned(),
            token("[]", "{}"),
            token("{}", r#"{"a":1,"a":2}"#),
        ] {
            assert!(matches!(decode_unverified(&bad), Err(Error::TokenMalformed)), "{bad}");
        }
        let large = "a".repeat(64 * 1024 + 1);
        assert!(matches!(decode_unverified(&large), Err(Error::TokenTooLarge)));
    }
}
