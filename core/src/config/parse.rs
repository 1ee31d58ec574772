//! Reads a configuration, and says what is wrong with it without printing a value.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::objects::ObjectsOnly;
use crate::error::{Error, Result};

pub(super) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let mut input = serde_json::Deserializer::from_str(json);
    let config = serde_path_to_error::deserialize(ObjectsOnly(&mut input)).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "config".to_owned() } else { path };
        let mut problem = problem(error.inner());
        if problem.starts_with("expected ")
            && let Some(found) = kind_at(json, error.path())
        {
            problem = format!("{problem}, found {found}");
        }
        Error::config(field, problem)
    })?;
    input.end().map_err(|error| Error::config("config", problem(&error)))?;
    Ok(config)
}

/// What is wrong, in the words of a configuration and without the value, which may be a secret.
fn problem(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if !error.is_data() {
        // Not JSON: the position helps those who wrote the file.
        return message;
    }
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    if let Some((name, known)) = unknown_option(message) {
        return unknown_option_problem(name, &known);
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", in_json_words(expected)),
        None => message.to_owned(),
    }
}

/// The kind of the value at `path`, for errors: all that they say of it.
fn kind_at(json: &str, path: &Path) -> Option<&'static str> {
    let root: Value = serde_json::from_str(json).ok()?;
    let value = path.iter().try_fold(&root, |value, segment| match segment {
        Segment::Seq { index } => value.get(index),
        Segment::Map { key } => value.get(key),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    Some(match value? {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    })
}

/// The name and the known names in serde's message about an unknown field.
pub(super) fn unknown_option(message: &str) -> Option<(&str, Vec<&str>)> {
    let (name, known) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some((name, known.split('`').skip(1).step_by(2).collect()))
}

/// The names of the options of `T`, in the order of their definition.
pub(super) fn names_of<T: DeserializeOwned>() -> Vec<String> {
    let error = serde_json::from_str::<T>(r#"{"?":0}"#).err().map(|error| error.to_string());
    let names = error.as_deref().and_then(unknown_option).map(|(_, names)| names);
    names.unwrap_or_default().into_iter().map(ToOwned::to_owned).collect()
}

/// What is wrong with the option `name` where only those in `known` exist. For bindings, so that all
/// options are rejected in the same words.
pub fn unknown_option_problem(name: &str, known: &[&str]) -> String {
    let all = known.join(", ");
    match nearest(name, known) {
        Some(near) => format!("unknown option, did you mean {near}? Known options: {all}"),
        None => format!("unknown option, expected one of: {all}"),
    }
}

/// What serde expected, without names of Rust types.
fn in_json_words(expected: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("a nonzero u32", "a whole number from 1 on"),
        ("a nonzero usize", "a whole number from 1 on"),
        ("u32", "a whole number"),
        ("usize", "a whole number"),
        ("a boolean", "true or false"),
        ("a sequence", "an array"),
    ];
    let (expected, or_false) = match expected.strip_suffix(", or false") {
        Some(expected) => (expected, ", or false"),
        None => (expected, ""),
    };
    let words = WORDS.iter().find(|(rust, _)| *rust == expected).map(|(_, words)| *words);
    let words = match words {
        Some(words) => words,
        None if expected.starts_with("struct ") => "an object",
        None => expected,
    };
    format!("{words}{or_false}")
}

/// The name among `known` that `name` is probably meant to be: the one with the fewest differences,
/// else the only one that begins with `name`.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let name = plain(name);
    let distances = known.iter().map(|known| (edit_distance(&name, &plain(known)), *known));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    let length = name.chars().count();
    if distance <= length.div_ceil(3).min(3) {
        return Some(near);
    }
    let mut longer = known.iter().filter(|known| length >= 3 && plain(known).starts_with(&name));
    longer.next().copied().filter(|_| longer.next().is_none())
}

/// The Levenshtein distance.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// `error` with `list[index]` as its field.
pub(super) fn of_element(list: &str, index: usize, error: Error) -> Error {
    match error {
        Error::ConfigInvalid { problem, .. } => Error::config(format!("{list}[{index}]"), problem),
        other => other,
    }
}

/// `error` with its field as a member of `list[index]`.
pub(super) fn in_element(list: &str, index: usize, error: Error) -> Error {
    match error {
        Error::ConfigInvalid { field, problem } => {
            let dot = if field.is_empty() { "" } else { "." };
            Error::config(format!("{list}[{index}]{dot}{field}"), problem)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AuthConfig, KeysConfig, VerifierConfig};
    use super::*;

    fn problem_of(json: &str) -> (String, String) {
        match AuthConfig::from_json(json) {
            Err(Error::ConfigInvalid { field, problem }) => (field, problem),
            other => panic!("{json} gave {other:?}"),
        }
    }

    #[test]
    fn an_unknown_option_is_rejected_with_the_nearest_known_one() {
        for (json, field, problem) in [
            (
                r#"{"refresh":{"limiter":{"windows":1}}}"#,
                "refresh.limiter.windows",
                "unknown option, did you mean window? Known options: failures, window",
            ),
            (
                r#"{"revocation":{"max":1}}"#,
                "revocation.max",
                "unknown option, did you mean maxStaleness? Known options: maxStaleness",
            ),
            (
                r#"{"refresh":{"limiter":{"x":1}}}"#,
                "refresh.limiter.x",
                "unknown option, expected one of: failures, window",
            ),
        ] {
            assert_eq!(problem_of(json), (field.to_owned(), problem.to_owned()), "{json}");
        }
        for (json, field, near) in [
            (r#"{"acces":{}}"#, "acces", "access"),
            (r#"{"refresh":{"idle_ttl":1}}"#, "refresh.idle_ttl", "idleTtl"),
            (r#"{"previousSecret":[]}"#, "previousSecret", "previousSecrets"),
        ] {
            let (rejected, problem) = problem_of(json);
            assert_eq!(rejected, field);
            let start = format!("unknown option, did you mean {near}? Known options: ");
            assert!(problem.starts_with(&start), "{problem}");
        }
    }

    #[test]
    fn a_problem_names_what_is_expected_and_never_quotes_the_value() {
        for (json, field, problem) in [
            (r#"{"access":"planted"}"#, "access", "expected an object, found a string"),
            (
                r#"{"access":{"cache":0}}"#,
                "access.cache",
                "expected a whole number from 1 on, or false, found a number",
            ),
            (
                r#"{"refresh":{"rotation":"planted"}}"#,
                "refresh.rotation",
                "expected true or false, found a string",
            ),
            (
                r#"{"refresh":{"limiter":"planted"}}"#,
                "refresh.limiter",
                "expected an object, or false, found a string",
            ),
            (
                r#"{"redis":{"eviction":"planted"}}"#,
                "redis.eviction",
                "expected `warn` or `refuse`, found a string",
            ),
            (
                r#"{"redis":{"sentinel":{"password":7}}}"#,
                "redis.sentinel.password",
                "expected a string or { base64 }, found a number",
            ),
            (
                r#"{"access":{"issuer":{"planted":["planted"]}}}"#,
                "access.issuer",
                "expected a string or an array of strings, found an object",
            ),
            (
                r#"{"previousSecrets":"planted"}"#,
                "previousSecrets",
                "expected an array, found a string",
            ),
            (r#"{"keys":"planted"}"#, "keys", "expected an array, found a string"),
        ] {
            assert_eq!(problem_of(json), (field.to_owned(), problem.to_owned()), "{json}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        let rejected = |json: &str| match json.contains("issuers") || json.contains("keySets") {
            true => VerifierConfig::from_json(json).map(drop),
            false => AuthConfig::from_json(json).map(drop),
        };
        for (json, field, problem) in [
            (r#"["planted"]"#, "config", "expected an object"),
            (r#"{"access":[]}"#, "access", "expected an object"),
            (r#"{"access":[900]}"#, "access", "expected an object"),
            (r#"{"refresh":[900,900]}"#, "refresh", "expected an object"),
            (r#"{"revocation":[5]}"#, "revocation", "expected an object"),
            (r#"{"redis":["p"]}"#, "redis", "expected an object"),
            (r#"{"redis":{"sentinel":["u","p"]}}"#, "redis.sentinel", "expected an object"),
            (r#"{"web":["rt","/auth"]}"#, "web", "expected an object"),
            (r#"{"migrate":["s","redis://r"]}"#, "migrate", "expected an object"),
            (r#"{"keys":[["HS256"]]}"#, "keys[0]", "expected an object"),
            (r#"{"dpop":["https://a.example"]}"#, "dpop", "expected an object, or false"),
            (r#"{"refresh":{"limiter":[5]}}"#, "refresh.limiter", "expected an object, or false"),
            (
                r#"{"access":{"legacy":["1h"]}}"#,
                "access.legacy",
                "expected true, false or { maxLifetime, requiredClaims, forbiddenClaims }",
            ),
            (r#"{"secret":["planted"]}"#, "secret", "expected a string or { base64 }"),
            (r#"{"issuers":[["i"]]}"#, "issuers[0]", "expected an object"),
            (r#"{"issuers":[],"web":[true]}"#, "web", "expected an object"),
            (r#"{"issuers":[],"keySets":[5]}"#, "keySets", "expected an object"),
            (r#"{"issuers":[],"dpop":["o"]}"#, "dpop", "expected an object, or false"),
            (
                r#"{"issuers":[{"issuer":"i","keys":[["HS256"]]}]}"#,
                "issuers[0].keys[0]",
                "expected an object",
            ),
        ] {
            match rejected(json) {
                Err(Error::ConfigInvalid { field: found, problem: told }) => {
                    let problem = format!("{problem}, found an array");
                    assert_eq!((found.as_str(), told), (field, problem), "{json}");
                }
                other => panic!("{json} gave {other:?}"),
            }
        }
        assert!(KeysConfig::from_json(r#"["planted"]"#).is_err());
    }

    #[test]
    fn nothing_follows_the_object() {
        assert_eq!(problem_of("{} {}").1, "trailing characters at line 1 column 4");
    }

    #[test]
    fn a_syntax_error_names_its_position() {
        assert_eq!(problem_of("{\n  secret: 1 }").1, "key must be a string at line 2 column 3");
    }

    #[test]
    fn false_turns_options_off() {
        let config = AuthConfig::from_json(
            r#"{
                "access": { "maxAge": false, "cache": false, "legacy": false },
                "refresh": { "maxSessions": false, "limiter": false },
                "dpop": false
            }"#,
        )
        .unwrap();
        let (access, refresh) = (config.access_policy().unwrap(), config.refresh.policy().unwrap());
        assert_eq!((access.max_age(), access.cache(), access.legacy()), (None, 0, None));
        assert_eq!((refresh.max_sessions, refresh.limiter), (None, None));
        assert!(config.dpop_policy().unwrap().is_none());
    }

    #[test]
    fn edit_distance_counts_insertions_deletions_and_replacements() {
        for (left, right, distance) in
            [("", "", 0), ("", "abc", 3), ("ttl", "tll", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        }
    }
}
