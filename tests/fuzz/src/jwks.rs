//! A JWK Set: which keys are used, and what is published.

use jsonwebtoken::DecodingKey;
use regrant::ErrorCode;
use regrant::keys::{Algorithm, JwkSet, Keyring};
use serde_json::{Map, Value};

use crate::reference::{base64url, json};
use crate::second_opinion;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let expected = json::object(text).and_then(|set| match set.get("keys") {
        Some(Value::Array(keys)) => {
            keys.iter().map(|key| key.as_object().cloned()).collect::<Option<Vec<_>>>()
        }
        _ => None,
    });
    match (JwkSet::parse(text, Algorithm::RS256), expected) {
        (Ok(set), Some(jwks)) => {
            assert_eq!(set.keys().len() + set.skipped().len(), jwks.len());
            assert!(set.keys().len() <= Keyring::MAX_KEYS);
            let skipped: Vec<_> = set.skipped().iter().map(|key| key.index).collect();
            let kept = (0..jwks.len()).filter(|place| !skipped.contains(place));
            for (key, place) in set.keys().iter().zip(kept) {
                may_be_used(&jwks[place], key.algorithm());
            }
            if !set.keys().is_empty() {
                prints_as_it_reads(set);
            }
        }
        (Err(error), None) => assert_eq!(error.code(), ErrorCode::ConfigInvalid),
        (Err(_), Some(_)) => assert!(text.len() > JwkSet::MAX_BYTES),
        (Ok(set), None) => panic!("{set:?} was read from input that is not a JWK Set"),
    }
}

/// RFC 7517 §4: a public key, for verifying, by the algorithm that it says.
fn may_be_used(jwk: &Map<String, Value>, algorithm: Algorithm) {
    let text = |name: &str| jwk.get(name).map(|value| value.as_str().expect("a text"));
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(private == "k" || !jwk.contains_key(private), "{private} was published");
    }
    assert!(matches!(text("kty"), Some("RSA" | "EC" | "OKP")));
    assert!(text("use").is_none_or(|purpose| purpose == "sig"));
    if let Some(operations) = jwk.get("key_ops") {
        assert!(operations.as_array().expect("a list").iter().any(|one| one == "verify"));
    }
    if let Some(name) = text("alg") {
        assert_eq!(Algorithm::from_name(name), Some(algorithm));
    }
    if text("kty") == Some("RSA") {
        let modulus = base64url::decode(text("n").expect("a modulus")).expect("canonical");
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        assert!(modulus.len() - zeros >= 256, "an RSA key of less than 2048 bits");
    }
    second_opinion::choose_cryptography();
    // `jsonwebtoken` is stricter about optional members than the RFC; a key that it reads must work.
    if let Ok(theirs) = serde_json::from_value::<jsonwebtoken::jwk::Jwk>(jwk.clone().into()) {
        DecodingKey::from_jwk(&theirs).expect("another library cannot use it");
    }
}

fn prints_as_it_reads(set: JwkSet) {
    let printed = set.into_keyring().expect("its keys fit together").jwks();
    let again = JwkSet::parse(&printed, Algorithm::PS512).expect("what was printed");
    assert!(again.skipped().is_empty(), "{:?}", again.skipped());
    assert_eq!(again.into_keyring().expect("keys").jwks(), printed);
    let members = ["kty", "crv", "x", "y", "n", "e", "alg", "use", "kid"];
    let printed = json::object(&printed).expect("an object");
    for jwk in printed["keys"].as_array().expect("a list") {
        let unknown =
            jwk.as_object().expect("a key").keys().find(|name| !members.contains(&name.as_str()));
        assert_eq!(unknown, None);
    }
}
