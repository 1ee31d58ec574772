//! Vectors of keys: unsuitable keys, JWK Sets, and single JWKs.

use crate::support::access::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::keys::{Algorithm, JwkSet, Key, Keyring, ShortSecret};
use regrant::types::SecretBytes;
use serde_json::Value;

fn read(name: &str) -> Value {
    vector_json(&format!("{name}.json"))
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
fn unsuitable_keys_are_rejected_at_construction() {
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
            Ok(_) => problems.push(format!("{}: accepted", text(case, "name"))),
            Err(_) => assert_eq!(config_error(made).0, text(case, "field"), "{case}"),
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    println!("{} unsuitable keys", cases(&file).len());
}

#[test]
fn jwk_use_and_key_ops_are_enforced() {
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

#[test]
fn keys_are_made_from_a_single_jwk() {
    let file = read("single-keys");
    let policy =
        AccessPolicy::builder().issuer("https://issuer.test").audience("api").build().unwrap();
    let mut problems = Vec::new();
    for case in cases(&file) {
        let algorithm: Algorithm = text(case, "alg").parse().unwrap();
        let key = Key::from_jwk(algorithm, text(case, "jwk"), ShortSecret::Refuse);
        let answer = key.and_then(|key| {
            let verifier = AccessVerifier::new(Keyring::single(key), policy.clone(), clock())?;
            verifier.verify(text(case, "token"))
        });
        let expect = &case["expect"];
        let answer = match answer {
            Ok(access) => access.payload().to_owned(),
            Err(error) => error.code().to_string(),
        };
        if answer != expect["code"].as_str().unwrap_or_else(|| text(expect, "payload")) {
            problems.push(format!("{}: {answer}", text(case, "name")));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    println!("{} single keys", cases(&file).len());
}

#[test]
fn a_secret_jwk_without_the_sign_operation_does_not_sign() {
    let of = |operations: &str| {
        let jwk = format!(
            r#"{{"kty":"oct","k":"{}","kid":"k"{operations}}}"#,
            base64url("0123456789abcdef0123456789abcdef")
        );
        Key::from_jwk(Algorithm::HS256, &jwk, ShortSecret::Refuse).unwrap()
    };
    assert!(of("").can_sign() && of(r#","key_ops":["verify","sign"]"#).can_sign());
    let verifying = of(r#","key_ops":["verify"]"#);
    assert!(!verifying.can_sign());
    assert!(verifying.sign_jws("e30", "{}").is_err());
    assert_eq!(verifying.id().unwrap().as_str(), "k");
    assert!(Keyring::builder().active(verifying).build().is_err());
}
