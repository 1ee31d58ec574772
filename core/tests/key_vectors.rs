//! Keys that no verifier may take, and what a JWK Set says of the use of its keys.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access_support;

use access_support::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::keys::{Algorithm, JwkSet, Key, ShortSecret};
use regrant::secret::SecretBytes;
use serde_json::Value;

fn read(name: &str) -> Value {
    serde_json::from_str(&vector(&format!("{name}.json"))).unwrap()
}

fn cases(file: &Value) -> &[Value] {
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(file["count"].as_u64().unwrap(), cases.len() as u64);
    cases
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}"))
}

#[test]
fn every_unfit_key_is_refused_when_it_is_made() {
    let file = read("unfit-keys");
    let mut problems = Vec::new();
    for case in cases(&file) {
        let key = &case["key"];
        let algorithm: Algorithm = text(key, "alg").parse().unwrap();
        let made = match key["secret"].as_str() {
            Some(secret) => {
                let secret = SecretBytes::new(URL_SAFE_NO_PAD.decode(secret).unwrap());
                Key::hmac(algorithm, &secret, ShortSecret::Refuse)
            }
            None => Key::public_pem(algorithm, text(key, "publicKey")),
        };
        match made {
            Ok(_) => problems.push(format!("{}: taken", text(case, "name"))),
            Err(_) => assert_eq!(config_error(made).0, text(case, "field"), "{case}"),
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    println!("{} unfit keys", cases(&file).len());
}

#[test]
fn what_a_jwk_says_of_its_use_holds() {
    let file = read("key-sets");
    let policy =
        AccessPolicy::builder().issuer("https://issuer.test").audience("api").build().unwrap();
    let mut problems = Vec::new();
    for case in cases(&file) {
        let set = JwkSet::parse(text(case, "jwks"), Algorithm::RS256).unwrap();
        let keyring = set.into_keyring().unwrap();
        let verifier = AccessVerifier::new(keyring, policy.clone(), clock()).unwrap();
        let expect = &case["expect"];
        let answer = match verifier.verify(text(case, "token")) {
            Ok(access) if expect["payload"] == access.payload() => "accepted".to_owned(),
            Ok(access) => format!("accepted with {}", access.payload()),
            Err(error) => error.code().to_string(),
        };
        if answer != expect["code"].as_str().unwrap_or("accepted") {
            problems.push(format!("{}: {answer}", text(case, "name")));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    println!("{} key sets", cases(&file).len());
}
