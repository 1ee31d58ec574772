//! Secrets in a configuration.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::types::SecretBytes;

/// A secret: text, taken as its UTF-8 bytes, or `{ "base64": "…" }`. `Debug` is redacted.
#[derive(Clone, Debug)]
pub struct SecretConfig(pub SecretBytes);

impl<'de> Deserialize<'de> for SecretConfig {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(SecretVisitor)
    }
}

/// Written by hand because derived code quotes a value of the wrong type in its message.
struct SecretVisitor;

const EXPECTED: &str = "expected text or { base64 }";

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or { base64 }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretConfig, E> {
        Ok(SecretConfig(SecretBytes::new(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretConfig, A::Error> {
        let wrong = || de::Error::custom(EXPECTED);
        let (name, text) = map.next_entry::<String, String>()?.ok_or_else(wrong)?;
        if name != "base64" || map.next_key::<String>()?.is_some() {
            return Err(wrong());
        }
        let bytes = STANDARD.decode(text).map_err(|_| de::Error::custom("is not base64"))?;
        Ok(SecretConfig(SecretBytes::new(bytes)))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<SecretConfig, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretConfig, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<SecretConfig, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<SecretConfig, E> {
        Err(E::custom(EXPECTED))
    }
}
