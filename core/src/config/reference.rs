//! Generates the TypeScript types and the reference of all options from their definition, and fails
//! where the committed files differ. `REGRANT_UPDATE_OPTIONS=1` writes them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::options::*;
use super::values::*;
use super::*;
use crate::access::LegacyTokens;
use crate::http::SecureCookie;
use crate::jwks::JwksSchedule;
use crate::keys::Algorithm;
use crate::keys::KeyId;
use crate::session::TheftScope;
use crate::store::Eviction;

/// An object of the configuration.
pub(super) struct Section {
    /// The name of the TypeScript interface.
    pub(super) name: &'static str,
    /// The interface that it extends.
    extends: Option<&'static str>,
    /// Where the object stands in the configuration; empty for the whole.
    pub(super) path: &'static str,
    description: String,
    pub(super) options: Vec<ConfigOption>,
}

pub(super) struct ConfigOption {
    pub(super) name: String,
    required: bool,
    /// In TypeScript.
    ty: String,
    description: String,
    /// As a TypeScript literal.
    default: Option<String>,
}

impl Section {
    /// The section of `T`. `defaults` holds the effective values of its options.
    fn of<T: JsonSchema + DeserializeOwned>(
        name: &'static str,
        path: &'static str,
        defaults: &Value,
    ) -> Self {
        let schema = schema_for!(T).to_value();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let option = |name: &str| {
            let property = &schema["properties"][name];
            assert!(property.is_object(), "{path}.{name} has no schema");
            // The flags that are `false` unless set have no policy to resolve to.
            let flag = Some(&property["default"]).filter(|default| default.is_boolean());
            let default = [Some(&defaults[name]), flag];
            ConfigOption {
                name: name.to_owned(),
                required: required.iter().any(|required| required == name),
                ty: ts_type(property),
                description: description(property),
                default: default.into_iter().flatten().find_map(ts_literal),
            }
        };
        let options = names_of::<T>().iter().map(|name| option(name)).collect();
        Self { name, extends: None, path, description: description(&schema), options }
    }

    /// Leaves the options of `base` to it.
    fn extending(mut self, base: &Self) -> Self {
        self.extends = Some(base.name);
        self.options.retain(|own| base.options.iter().all(|inherited| inherited.name != own.name));
        self
    }
}

/// Every object, in the order of the generated files.
pub(super) fn sections() -> Vec<Section> {
    let config = AuthConfig::from_json(
        r#"{
            "secret": "at least 32 bytes for a secret to be valid",
            "dpop": { "origin": "https://app.example" }
        }"#,
    );
    let effective = config.unwrap().effective().unwrap();
    let legacy = LegacyConfig {
        max_lifetime: Some(Lifetime(LegacyTokens::default().max_lifetime)),
        ..LegacyConfig::default()
    };
    let redis = AuthConfig::from_json(
        r#"{ "secret": "at least 32 bytes for a secret to be valid", "store": "redis://h" }"#,
    );
    let redis = to_value(redis.unwrap().effective().unwrap().redis);
    let mut effective = to_value(effective);
    let mut dpop = effective["dpop"].take();
    // Required, so not a default.
    dpop["origin"] = Value::Null;
    let schedule = JwksSchedule::default();
    let key_sets = KeySetsConfig {
        refetch_cooldown: Some(Lifetime(schedule.refetch_cooldown())),
        max_age: Some(Lifetime(schedule.max_age())),
        max_stale: Some(Lifetime(schedule.max_stale())),
        timeout: Some(Lifetime(schedule.timeout())),
    };
    let mut issuer = effective["access"].clone();
    issuer["rsaAlgorithm"] = json!(Algorithm::RS256);
    let top = json!({ "store": effective["store"] });
    let none = Value::Null;

    let keys = Section::of::<KeysConfig>("KeysConfig", "", &none);
    let auth = Section::of::<AuthConfig>("AuthOptions", "", &top).extending(&keys);
    vec![
        keys,
        Section::of::<KeyConfig>("KeyConfig", "keys[]", &none),
        auth,
        Section::of::<AccessConfig>("AccessConfig", "access", &effective["access"]),
        Section::of::<LegacyConfig>("LegacyConfig", "access.legacy", &to_value(legacy)),
        Section::of::<RefreshConfig>("RefreshConfig", "refresh", &effective["refresh"]),
        Section::of::<LimiterConfig>(
            "LimiterConfig",
            "refresh.limiter",
            &effective["refresh"]["limiter"],
        ),
        Section::of::<RevocationConfig>("RevocationConfig", "revocation", &effective["revocation"]),
        Section::of::<RedisConfig>("RedisConfig", "redis", &redis),
        Section::of::<SentinelConfig>("SentinelConfig", "redis.sentinel", &none),
        Section::of::<DpopConfig>("DpopConfig", "dpop", &dpop),
        Section::of::<WebConfig>("WebConfig", "web", &effective["web"]),
        Section::of::<MigrateConfig>("MigrateOptions", "migrate", &none),
        Section::of::<VerifierConfig>("VerifierOptions", "", &none),
        Section::of::<IssuerConfig>("IssuerConfig", "issuers[]", &issuer),
        Section::of::<KeySetsConfig>("KeySetsConfig", "keySets", &to_value(key_sets)),
        Section::of::<ProofConfig>("ProofConfig", "dpop", &dpop),
        Section::of::<VerifierWebConfig>("VerifierWebConfig", "web", &effective["web"]),
    ]
}

fn to_value(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    // An example belongs to the Rust documentation.
    text.split("\n\n```").next().unwrap_or_default().to_owned()
}

/// The TypeScript type of a schema, `null` left out.
fn ts_type(schema: &Value) -> String {
    if let Some(ty) = schema["tsType"].as_str() {
        return ty.to_owned();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        // The TypeScript type of the same name also holds a function.
        let name = reference.rsplit('/').next().unwrap();
        return name.replace("MigrateConfig", "MigrateOptions");
    }
    if let Some(variants) = schema["anyOf"].as_array() {
        let types: Vec<_> = variants.iter().map(ts_type).filter(|ty| ty != "null").collect();
        return types.join(" | ");
    }
    if schema["const"] == false {
        return "false".to_owned();
    }
    let mut types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        ty => vec![ty.clone()],
    };
    types.retain(|ty| ty != "null" || schema["type"] == "null");
    match types[0].as_str().unwrap() {
        "array" => {
            let item = ts_type(&schema["items"]);
            if item.contains(' ') {
                format!("readonly ({item})[]")
            } else {
                format!("readonly {item}[]")
            }
        }
        "integer" | "number" => "number".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as TypeScript writes it; `None` if there is nothing to say.
fn ts_literal(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(format!("'{text}'")),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .filter_map(|(name, value)| Some(format!("{name}: {}", ts_literal(value)?)))
                .collect();
            (!members.is_empty()).then(|| format!("{{ {} }}", members.join(", ")))
        }
        other => Some(other.to_string()),
    }
}

macro_rules! ts_type {
    ($($type:ty => $ts:expr,)*) => {
        $(impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "tsType": $ts })
            }
        })*
    };
}

ts_type! {
    Lifetime => "Lifetime",
    OneOrMany => "string | readonly string[]",
    SecretConfig => "Secret",
    JwkConfig => "object | string",
    Algorithm => "Algorithm",
    KeyId => "string",
    TheftScope => "'session' | 'subject'",
    Eviction => "'warn' | 'refuse'",
    TokenCookie => "string | boolean",
    SecureCookie => "boolean | 'auto'",
}

impl<T: JsonSchema> JsonSchema for OrFalse<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OrFalse_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [value, { "const": false }] })
    }
}

const TS_HEAD: &str = "\
/**
 * The options that are data. Generated from `core/src/config/options.rs` by
 * `REGRANT_UPDATE_OPTIONS=1 cargo test -p regrant --lib config::reference`; do not edit.
 */
import type { JwkSet } from './jwk-set.cjs';

/** Seconds, or text such as `'15m'`, `'12h'`, `'14d'` (`ms`, `s`, `m`, `h`, `d`, `w`). */
export type Lifetime = number | string;

/** Key material: text, taken as its UTF-8 bytes, or bytes. */
export type Secret = string | Uint8Array;

/**
 * A JWS algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864). A key is used with one algorithm. `EdDSA` and
 * `Ed25519` are two names of the same algorithm, in keys and in tokens.
 */
";

/// The longest line of a generated comment.
const TS_WIDTH: usize = 118;

fn typescript(sections: &[Section]) -> String {
    let mut names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    for extra in ["EdDSA", "Ed25519"] {
        if !names.contains(&extra) {
            names.push(extra);
        }
    }
    let mut out = format!("{TS_HEAD}export type Algorithm =\n");
    for family in names.chunk_by(|a, b| a[..2] == b[..2]) {
        let family: Vec<_> = family.iter().map(|name| format!("'{name}'")).collect();
        let _ = writeln!(out, "  | {}", family.join(" | "));
    }
    out.truncate(out.trim_end().len());
    out.push_str(";\n");
    for section in sections {
        out.push('\n');
        comment(&mut out, "", &section.description);
        let extends = section.extends.map(|base| format!(" extends {base}")).unwrap_or_default();
        let _ = writeln!(out, "export interface {}{extends} {{", section.name);
        for option in &section.options {
            comment(&mut out, "  ", &described(option));
            let ConfigOption { name, ty, .. } = option;
            let _ = match option.required {
                true => writeln!(out, "  {name}: {ty};"),
                false => writeln!(out, "  {name}?: {ty} | undefined;"),
            };
        }
        out.push_str("}\n");
    }
    out
}

fn described(option: &ConfigOption) -> String {
    match &option.default {
        Some(default) => format!("{}\n\n@defaultValue `{default}`", option.description),
        None => option.description.clone(),
    }
}

fn comment(out: &mut String, indent: &str, text: &str) {
    let begins_block = |line: &str| line.is_empty() || line.starts_with("- ");
    let mut paragraphs: Vec<String> = Vec::new();
    for line in text.lines() {
        match paragraphs.last_mut() {
            Some(last) if !begins_block(line) && !last.is_empty() => {
                last.push(' ');
                last.push_str(line.trim_start());
            }
            _ => paragraphs.push(line.to_owned()),
        }
    }
    if let [only] = paragraphs.as_slice() {
        let single = format!("{indent}/** {only} */");
        if single.chars().count() <= TS_WIDTH {
            let _ = writeln!(out, "{single}");
            return;
        }
    }
    let _ = writeln!(out, "{indent}/**");
    for paragraph in paragraphs {
        let hanging = if paragraph.starts_with("- ") { "  " } else { "" };
        let mut line = format!("{indent} *");
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if line.chars().count() + 1 + word.chars().count() > TS_WIDTH {
                let _ = writeln!(out, "{line}");
                line = format!("{indent} * {hanging}{word}");
            } else {
                line.push(' ');
                line.push_str(word);
            }
        }
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "{indent} */");
}

const PAGE_HEAD: &str = "\
<!-- Generated from core/src/config/options.rs by
     `REGRANT_UPDATE_OPTIONS=1 cargo test -p regrant --lib config::reference`; do not edit. -->

# Options

The configuration is one JSON object, the same in every language. In TypeScript it is the argument of `createAuth` and `createVerifier`, which take functions
beside these options; a file `regrant.json` holds it for the command line.

- `Lifetime`: a number of seconds, or text such as `\"15m\"`, `\"12h\"` or `\"14d\"` (`ms`, `s`, `m`, `h`, `d`, `w`).
- `Secret`: text, taken as its UTF-8 bytes, or `{ \"base64\": \"…\" }`; in TypeScript also a `Uint8Array`.
- `false` turns an option off, wherever an option can be off.
- An unknown or invalid option is rejected with `ERR_CONFIG_INVALID`, which names it by its path.

`regrant config check` shows the values that are in effect.
";

fn page(sections: &[Section]) -> String {
    let mut out = PAGE_HEAD.to_owned();
    for section in sections {
        let title = match (section.name, section.path) {
            ("AuthOptions", _) => "createAuth".to_owned(),
            ("VerifierOptions", _) => "createVerifier".to_owned(),
            ("KeysConfig", _) => "Keys (`createAuth`, `auth.setKeys`)".to_owned(),
            ("ProofConfig" | "VerifierWebConfig", path) => format!("`{path}` (`createVerifier`)"),
            (_, path) => format!("`{path}`"),
        };
        let _ = write!(out, "\n## {title}\n\n{}\n", section.description.replace('\n', " "));
        out.push_str("\n| option | type | default | |\n|---|---|---|---|\n");
        for ConfigOption { name, required, ty, description, default } in &section.options {
            let default = match (default, required) {
                (Some(default), _) => format!("`{default}`"),
                (None, true) => "required".to_owned(),
                (None, false) => String::new(),
            };
            let ty = ty.replace("readonly ", "").replace(" | ", " \\| ");
            let cell = description
                .replace("\n\n", "<br>")
                .replace("<br>- ", "<br>")
                .replace("\n- ", "<br>")
                .replace('\n', " ")
                .replace('|', "\\|");
            let _ = writeln!(out, "| `{name}` | `{ty}` | {default} | {cell} |");
        }
    }
    out
}

/// Compares `text` with the file at `path`, from the root of the repository, or writes it.
fn check(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("REGRANT_UPDATE_OPTIONS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).find(|(committed, new)| committed != new);
    assert!(
        committed == text,
        "{path} differs from the options, first in {differs:?}: run this test with REGRANT_UPDATE_OPTIONS=1"
    );
}

#[test]
fn the_typescript_types_are_those_of_the_options() {
    check("bindings-node/src/options.cts", &typescript(&sections()));
}

#[test]
fn the_reference_is_that_of_the_options() {
    check("core/docs/configuration.md", &page(&sections()));
}

#[test]
fn every_option_is_described_in_words_of_all_languages() {
    for section in sections() {
        for option in &section.options {
            let text = &option.description;
            assert!(!text.is_empty() && !text.contains("[`"), "{}.{}", section.path, option.name);
        }
    }
}

/// The list that `effective::tests::no_secret_is_shown` plants secrets in, apart from addresses.
#[test]
fn every_option_that_holds_a_secret_is_known() {
    let sections = sections();
    let secrets = sections.iter().flat_map(|section| {
        let secret = section.options.iter().filter(|option| {
            option.ty.contains("Secret") || ["jwk", "privateKey"].contains(&option.name.as_str())
        });
        secret.map(|option| format!("{}.{}", section.path, option.name))
    });
    assert_eq!(
        secrets.collect::<Vec<_>>(),
        [
            ".secret",
            ".previousSecrets",
            ".refreshSecret",
            ".previousRefreshSecrets",
            "keys[].secret",
            "keys[].privateKey",
            "keys[].jwk",
            "redis.sentinel.password",
            "migrate.secret",
        ]
    );
}
