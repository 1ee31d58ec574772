//! No error about a configuration shows a value of it: a planted value in every option, in every
//! shape.

use std::error::Error as _;

use serde_json::{Value, json};

use super::reference::sections;
use super::*;
use crate::jwks::JwksVerifierBuilder;

/// With words that serde's messages are taken apart by.
const PLANTED: &str = "planted `planted`, expected planted at line 86753090017 column 1";
const PLANTED_NUMBER: i64 = 86_753_090_017;
const SECRET: &str = "a secret of more than 32 bytes, not planted";

fn shapes() -> Vec<Value> {
    let mut shapes = vec![
        json!(PLANTED),
        json!("planted"),
        json!(format!(" {PLANTED}\n")),
        json!("redis://planted:planted@planted:planted/planted"),
        json!("https://planted:planted@planted/planted#planted"),
        json!(PLANTED_NUMBER),
        json!(-PLANTED_NUMBER),
        json!(86_753_090_017.5),
        json!({ "base64": PLANTED }),
        json!({ "base64": [PLANTED] }),
        json!({ "base64": PLANTED_NUMBER }),
        json!({ "name": PLANTED }),
        json!({ "kty": "oct", "k": PLANTED, "kid": PLANTED }),
        json!({ "kty": "RSA", "n": PLANTED, "e": "AQAB", "kid": PLANTED }),
        json!({ "keys": [{ "kty": PLANTED, "kid": PLANTED }] }),
        json!({ "name": { "name": { "name": [PLANTED, PLANTED_NUMBER] } } }),
        json!(true),
        json!(null),
    ];
    let inner: Vec<Value> = shapes.clone();
    shapes.extend(inner.iter().map(|shape| json!([shape])));
    shapes.extend(inner.iter().map(|shape| json!([[shape]])));
    shapes.extend(inner.iter().map(|shape| json!([shape, shape])));
    shapes
}

/// The members that make an object valid, apart from the option in question.
fn valid_members(path: &str, name: &str) -> Value {
    match path {
        "keys[]" if name == "kid" || name == "alg" || name == "active" => {
            json!({ "alg": "HS256", "secret": SECRET })
        }
        "keys[]" if name == "jwk" => json!({ "alg": "HS256" }),
        "keys[]" => json!({ "alg": "ES256" }),
        "issuers[]" if ["jwks", "jwksUri"].contains(&name) => json!({ "issuer": "issuer" }),
        "issuers[]" => {
            json!({ "issuer": "issuer", "keys": [{ "alg": "HS256", "secret": SECRET }] })
        }
        "dpop" => json!({ "origin": "https://app.example" }),
        "migrate" => json!({ "store": "redis://127.0.0.1:1" }),
        _ => json!({}),
    }
}

/// `base` with `value` as the option `name` of the object at `path`.
fn plant(base: &Value, path: &str, name: &str, value: &Value) -> String {
    let mut config = base.clone();
    let mut object = &mut config;
    let mut walked = String::new();
    for segment in path.split('.').filter(|segment| !segment.is_empty()) {
        walked = if walked.is_empty() { segment.to_owned() } else { format!("{walked}.{segment}") };
        let members = valid_members(&walked, name);
        object = match segment.strip_suffix("[]") {
            Some(list) => {
                object[list] = json!([members]);
                &mut object[list][0]
            }
            None => {
                object[segment] = members;
                &mut object[segment]
            }
        };
    }
    object[name] = value.clone();
    config.to_string()
}

fn auth_errors(json: &str) -> Vec<Error> {
    match AuthConfig::from_json(json) {
        Err(error) => vec![error],
        Ok(config) => {
            let mut errors = config.problems();
            errors.extend(config.effective().err());
            // Opens the store, if its address is not one of a file.
            if !config.store_url().starts_with("file:") {
                errors.extend(config.session_admin().err());
            }
            errors.extend(config.builder().err());
            errors
        }
    }
}

fn verifier_errors(json: &str) -> Vec<Error> {
    let config = VerifierConfig::from_json(json);
    config
        .and_then(VerifierConfig::builder)
        .and_then(JwksVerifierBuilder::build)
        .err()
        .into_iter()
        .collect()
}

/// All that an error says.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        shown = format!("{shown} {error} {error:?}");
        source = error.source();
    }
    shown
}

#[test]
fn no_error_shows_a_value() {
    let auth = json!({ "secret": SECRET, "store": "redis://127.0.0.1:1" });
    // Reads the files of certificates.
    let with_tls = json!({ "secret": SECRET, "store": "rediss://127.0.0.1:1" });
    let verifier = json!({ "issuers": [{ "issuer": "issuer", "keys": [{ "alg": "HS256", "secret": SECRET }] }] });
    let (mut tried, mut rejected) = (0, 0);
    for section in sections() {
        let is_verifier = ["VerifierOptions", "IssuerConfig", "KeySetsConfig", "ProofConfig"]
            .contains(&section.name)
            || section.name == "VerifierWebConfig";
        for option in &section.options {
            for shape in shapes() {
                let base = match (is_verifier, option.name.ends_with("File")) {
                    (true, _) => &verifier,
                    (false, true) => &with_tls,
                    (false, false) => &auth,
                };
                let json = plant(base, section.path, &option.name, &shape);
                let errors = if is_verifier { verifier_errors(&json) } else { auth_errors(&json) };
                tried += 1;
                rejected += usize::from(!errors.is_empty());
                for error in errors {
                    let shown = shown(&error);
                    let is_clean = !shown.contains("planted") && !shown.contains("86753090017");
                    assert!(is_clean, "{}.{} {shape}: {shown}", section.path, option.name);
                }
            }
        }
    }
    // Most shapes fit no option.
    assert!(tried > 5000 && rejected * 10 > tried * 8, "{rejected} of {tried}");
}
