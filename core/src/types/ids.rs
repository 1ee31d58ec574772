//! The identifiers that tokens, sessions and stores share: subject, session id, and the position of a token in its family.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::Error;

/// The app's id of a user (RFC 7519 §4.1.2): 1 to 255 bytes of text without control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Subject(Box<str>);

impl Subject {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for `subject` when it is empty, too long or contains control
    /// characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let printable = |byte: u8| (0x20..0x7f).contains(&byte);
        let has_controls = || !text.bytes().all(printable) && text.chars().any(char::is_control);
        if text.is_empty() || text.len() > Self::MAX_BYTES || has_controls() {
            let expected = "expected 1 to 255 bytes of text without control characters";
            return Err(Error::argument("subject", expected));
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// The name of this user within a realm, for stores alone: longer than an id may be, and with a
    /// character that no id has.
    pub(super) fn qualified(realm: &str, subject: &Self) -> Self {
        Self(format!("{realm}\u{1f}{subject}").into_boxed_str())
    }

    /// A name that a store has listed: also that of a user within a realm.
    ///
    /// # Errors
    /// As [`Subject::new`].
    pub(crate) fn stored(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let (_, subject) = name.split_once('\u{1f}').unwrap_or(("", &name));
        Self::new(subject)?;
        Ok(Self(name.into_boxed_str()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of which the text is the canonical decimal form, such as the id of a row. `None`
    /// for other text, and beyond 2^53 - 1, where JSON numbers are not exact (RFC 8259 §6).
    pub fn as_integer(&self) -> Option<i64> {
        const MAX_EXACT: i64 = (1 << 53) - 1;
        let number: i64 = self.0.parse().ok()?;
        let is_exact = (-MAX_EXACT..=MAX_EXACT).contains(&number);
        // Neither `+7`, `007` nor `-0`: they are other users than `7` and `0`.
        (is_exact && number.to_string() == *self.0).then_some(number)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({:?})", &self.0)
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl TryFrom<String> for Subject {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0.into()
    }
}

/// The id of a session: 128 bits, written as 22 characters of base64url. It is not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The length of its text.
    #[doc(hidden)]
    pub const TEXT_BYTES: usize = 22;

    /// An id from its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A new random id.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system provides no randomness.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        Ok(Self(bytes))
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(&self.0, &URL_SAFE_NO_PAD).fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = Error;

    /// # Errors
    /// [`Error::ArgumentInvalid`] for `session`.
    fn from_str(text: &str) -> Result<Self, Error> {
        // On the stack: this runs for every access token.
        let mut space = [0; 18];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut space).unwrap_or_default();
        let bytes = space.get(..length).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| Error::argument("session", "expected 22 characters of base64url"))
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for SessionId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

/// The number of rotations between the login and a token.
pub type Generation = u32;

/// The position of a token in its token family (RFC 9700 §4.14): the claims `gen` and `brn`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct FamilyPosition {
    /// The number of rotations between the login and the token.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// The index among the children of the parent token: 0 unless an earlier child was discarded.
    #[serde(rename = "brn")]
    pub branch: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_list_users_within_realms() {
        let longest = Subject::new("u".repeat(Subject::MAX_BYTES)).unwrap();
        for subject in [&longest, &Subject::new("alice").unwrap()] {
            let name = Subject::qualified("AbCd", subject);
            assert_eq!(Subject::stored(name.as_str()).unwrap(), name);
            assert_eq!(Subject::stored(subject.as_str()).unwrap(), *subject);
        }
        for bad in ["", "a\u{1f}", "a\u{1f}b\u{1f}c", "a\nb"] {
            assert!(Subject::stored(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_id_is_an_invalid_argument() {
        let long = "x".repeat(Subject::MAX_BYTES + 1);
        for text in ["", "a\nb", "\u{7f}", &long] {
            let error = Subject::new(text).unwrap_err();
            assert!(
                matches!(&error, Error::ArgumentInvalid { argument, .. } if argument == "subject")
            );
        }
        for text in ["", "x", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAAA", "é"] {
            let error = text.parse::<SessionId>().unwrap_err();
            assert!(
                matches!(&error, Error::ArgumentInvalid { argument, .. } if argument == "session"),
                "{text}"
            );
        }
        assert!("AAAAAAAAAAAAAAAAAAAAAA".parse::<SessionId>().is_ok());
    }
}
