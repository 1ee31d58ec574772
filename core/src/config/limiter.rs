//! `refresh.limiter`.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sessions::some_span;
use crate::session::FailureLimit;
use crate::types::format_span;

const OFF: &str = "off";

/// How many refreshes may fail: `{ "failures": 30, "window": "1m" }`, or `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiter {
    /// As many as this says.
    On(LimiterConfig),
    /// Any number.
    Off,
}

/// How many refreshes may fail; see [`FailureLimit`] for the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimiterConfig {
    /// So many failures are answered with their own reason.
    pub failures: Option<NonZeroU32>,
    /// For so long they are counted.
    #[serde(deserialize_with = "some_span")]
    pub window: Option<Duration>,
}

impl Limiter {
    pub(super) fn of(limit: Option<FailureLimit>) -> Self {
        limit.map_or(Self::Off, |limit| {
            Self::On(LimiterConfig { failures: Some(limit.failures), window: Some(limit.window) })
        })
    }

    pub(super) fn limit(self) -> Option<FailureLimit> {
        let default = FailureLimit::default();
        match self {
            Self::On(given) => Some(FailureLimit {
                failures: given.failures.unwrap_or(default.failures),
                window: given.window.unwrap_or(default.window),
            }),
            Self::Off => None,
        }
    }
}

impl Serialize for Limiter {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Limit {
            failures: NonZeroU32,
            window: String,
        }

        match self.limit() {
            Some(FailureLimit { failures, window }) => {
                Limit { failures, window: format_span(window) }.serialize(output)
            }
            None => output.serialize_str(OFF),
        }
    }
}

impl<'de> Deserialize<'de> for Limiter {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Limiter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ failures, window }, or \"off\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limiter, E> {
                match text {
                    OFF => Ok(Limiter::Off),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Limiter, A::Error> {
                LimiterConfig::deserialize(MapAccessDeserializer::new(members)).map(Limiter::On)
            }
        }

        input.deserialize_any(Either)
    }
}
