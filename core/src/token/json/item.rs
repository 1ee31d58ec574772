//! A value as it stands in the text.

use std::borrow::Cow;
use std::ops::Range;

use super::digits;
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::types::Timestamp;

/// The value of a member of the outermost object, well-formed and read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    kind: Kind,
    /// Of texts what is between the quotes, of others the whole.
    raw: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    TextWithEscapes,
    Array,
    Object,
}

/// What stands in the text for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written<'a> {
    /// What is between the quotes: the text itself, as it has no escapes.
    Text(&'a str),
    /// What is between the quotes, with escapes.
    EscapedText(&'a str),
    /// A number, a literal, an array or an object.
    Other(&'a str),
}

/// A JSON number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    /// Past the range of `i64`.
    Large(u64),
    Fraction(f64),
}

/// A plain number of so many digits does not overflow.
const SHORT: usize = 18;

impl<'a> Item<'a> {
    pub(super) const fn new(kind: Kind, raw: &'a str) -> Self {
        Self { kind, raw }
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind == Kind::Null
    }

    pub(crate) fn is_true(self) -> bool {
        self.kind == Kind::Bool && self.raw == "true"
    }

    /// `None` when it is not text.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::Text => Some(Cow::Borrowed(self.raw)),
            Kind::TextWithEscapes => unescape(self.raw).map(Cow::Owned),
            _ => None,
        }
    }

    /// `None` when it is not a number.
    pub(crate) fn number(self) -> Option<Number> {
        if self.kind != Kind::Number {
            return None;
        }
        if is_short(self.raw) {
            let append = |value: i64, digit: u8| value * 10 + i64::from(digit - b'0');
            return Some(Number::Integer(self.raw.bytes().fold(0, append)));
        }
        rare_number(self.raw)
    }

    /// The text as it was written.
    pub(crate) fn written(self) -> Written<'a> {
        match self.kind {
            Kind::Text => Written::Text(self.raw),
            Kind::TextWithEscapes => Written::EscapedText(self.raw),
            _ => Written::Other(self.raw),
        }
    }

    /// Its elements; `None` when it is not an array.
    pub(crate) fn elements(self) -> Option<Vec<Self>> {
        if self.kind != Kind::Array {
            return None;
        }
        Reader::new(self.raw).elements().ok()
    }

    /// Where it stands in `text`, which it was read from, with its quotes.
    pub(super) fn range_in(self, text: &str) -> Range<usize> {
        let quote = usize::from(matches!(self.kind, Kind::Text | Kind::TextWithEscapes));
        let start = (self.raw.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        start.saturating_sub(quote)..start + self.raw.len() + quote
    }

    pub(super) fn kind(self) -> Kind {
        self.kind
    }

    #[cfg(test)]
    pub(super) fn raw(self) -> &'a str {
        self.raw
    }
}

/// The largest NumericDate that is read, either way: what JSON numbers hold exactly.
const MAX_SECONDS: i64 = 1 << 53;

/// Reads a NumericDate (RFC 7519 §2): seconds since the epoch, whole or not.
///
/// # Errors
/// [`Error::ClaimInvalid`] for `claim`.
pub(crate) fn numeric_date(item: Item<'_>, claim: &'static str) -> Result<Timestamp> {
    match item.number() {
        Some(Number::Integer(seconds)) if (-MAX_SECONDS..=MAX_SECONDS).contains(&seconds) => {
            Ok(Timestamp::from_seconds(seconds))
        }
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        Some(Number::Fraction(seconds)) if seconds.abs() <= MAX_SECONDS as f64 => {
            // The cast saturates, and `Timestamp` clamps further.
            Ok(Timestamp::from_millis((seconds * 1000.0).round() as i64))
        }
        _ => Err(Error::claim_invalid(claim)),
    }
}

/// Whether a number is whole, not negative and short, as nearly all are.
pub(super) fn is_short(number: &str) -> bool {
    let bytes = number.as_bytes();
    let plain = bytes.len() <= SHORT && digits::run_length(bytes) == bytes.len();
    plain && (bytes.len() == 1 || !bytes.starts_with(b"0"))
}

/// `None` when it is not a number.
#[cold]
pub(super) fn rare_number(text: &str) -> Option<Number> {
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    let large = || number.as_u64().map(Number::Large);
    let fraction = || number.as_f64().map(Number::Fraction);
    number.as_i64().map(Number::Integer).or_else(large).or_else(fraction)
}

/// What a text says that stands between quotes; `None` when an escape is wrong.
#[cold]
pub(super) fn unescape(raw: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{raw}\"")).ok()
}
