//! The types of option values.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use zeroize::Zeroize as _;

use crate::error::{Error, Result};
use crate::types::{SecretBytes, format_span, span_seconds_or_text};

/// A span of time: a number of seconds, or text such as `"15m"`, `"12h"` or `"14d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime(pub Duration);

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        span_seconds_or_text(input).map(Self)
    }
}

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&format_span(self.0))
    }
}

/// One string or several.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// A cookie that carries a token: `true` for the default name, `false` for none, or a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a name, true or false")]
pub enum TokenCookie {
    /// The default name, or no cookie.
    Flag(bool),
    /// A name.
    Name(String),
}

impl TokenCookie {
    /// The name, or `default` for `true`; `None` for no cookie.
    pub(super) fn name<'a>(&'a self, default: &'a str) -> Option<&'a str> {
        match self {
            Self::Flag(on) => on.then_some(default),
            Self::Name(name) => Some(name),
        }
    }
}

/// The value of an option, or `false`, which turns the option off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrFalse<T> {
    /// A value.
    On(T),
    /// `false`.
    Off,
}

impl<T> OrFalse<T> {
    /// The value, unless the option is off.
    pub fn on(self) -> Option<T> {
        match self {
            Self::On(value) => Some(value),
            Self::Off => None,
        }
    }

    /// As [`on`](Self::on), by reference.
    pub fn as_on(&self) -> Option<&T> {
        match self {
            Self::On(value) => Some(value),
            Self::Off => None,
        }
    }
}

impl<T> From<Option<T>> for OrFalse<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Off, Self::On)
    }
}

impl<T: Serialize> Serialize for OrFalse<T> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::On(value) => value.serialize(output),
            Self::Off => output.serialize_bool(false),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrFalse<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(OrFalseVisitor(PhantomData))
    }
}

struct OrFalseVisitor<T>(PhantomData<T>);

impl<T> OrFalseVisitor<T> {
    fn scalar<'de, I: IntoDeserializer<'de, E>, E: de::Error>(input: I) -> Result<OrFalse<T>, E>
    where
        T: Deserialize<'de>,
    {
        T::deserialize(input.into_deserializer())
            .map(OrFalse::On)
            .map_err(|error| E::custom(format_args!("{error}, or false")))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrFalseVisitor<T> {
    type Value = OrFalse<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or false")
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<OrFalse<T>, E> {
        if on { Self::scalar(on) } else { Ok(OrFalse::Off) }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<OrFalse<T>, E> {
        Self::scalar(number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<OrFalse<T>, E> {
        Self::scalar(number)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<OrFalse<T>, E> {
        Self::scalar(number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OrFalse<T>, E> {
        Self::scalar(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<OrFalse<T>, A::Error> {
        // Nothing that can be turned off is a list. The error of `T` says what it is.
        Self::scalar(())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<OrFalse<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(OrFalse::On)
    }
}

/// A secret: text, taken as its UTF-8 bytes, or `{ "base64": "…" }`. `Debug` and `Serialize` are
/// redacted.
#[derive(Clone, Debug)]
pub struct SecretConfig(pub SecretBytes);

impl Serialize for SecretConfig {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_str(&format_args!("[redacted, {} bytes]", self.0.expose().len()))
    }
}

impl<'de> Deserialize<'de> for SecretConfig {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or { base64 }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretConfig, E> {
        Ok(SecretConfig(SecretBytes::new(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretConfig, A::Error> {
        let invalid = || de::Error::custom("expected a string or { base64 }");
        let (name, text) = map.next_entry::<String, String>()?.ok_or_else(invalid)?;
        if name != "base64" || map.next_key::<String>()?.is_some() {
            return Err(invalid());
        }
        let bytes = STANDARD.decode(text).map_err(|_| de::Error::custom("is not base64"))?;
        Ok(SecretConfig(SecretBytes::new(bytes)))
    }
}

/// A JWK, as an object or as text. It may be a secret, so `Debug` is redacted.
#[derive(Clone, Debug)]
pub struct JwkConfig(SecretBytes);

impl JwkConfig {
    pub(super) fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.0.expose()).map_err(|_| Error::config("jwk", "is not text"))
    }
}

impl<'de> Deserialize<'de> for JwkConfig {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        match Value::deserialize(input)? {
            Value::String(text) => Ok(Self(SecretBytes::new(text))),
            mut object @ Value::Object(_) => {
                let text = object.to_string();
                if let Some(Value::String(secret)) = object.get_mut("k") {
                    secret.zeroize();
                }
                Ok(Self(SecretBytes::new(text)))
            }
            _ => Err(de::Error::custom("expected a JWK, as an object or as text")),
        }
    }
}
