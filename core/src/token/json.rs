//! Strict JSON objects (RFC 7519 §4: names must be unique; RFC 8725 §2.6).
//!
//! One pass over the text reports the members of the outermost object without building a tree,
//! and walks everything below them only to see that it is well-formed, not too deep, and without
//! duplicate names. Names are compared after their escapes were read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::names::Names;
use crate::error::{Error, Result};

/// How many arrays and objects may be open at once, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 32;

/// The value of a member of the outermost object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    Null,
    Bool,
    Integer(i64),
    /// Past the range of `i64`.
    Large(u64),
    Fraction(f64),
    Text(Cow<'a, str>),
    /// Its elements; what is inside of those is not kept.
    Array(Vec<Item<'a>>),
    Object,
}

/// Reads `text` and hands every member to `member`, in the order of the text.
///
/// # Errors
/// [`Error::TokenMalformed`] when it is not exactly one JSON object with unique names.
pub(crate) fn read_object<'a>(
    text: &'a str,
    member: &mut dyn FnMut(Cow<'a, str>, Item<'a>),
) -> Result<()> {
    let mut input = serde_json::Deserializer::from_str(text);
    input
        .deserialize_map(Outermost(member))
        .and_then(|()| input.end())
        .map_err(|_| Error::TokenMalformed)
}

/// Reads `text` into a map, as strictly.
///
/// # Errors
/// As [`read_object`].
pub(crate) fn parse_object(text: &str) -> Result<Map<String, Value>> {
    read_object(text, &mut |_, _| ())?;
    serde_json::from_str(text).map_err(|_| Error::TokenMalformed)
}

struct Outermost<'m, 'a>(&'m mut dyn FnMut(Cow<'a, str>, Item<'a>));

impl<'a> Visitor<'a> for Outermost<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = Names::for_claims();
        while let Some(name) = members.next_key_seed(Name)? {
            let item = members.next_value_seed(Walk { depth: 1 })?;
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("duplicate name"));
            }
            (self.0)(name, item);
        }
        Ok(())
    }
}

/// Reads any value that has `depth` arrays and objects around it.
#[derive(Clone, Copy)]
struct Walk {
    depth: usize,
}

impl Walk {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'a> DeserializeSeed<'a> for Walk {
    type Value = Item<'a>;

    fn deserialize<D: Deserializer<'a>>(self, input: D) -> Result<Item<'a>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk {
    type Value = Item<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Item<'a>, E> {
        Ok(Item::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Item<'a>, E> {
        Ok(Item::Bool)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Item<'a>, E> {
        Ok(Item::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Item<'a>, E> {
        Ok(i64::try_from(number).map_or(Item::Large(number), Item::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Item<'a>, E> {
        Ok(Item::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Item<'a>, E> {
        Ok(Item::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Item<'a>, E> {
        Ok(Item::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<Item<'a>, A::Error> {
        let inner = self.deeper()?;
        let keep = self.depth == 1;
        let mut kept = Vec::new();
        while let Some(item) = elements.next_element_seed(inner)? {
            if keep {
                kept.push(item);
            }
        }
        Ok(Item::Array(kept))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Item<'a>, A::Error> {
        let inner = self.deeper()?;
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if !names.insert(name) {
                return Err(A::Error::custom("duplicate name"));
            }
            members.next_value_seed(inner)?;
        }
        Ok(Item::Object)
    }
}

/// Reads a name, borrowed where it has no escapes.
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, input: D) -> Result<Cow<'a, str>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
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
        let text = r#"{"a":1,"b\u0063":"x\n","d":[1.5,"y",{"e":[2]}],"f":{"g":null},"h":true,
                       "i":18446744073709551615,"j":null}"#;
        read_object(text, &mut |name, item| seen.push((name.into_owned(), item))).unwrap();
        let expected = [
            ("a", Item::Integer(1)),
            ("bc", Item::Text("x\n".into())),
            ("d", Item::Array(vec![Item::Fraction(1.5), Item::Text("y".into()), Item::Object])),
            ("f", Item::Object),
            ("h", Item::Bool),
            ("i", Item::Large(u64::MAX)),
            ("j", Item::Null),
        ];
        assert_eq!(seen, expected.map(|(name, item)| (name.to_owned(), item)));
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
