//! A JWK in a configuration.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;
use zeroize::Zeroize as _;

use crate::error::{Error, Result};
use crate::types::SecretBytes;

/// A JWK, given as an object or as text. It may be a secret, so `Debug` is redacted.
#[derive(Clone, Debug)]
pub struct JwkConfig(SecretBytes);

impl JwkConfig {
    pub(super) fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.0.expose()).map_err(|_| Error::config("jwk", "is not text"))
    }
}

impl<'de> Deserialize<'de> for JwkConfig {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(input)? {
            Value::String(text) => Ok(Self(SecretBytes::new(text))),
            mut object @ Value::Object(_) => {
                let text = object.to_string();
                if let Some(Value::String(secret)) = object.get_mut("k") {
                    secret.zeroize();
                }
                Ok(Self(SecretBytes::new(text)))
            }
            _ => Err(D::Error::custom("expected a JWK, as an object or as text")),
        }
    }
}
