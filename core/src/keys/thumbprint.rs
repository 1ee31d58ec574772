//! What a token says of the key that it is bound to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::public_key::PublicKey;
use crate::error::{Error, Result};
use crate::token::base64url;

/// The SHA-256 thumbprint of a public key (RFC 7638), which stands in tokens as `jkt`
/// (RFC 9449 §6.1): 43 characters of base64url. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// That of `key`.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: a SHA-256 has 32 bytes.
    pub fn of(key: &PublicKey) -> Result<Self> {
        key.thumbprint().parse()
    }
}

impl FromStr for Thumbprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = base64url::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| Error::claim_invalid("jkt"))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_43_characters_of_one_spelling() {
        // RFC 9449 §6.1, the example.
        let text = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(text.parse::<Thumbprint>().unwrap().to_string(), text);
        for bad in ["", "AA", &text[1..], "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J"] {
            assert!(matches!(bad.parse::<Thumbprint>(), Err(Error::ClaimInvalid { .. })), "{bad}");
        }
    }
}
