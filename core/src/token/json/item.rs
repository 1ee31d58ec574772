//! A value as it stands in the text.

use std::borrow::Cow;

use super::digits;
use super::reader::Reader;

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

    /// Its text; `None` when it is not an object.
    pub(crate) fn object(self) -> Option<&'a str> {
        (self.kind == Kind::Object).then_some(self.raw)
    }

    /// Its elements; `None` when it is not an array.
    pub(crate) fn elements(self) -> Option<Vec<Self>> {
        if self.kind != Kind::Array {
            return None;
        }
        Reader::new(self.raw).elements().ok()
    }

    #[cfg(test)]
    pub(super) fn kind(self) -> Kind {
        self.kind
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
