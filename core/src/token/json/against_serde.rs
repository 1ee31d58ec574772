//! Checks the reader against `serde_json` on random input: what is JSON, and what it contains.

use std::collections::HashSet;
use std::fmt;

use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Item, MAX_DEPTH, Number, ValueType, read_object};

/// A value as `serde_json` parses it, with all members of objects, duplicates included.
#[derive(Clone, Debug)]
enum Tree {
    Null,
    Bool,
    Integer(i64),
    Large(u64),
    Fraction(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Bool)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::Large(value), Tree::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Fraction(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = elements.next_element()? {
            all.push(element);
        }
        Ok(Tree::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Tree::Object(all))
    }
}

impl Tree {
    /// Whether no object has duplicate names and at most `depth` containers are nested.
    fn is_strict(&self, depth: usize) -> bool {
        match self {
            Self::Array(all) => depth > 0 && all.iter().all(|one| one.is_strict(depth - 1)),
            Self::Object(all) => {
                let names: HashSet<_> = all.iter().map(|(name, _)| name).collect();
                let unique = names.len() == all.len();
                depth > 0 && unique && all.iter().all(|(_, one)| one.is_strict(depth - 1))
            }
            _ => true,
        }
    }

    /// A text for comparison with an [`Item`].
    fn known(&self, keep: bool) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Integer(number) => format!("{:?}", Number::Integer(*number)),
            Self::Large(number) => format!("{:?}", Number::Large(*number)),
            Self::Fraction(number) => format!("{:?}", Number::Fraction(*number)),
            Self::Text(text) => format!("{text:?}"),
            Self::Array(all) if keep => {
                format!("{:?}", all.iter().map(|one| one.known(false)).collect::<Vec<_>>())
            }
            Self::Array(_) => "array".to_owned(),
            Self::Object(_) => "object".to_owned(),
        }
    }
}

fn known(item: Item<'_>, keep: bool) -> String {
    match item.value_type {
        ValueType::Null => "null".to_owned(),
        ValueType::Bool => "bool".to_owned(),
        ValueType::ShortInteger | ValueType::Number => {
            format!("{:?}", item.number().expect("a number"))
        }
        ValueType::Text | ValueType::TextWithEscapes => {
            format!("{:?}", item.text().expect("a text"))
        }
        ValueType::Array if keep => {
            let elements = item.elements().expect("an array");
            format!("{:?}", elements.iter().map(|one| known(*one, false)).collect::<Vec<_>>())
        }
        ValueType::Array => "array".to_owned(),
        ValueType::Object => "object".to_owned(),
    }
}

type Members = Vec<(String, String)>;

fn by_serde(text: &str) -> Option<Members> {
    let tree: Tree = serde_json::from_str(text).ok()?;
    let Tree::Object(members) = &tree else { return None };
    let strict = tree.is_strict(MAX_DEPTH);
    strict.then(|| members.iter().map(|(name, one)| (name.clone(), one.known(true))).collect())
}

fn by_reader(text: &str) -> Option<Members> {
    let mut members = Vec::new();
    let outcome =
        read_object(text, |name, item| members.push((name.to_owned(), known(item, true))));
    outcome.ok().map(|()| members)
}

fn agree(text: &str) -> Result<(), TestCaseError> {
    let (ours, theirs) = (by_reader(text), by_serde(text));
    prop_assert_eq!(ours, theirs, "{:?}", text);
    Ok(())
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        (0..30_u32).prop_map(|digits| "9".repeat(digits as usize + 1)),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "-?[0-9]{1,22}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?",
        name(),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(|text| format!("{text:?}")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("JSON")),
        "\"(\\\\[nrtbfu/\"\\\\x]|\\\\u[0-9a-dA-D]{4}|[a-c\u{1}é한])*\"",
    ]
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\n\r]{0,2}"
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        let member = (name(), space(), inner.clone(), space())
            .prop_map(|(name, before, value, after)| format!("{name}{before}:{value}{after}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

fn object() -> impl Strategy<Value = String> {
    prop::collection::vec((name(), space(), value(), space()), 0..8).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, before, value, after)| format!("{before}{name}:{before}{value}{after}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn agrees_on_objects(text in object()) {
        agree(&text)?;
    }

    #[test]
    fn agrees_on_objects_with_a_change(
        text in object(),
        place in any::<Index>(),
        with in prop_oneof![
            "[{}\\[\\]\",:.eE0-9+-]", "[ \\\\tfn\u{7f}]", "[\\x00-\\x1f]", Just(String::new()), ".{0,2}",
        ],
        cut in 0..3_usize,
    ) {
        let mut letters: Vec<char> = text.chars().collect();
        let begin = place.index(letters.len());
        let end = (begin + cut).min(letters.len());
        letters.splice(begin..end, with.chars());
        agree(&letters.into_iter().collect::<String>())?;
    }

    #[test]
    fn agrees_on_rubbish(text in "[{}\\[\\]\",:a0-9eE+.\\\\ -]{0,24}") {
        agree(&text)?;
        agree(&format!("{{{text}}}"))?;
        agree(&format!("{{\"a\":{text}}}"))?;
    }
}
