//! `refresh.maxSessions`.

use std::fmt;
use std::num::NonZeroU32;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const UNLIMITED: &str = "unlimited";

/// How many live sessions a user may have: a whole number from 1 on, or `"unlimited"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionLimit {
    /// This many; see [`SessionPolicy::max_sessions`](crate::session::SessionPolicy::max_sessions).
    AtMost(NonZeroU32),
    /// Any number.
    Unlimited,
}

impl SessionLimit {
    pub(super) fn of(most: Option<NonZeroU32>) -> Self {
        most.map_or(Self::Unlimited, Self::AtMost)
    }

    pub(super) const fn most(self) -> Option<NonZeroU32> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::Unlimited => None,
        }
    }
}

impl Serialize for SessionLimit {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AtMost(most) => output.serialize_u32(most.get()),
            Self::Unlimited => output.serialize_str(UNLIMITED),
        }
    }
}

impl<'de> Deserialize<'de> for SessionLimit {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Limit;

        impl Visitor<'_> for Limit {
            type Value = SessionLimit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1 on, or \"unlimited\"")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<SessionLimit, E> {
                let most = u32::try_from(number).ok().and_then(NonZeroU32::new);
                let unexpected = de::Unexpected::Unsigned(number);
                most.map(SessionLimit::AtMost).ok_or_else(|| E::invalid_value(unexpected, &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SessionLimit, E> {
                match text {
                    UNLIMITED => Ok(SessionLimit::Unlimited),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        input.deserialize_any(Limit)
    }
}
