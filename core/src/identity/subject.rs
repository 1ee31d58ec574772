//! The user: the `sub` claim.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::error::Error;

/// The app's id of a user (RFC 7519 §4.1.2): 1 to 255 bytes of text without control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Subject(Box<str>);

impl Subject {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Checks and takes over `text`.
    ///
    /// # Errors
    /// [`Error::ClaimInvalid`] for `sub` when it is empty, too long or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let printable = |byte: u8| (0x20..0x7f).contains(&byte);
        let has_controls = || !text.bytes().all(printable) && text.chars().any(char::is_control);
        if text.is_empty() || text.len() > Self::MAX_BYTES || has_controls() {
            return Err(Error::claim_invalid("sub"));
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
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
