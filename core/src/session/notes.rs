//! What is stored of a session beside its record: claims that the app changed, and where the login and
//! the latest refresh came from.
//!
//! None of it matters to the state machine. The Redis store keeps each part as a field of its own, so
//! that its scripts need not read them. The other stores keep one JSON object.
//!
//! While an app is upgraded, processes of two versions share the sessions. A later version may add
//! parts, which an earlier one keeps as they are; it must not change the form of those that exist.
//! What it adds to [`ClientDetails`] is ignored by an earlier one, and lost when that one writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::types::Timestamp;

/// What is stored of a session beside its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionNotes {
    /// The claims that the app set in place of those of the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Box<UpdatedClaims>>,
    /// The client of the login.
    #[serde(default, rename = "login", skip_serializing_if = "Option::is_none")]
    pub created_from: Option<Box<ClientDetails>>,
    /// The client of the latest refresh that was granted.
    #[serde(default, rename = "refresh", skip_serializing_if = "Option::is_none")]
    pub refreshed_from: Option<Box<ClientDetails>>,
    /// What a later version has added; `None` for nothing.
    #[serde(flatten, with = "unknown_parts")]
    pub unknown: Option<Box<UnknownParts>>,
}

impl SessionNotes {
    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Replaces the claims, JSON text, at an instant later than that of all before.
    pub(crate) fn set_claims(&mut self, json: &str, now: Timestamp) {
        let after = self.claims.as_ref().map_or(i64::MIN, |claims| claims.at.as_millis());
        let at = Timestamp::from_millis(now.as_millis().max(after.saturating_add(1)));
        self.claims = Some(Box::new(UpdatedClaims { at, json: json.into() }));
    }

    /// The claims that were set later; of claims of the same instant, these.
    pub(super) fn later_claims<'a>(&'a self, other: &'a Self) -> Option<&'a UpdatedClaims> {
        let both = [&other.claims, &self.claims].into_iter().flatten();
        both.map(Box::as_ref).max_by_key(|claims| claims.at)
    }

    /// The text that stores keep; empty for nothing.
    pub(crate) fn encode(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        // Texts and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// # Errors
    /// [`Error::Internal`] when the text is damaged.
    pub(crate) fn decode(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map_err(|_| damaged())
    }
}

/// Parts that this version does not know, by name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownParts(Map<String, Value>);

impl fmt::Debug for UnknownParts {
    /// Without the values, which may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Most sessions have none, and then no memory for them.
mod unknown_parts {
    use super::{Deserialize, Deserializer, Map, Serialize, Serializer, UnknownParts};

    pub(super) fn serialize<S: Serializer>(
        parts: &Option<Box<UnknownParts>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match parts {
            Some(parts) => parts.0.serialize(to),
            None => Map::new().serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Box<UnknownParts>>, D::Error> {
        let parts = Map::deserialize(from)?;
        Ok((!parts.is_empty()).then(|| Box::new(UnknownParts(parts))))
    }
}

/// The app's claims for a session, and when they were set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UpdatedClaims {
    /// Strictly later than that of the claims before.
    pub at: Timestamp,
    /// The JSON text of an object.
    pub json: Box<str>,
}

impl fmt::Display for UpdatedClaims {
    /// The instant in milliseconds, a space, and the JSON, as the Redis store keeps it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.as_millis(), self.json)
    }
}

impl FromStr for UpdatedClaims {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (at, json) = text.split_once(' ').ok_or_else(damaged)?;
        let at = Timestamp::from_millis(at.parse().map_err(|_| damaged())?);
        Ok(Self { at, json: json.into() })
    }
}

impl TryFrom<String> for UpdatedClaims {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<UpdatedClaims> for String {
    fn from(claims: UpdatedClaims) -> Self {
        claims.to_string()
    }
}

impl fmt::Debug for UpdatedClaims {
    /// Without the claims, which may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdatedClaims").field("at", &self.at).finish_non_exhaustive()
    }
}

fn damaged() -> Error {
    Error::internal("the stored notes of a session are damaged")
}

/// What a request tells of its client, as far as the app passes it on. Nothing proves it: a client chooses
/// its user agent, and the address may be that of a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientDetails {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<Box<str>>,
}

impl ClientDetails {
    /// The longest address that is kept, in bytes.
    pub const MAX_ADDRESS_BYTES: usize = 64;

    /// The longest user agent that is kept, in bytes.
    pub const MAX_USER_AGENT_BYTES: usize = 256;

    /// Details with this address.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        self.address = bounded(address, Self::MAX_ADDRESS_BYTES);
        self
    }

    /// Details with this user agent: the value of the header `User-Agent`.
    #[must_use]
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        self.user_agent = bounded(user_agent, Self::MAX_USER_AGENT_BYTES);
        self
    }

    /// The address, truncated to its longest length.
    pub fn get_address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The user agent, truncated to its longest length.
    pub fn get_user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// `None` if nothing is known.
    pub(crate) fn known(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// Text without control characters, truncated at the end of a character; `None` if nothing is left.
fn bounded(text: &str, max_bytes: usize) -> Option<Box<str>> {
    let mut kept = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > max_bytes {
            break;
        }
        kept.push(c);
    }
    (!kept.is_empty()).then(|| kept.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_reverses_encode() {
        let mut notes = SessionNotes::default();
        assert_eq!(notes.encode(), "");
        notes.set_claims(r#"{"role":"admin \"x\""}"#, Timestamp::from_millis(5));
        let client = ClientDetails::default().address("::1").user_agent("a \"b\" \\ é");
        notes.created_from = client.known().map(Box::new);
        assert_eq!(SessionNotes::decode(&notes.encode()).unwrap(), notes);
        assert_eq!(SessionNotes::decode("").unwrap(), SessionNotes::default());
        for damaged in
            ["{", "7", r#"{"login":"::1"}"#, r#"{"claims":"{}"}"#, r#"{"claims":"x {}"}"#]
        {
            assert!(SessionNotes::decode(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn what_a_later_version_has_added_is_kept() {
        let text =
            r#"{"claims":"5 {}","login":{"address":"::1","country":"NZ"},"more":{"b":[1,null]}}"#;
        let mut notes = SessionNotes::decode(text).unwrap();
        assert_eq!(notes.claims.as_ref().map(|claims| &*claims.json), Some("{}"));
        let login = ClientDetails::default().address("::1");
        assert_eq!(notes.created_from.as_deref(), Some(&login));
        notes.set_claims(r#"{"a":1}"#, Timestamp::from_millis(7));
        let written = r#"{"claims":"7 {\"a\":1}","login":{"address":"::1"},"more":{"b":[1,null]}}"#;
        assert_eq!(notes.encode(), written);
        assert!(!SessionNotes::decode(r#"{"more":1}"#).unwrap().is_empty());
        assert!(!format!("{notes:?}").contains("null"), "{notes:?}");
    }

    #[test]
    fn later_claims_are_later_whatever_the_clock_says() {
        let mut notes = SessionNotes::default();
        let mut last = Timestamp::from_millis(-1);
        for now in [7, 7, 3, 9] {
            notes.set_claims("{}", Timestamp::from_millis(now));
            let at = notes.claims.as_ref().unwrap().at;
            assert!(at > last && at.as_millis() >= now);
            last = at;
        }
    }

    #[test]
    fn details_are_bounded_and_have_no_control_characters() {
        let client = ClientDetails::default().address(&"1".repeat(99)).user_agent("a\r\nb\u{7f}c");
        assert_eq!(client.get_address().map(str::len), Some(64));
        assert_eq!(client.get_user_agent(), Some("abc"));
        let long = ClientDetails::default().user_agent(&"é".repeat(200));
        assert_eq!(long.get_user_agent().map(str::len), Some(256));
        assert_eq!(ClientDetails::default().address(" ").user_agent("\n").known(), None);
    }
}
