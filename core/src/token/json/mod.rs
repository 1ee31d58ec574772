//! Strict JSON objects (RFC 7519 §4: names must be unique; RFC 8725 §2.6).
//!
//! One pass over the text reports the members of the outermost object without building a tree,
//! and walks everything below them only to see that it is well-formed, not too deep, and without
//! duplicate names. Names are compared after their escapes were read.

#[cfg(test)]
mod against_serde;
mod digits;
mod item;
mod names;
mod reader;
mod shape;

use serde_json::{Map, Value};

pub use self::item::Written;
pub(crate) use self::item::{Item, Number, numeric_date};
use self::reader::Reader;
pub(crate) use self::shape::Shape;
use crate::error::{Error, Result};

/// How many arrays and objects may be open at once, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 32;

/// Reads `text` and hands every member to `member`, in the order of the text.
///
/// # Errors
/// [`Error::TokenMalformed`] when it is not exactly one JSON object with unique names.
pub(crate) fn read_object<'a>(text: &'a str, member: impl FnMut(&str, Item<'a>)) -> Result<()> {
    Reader::new(text).only_object(member).map_err(|_| Error::TokenMalformed)
}

/// Reads `text` into a map, as strictly.
///
/// # Errors
/// As [`read_object`].
pub(crate) fn parse_object(text: &str) -> Result<Map<String, Value>> {
    read_object(text, |_, _| ())?;
    serde_json::from_str(text).map_err(|_| Error::TokenMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        matches!(parse_object(text), Err(Error::TokenMalformed))
    }

    #[test]
    fn reports_the_members_in_order() {
        let mut seen = Vec::new();
        let text = r#"{"a":1,"b\u0063":"x\n","d":[1.5,"y",{"e":[2]}]}"#;
        read_object(text, |name, item| seen.push((name.to_owned(), item))).unwrap();
        let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "bc", "d"]);
        assert_eq!(seen[0].1.number(), Some(Number::Integer(1)));
        assert_eq!(seen[1].1.text().as_deref(), Some("x\n"));
        let elements = seen[2].1.elements().unwrap();
        assert_eq!(elements.len(), 3);
        assert_eq!(elements[0].number(), Some(Number::Fraction(1.5)));
        assert_eq!(elements[1].text().as_deref(), Some("y"));
        assert!(elements[2].text().is_none() && elements[2].elements().is_none());
    }

    #[test]
    fn duplicate_names_are_refused_at_every_depth() {
        assert!(refused(r#"{"a":1,"a":1}"#));
        assert!(refused(r#"{"a":1,"\u0061":2}"#));
        assert!(refused(r#"{"a":{"b":1,"b":2}}"#));
        assert!(refused(r#"{"a":[[{"b":1,"c":{"d":0,"d":0}}]]}"#));
        assert!(!refused(r#"{"a":{"b":1},"b":{"a":1},"A":0}"#));
    }

    #[test]
    fn only_one_object_and_nothing_else() {
        for bad in [
            "",
            " ",
            "[]",
            "null",
            "1",
            "\"a\"",
            "{",
            "{}{}",
            "{} x",
            "{'a':1}",
            "{a:1}",
            "{\"a\":1,}",
        ] {
            assert!(refused(bad), "{bad:?}");
        }
        assert!(refused("\u{feff}{}"));
        assert!(refused(r#"{"a":NaN}"#));
        assert!(refused(r#"{"a":1e999}"#));
        assert!(refused(r#"{"a":"\ud800"}"#));
        assert!(!refused(" {} \n"));
    }

    #[test]
    fn depth_is_limited() {
        let nested =
            |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(!refused(&nested(MAX_DEPTH)));
        assert!(refused(&nested(MAX_DEPTH + 1)));
        assert!(refused(&nested(4000)));
    }
}
