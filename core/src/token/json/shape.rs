//! What the texts of some objects have in common: everything but the values.

use super::item::{Item, Kind};
use super::reader::Reader;

/// The text of an object without the values of its members. Tokens of one issuer are nearly always
/// of one shape; a text that is of a known shape is read in half of the time, as nothing but its
/// values is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    members: Box<[Member]>,
    /// What stands after the last value.
    end: Box<str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// What stands between the value before and this one: the name, with all that is around it.
    pub(super) before: Box<str>,
    pub(super) kind: Kind,
}

impl Shape {
    /// The shape of `text`, which is read as strictly as ever; `None` for what is not an object.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let (mut members, mut at) = (Vec::new(), 0);
        Reader::new(text)
            .only_object(|_, item| {
                let value = item.range_in(text);
                let before = text.get(at..value.start).unwrap_or_default().into();
                members.push(Member { before, kind: item.kind() });
                at = value.end;
            })
            .ok()?;
        Some(Self { members: members.into(), end: text.get(at..)?.into() })
    }

    /// Reads `text`, if it is of this shape, and hands over the value of each member with the
    /// number of that. False, perhaps after some, if it is not: then it may be anything.
    ///
    /// It is as strict as [`read_object`](super::read_object): what is not read again is the same,
    /// byte for byte, as in a text that was read by that, and values end where they end there.
    #[inline(always)]
    pub(crate) fn read<'a>(&self, text: &'a str, value: impl FnMut(usize, Item<'a>)) -> bool {
        Reader::new(text).only_values(&self.members, &self.end, value).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read_object;
    use super::*;

    const LEARNT: &str = r#"{"a":"x", "b\u0063" : 1,"d":[1,{"e":2}],"f":null,"g":"\n","h":true}"#;

    fn values(shape: &Shape, text: &str) -> Option<Vec<(Kind, String)>> {
        let mut values = Vec::new();
        let read = |number, item: Item<'_>| {
            assert_eq!(number, values.len());
            values.push((item.kind(), item.raw().to_owned()));
        };
        shape.read(text, read).then_some(values)
    }

    fn strictly(text: &str) -> Option<Vec<(Kind, String)>> {
        let mut values = Vec::new();
        read_object(text, |_, item| values.push((item.kind(), item.raw().to_owned()))).ok()?;
        Some(values)
    }

    #[test]
    fn other_values_are_read() {
        let shape = Shape::of(LEARNT).unwrap();
        assert_eq!(shape.members.len(), 6);
        let other = r#"{"a":"", "b\u0063" : 17.5e3,"d":[],"f":null,"g":"\"","h":false}"#;
        for text in [LEARNT, other] {
            assert_eq!(values(&shape, text), strictly(text), "{text}");
            assert!(values(&shape, text).is_some(), "{text}");
        }
        let empty = Shape::of(" {} ").unwrap();
        assert!(values(&empty, " {} ").is_some() && values(&empty, "{}").is_none());
        assert_eq!(Shape::of("[]"), None);
    }

    #[test]
    fn what_is_of_another_shape_is_not_read() {
        let shape = Shape::of(r#"{"a":"x","b":1}"#).unwrap();
        for other in [
            "",
            "{",
            r#"{"a":"x","b":1"#,
            r#"{"a":"x","b":1}}"#,
            r#"{"a":"x","b":1} "#,
            r#"{"a":"x","b":1,"c":2}"#,
            r#"{"a":"x","b":"1"}"#,
            r#"{"a":"\n","b":1}"#,
            r#"{"a":"x","a":1}"#,
            r#"{"a":"x", "b":1}"#,
            r#"{"a":"x","b":01}"#,
            r#"{"a":"x","b":-}"#,
            r#"{"a":"x","b":1e999}"#,
            "{\"a\":\"\u{1}\",\"b\":1}",
            r#"{"a":null,"b":1}"#,
        ] {
            assert_eq!(values(&shape, other), None, "{other}");
        }
        // What looks like the rest of the shape may stand in a value.
        let inside = r#"{"a":"x\",\"b\":1}","b":2}"#;
        assert_eq!(values(&shape, inside), None);
        let nested = Shape::of(r#"{"a":{"b":1}}"#).unwrap();
        assert!(values(&nested, r#"{"a":{"c":[2,3]}}"#).is_some());
        assert_eq!(values(&nested, r#"{"a":{"c":1,"c":2}}"#), None);
    }

    proptest! {
        /// A text that was changed somewhere is read as by the strict reader, or not at all.
        #[test]
        fn a_known_shape_is_as_strict(place in 0..LEARNT.len(), with in "[ -~]{0,3}", cut in 0..4_usize) {
            let shape = Shape::of(LEARNT).unwrap();
            let mut text = LEARNT.to_owned();
            text.replace_range(place..(place + cut).min(LEARNT.len()), &with);
            if let Some(read) = values(&shape, &text) {
                prop_assert_eq!(Some(read), strictly(&text));
            }
        }
    }
}
