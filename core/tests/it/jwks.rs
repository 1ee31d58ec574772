//! JWK Sets (RFC 7517): which keys of a set are used, and what is published.

use crate::support::access::*;
use regrant::Error;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::keys::{Algorithm, JwkError, JwkSet, Key, KeyId, Keyring};
use regrant::types::Subject;
use serde_json::{Map, Value, json};

fn named(algorithm: Algorithm, file: &str, id: &str) -> Key {
    let key = Key::private_pem(algorithm, &pem(file)).unwrap();
    key.with_id(KeyId::new(id).unwrap())
}

/// One key pair of each kind.
fn pairs() -> Vec<Key> {
    vec![
        named(Algorithm::EdDSA, "ed25519-a.private", "ed"),
        named(Algorithm::ES256, "p256-a.private", "p256"),
        named(Algorithm::ES384, "p384-a.private", "p384"),
        named(Algorithm::RS256, "rsa2048-a.private", "rsa"),
        named(Algorithm::PS512, "rsa2048-b.private", "pss"),
    ]
}

fn published(key: Key) -> Map<String, Value> {
    let set: Value = serde_json::from_str(&Keyring::single(key).jwks()).unwrap();
    set["keys"][0].as_object().unwrap().clone()
}

fn read(jwk: &Map<String, Value>) -> Result<Algorithm, JwkError> {
    let set = JwkSet::parse(&json!({ "keys": [jwk] }).to_string(), Algorithm::RS256).unwrap();
    match (set.keys(), set.skipped()) {
        ([key], []) => Ok(key.algorithm()),
        ([], [skipped]) => Err(skipped.reason.clone()),
        other => panic!("{other:?}"),
    }
}

fn with(jwk: &Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    let mut jwk = jwk.clone();
    jwk.insert(name.to_owned(), value);
    jwk
}

fn without(jwk: &Map<String, Value>, name: &str) -> Map<String, Value> {
    let mut jwk = jwk.clone();
    jwk.remove(name);
    jwk
}

#[test]
fn published_keys_verify_issued_tokens() {
    for key in pairs() {
        let name = key.id().unwrap().to_string();
        let signing = Keyring::single(key);
        let set = signing.jwks();
        let issuer = AccessIssuer::new(signing, AccessPolicy::default(), clock()).unwrap();
        let token = issuer.issue(&AccessGrant::new(Subject::new("u").unwrap())).unwrap();
        let set = JwkSet::parse(&set, Algorithm::RS256).unwrap();
        assert_eq!(set.skipped(), [], "{name}");
        let verifying = set.into_keyring().unwrap();
        assert!(verifying.active().is_none());
        let verifier = AccessVerifier::new(verifying, AccessPolicy::default(), clock()).unwrap();
        assert_eq!(verifier.verify(token.token.expose()).unwrap().subject().as_str(), "u");
    }
}

#[test]
fn a_published_set_has_alg_use_and_kid_and_nothing_private() {
    let builder = pairs().into_iter().fold(Keyring::builder(), |ring, key| ring.active(key));
    let ring = builder.verifying(hmac_key(Algorithm::HS256, &"s".repeat(32))).build().unwrap();
    let set: Value = serde_json::from_str(&ring.jwks()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 5);
    for key in keys {
        let key = key.as_object().unwrap();
        assert_eq!(key["use"], "sig");
        assert!(key.contains_key("alg") && key.contains_key("kid"));
        let names = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
        assert!(key.keys().all(|name| names.contains(&name.as_str())), "{key:?}");
    }
    let secret = Keyring::single(hmac_key(Algorithm::HS256, &"s".repeat(32)));
    assert_eq!(secret.jwks(), r#"{"keys":[]}"#);
}

/// RFC 7517 §A.1 and RFC 8037 §A.2; the first has no `alg`, the second `use: enc` once.
#[test]
fn the_examples_of_the_rfcs_are_read() {
    let set = JwkSet::parse(&vector("jwks/rfc7517-a1.json"), Algorithm::RS256).unwrap();
    assert_eq!(set.keys().iter().map(Key::algorithm).collect::<Vec<_>>(), [Algorithm::RS256]);
    assert_eq!(set.keys()[0].id().unwrap().as_str(), "2011-04-29");
    assert_eq!(set.skipped()[0].reason, JwkError::OtherPurpose);
    assert_eq!(set.skipped()[0].kid.as_deref(), Some("1"));
    let ed = json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    assert_eq!(read(ed.as_object().unwrap()), Ok(Algorithm::EdDSA));
}

#[test]
fn use_key_ops_and_alg_are_enforced() {
    let [ed, p256, rsa] = [
        named(Algorithm::EdDSA, "ed25519-a.private", "ed"),
        named(Algorithm::ES256, "p256-a.private", "p256"),
        named(Algorithm::RS256, "rsa2048-a.private", "rsa"),
    ]
    .map(published);
    for (jwk, expected) in [
        (without(&ed, "use"), Ok(Algorithm::EdDSA)),
        (with(&ed, "use", json!("enc")), Err(JwkError::OtherPurpose)),
        (with(&ed, "use", json!("SIG")), Err(JwkError::OtherPurpose)),
        (with(&ed, "key_ops", json!(["verify"])), Ok(Algorithm::EdDSA)),
        (with(&ed, "key_ops", json!(["sign", "verify"])), Ok(Algorithm::EdDSA)),
        (with(&ed, "key_ops", json!(["sign"])), Err(JwkError::OtherPurpose)),
        (with(&ed, "key_ops", json!([])), Err(JwkError::OtherPurpose)),
        (with(&ed, "alg", json!("Ed25519")), Ok(Algorithm::EdDSA)),
        (without(&ed, "alg"), Ok(Algorithm::EdDSA)),
        (with(&ed, "alg", json!("ES256")), Err(JwkError::AlgorithmMismatch)),
        (with(&ed, "alg", json!("none")), Err(JwkError::AlgorithmMismatch)),
        (with(&ed, "alg", json!("HS256")), Err(JwkError::AlgorithmMismatch)),
        (with(&p256, "alg", json!("ES384")), Err(JwkError::AlgorithmMismatch)),
        (with(&p256, "crv", json!("P-384")), Err(JwkError::AlgorithmMismatch)),
        (without(&rsa, "alg"), Ok(Algorithm::RS256)),
        (with(&rsa, "alg", json!("PS384")), Ok(Algorithm::PS384)),
        (with(&rsa, "alg", json!("RSA-OAEP")), Err(JwkError::AlgorithmMismatch)),
        (with(&rsa, "alg", json!("HS256")), Err(JwkError::AlgorithmMismatch)),
    ] {
        assert_eq!(read(&jwk), expected, "{jwk:?}");
    }
    let set = json!({ "keys": [without(&rsa, "alg")] }).to_string();
    assert_eq!(
        JwkSet::parse(&set, Algorithm::PS256).unwrap().keys()[0].algorithm(),
        Algorithm::PS256
    );
}

#[test]
fn unusable_keys_are_skipped_with_a_reason() {
    let [ed, p256, rsa] = [
        named(Algorithm::EdDSA, "ed25519-a.private", "ed"),
        named(Algorithm::ES256, "p256-a.private", "p256"),
        named(Algorithm::RS256, "rsa2048-a.private", "rsa"),
    ]
    .map(published);
    let secret =
        json!({"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","alg":"HS256"});
    assert_eq!(read(secret.as_object().unwrap()), Err(JwkError::Secret));
    for jwk in [&ed, &p256, &rsa] {
        assert_eq!(read(&with(jwk, "d", json!("AA"))), Err(JwkError::PrivatePublished));
    }
    for jwk in [
        with(&ed, "kty", json!("EC")),
        with(&ed, "kty", json!("okp")),
        with(&ed, "crv", json!("X25519")),
        with(&ed, "crv", json!("Ed448")),
        with(&p256, "crv", json!("secp256k1")),
        with(&rsa, "crv", json!("P-256")),
    ] {
        assert_eq!(read(&jwk), Err(JwkError::UnknownKind), "{jwk:?}");
    }
    let text_of = |jwk: &Map<String, Value>, name: &str| jwk[name].as_str().unwrap().to_owned();
    let (x, n) = (text_of(&p256, "x"), text_of(&rsa, "n"));
    for jwk in [
        without(&ed, "kty"),
        without(&ed, "x"),
        with(&ed, "x", json!(1)),
        with(&ed, "x", json!("AAAA")),
        with(&ed, "x", json!(format!("{}=", text_of(&ed, "x")))),
        with(&ed, "y", json!("AA")),
        with(&ed, "kid", json!(7)),
        with(&ed, "use", json!(1)),
        with(&ed, "key_ops", json!("verify")),
        with(&p256, "x", json!(format!("{}B", &x[..x.len() - 1]))),
        with(&p256, "y", json!(x)),
        with(&p256, "y", json!("AA")),
        with(&p256, "x", json!(format!("AA{}", &x[2..]))),
        with(&rsa, "e", json!("AQ")),
        with(&rsa, "e", json!("Ag")),
        with(&rsa, "e", json!("AA")),
        with(&rsa, "e", json!("AQAAAAAB")),
        with(&rsa, "n", json!("AQAB")),
        with(&rsa, "n", json!(n[..n.len() / 2].to_owned())),
        with(&rsa, "n", json!(n.repeat(5))),
    ] {
        assert!(matches!(read(&jwk), Err(JwkError::Invalid(_))), "{jwk:?}: {:?}", read(&jwk));
    }
}

#[test]
fn a_bad_key_does_not_spoil_its_set_and_kids_are_unique() {
    let [one, two] = [
        published(named(Algorithm::EdDSA, "ed25519-a.private", "same")),
        published(named(Algorithm::EdDSA, "ed25519-b.private", "same")),
    ];
    let text = json!({ "keys": [{"kty": "future"}, one, two], "more": 1 }).to_string();
    let set = JwkSet::parse(&text, Algorithm::RS256).unwrap();
    let reasons: Vec<_> = set.skipped().iter().map(|key| (key.index, key.reason.clone())).collect();
    assert_eq!(reasons, [(0, JwkError::UnknownKind), (2, JwkError::DuplicateId)]);
    assert_eq!(set.into_keyring().unwrap().keys().len(), 1);
}

/// RFC 7517 §4.5: `kid` is any text, and keys of different types may share one.
#[test]
fn a_kid_is_any_text_and_may_name_one_key_of_each_algorithm() {
    let text_of = |kid: &str| {
        let [ed, rsa, pss] = [
            published(named(Algorithm::EdDSA, "ed25519-a.private", "k")),
            published(named(Algorithm::RS256, "rsa2048-a.private", "k")),
            published(named(Algorithm::PS512, "rsa2048-b.private", "k")),
        ]
        .map(|jwk| with(&jwk, "kid", json!(kid)));
        json!({ "keys": [ed, rsa, pss] }).to_string()
    };
    for kid in ["", " ", "with spaces\n", "키 \u{1f511}", &"k".repeat(1000)] {
        let set = JwkSet::parse(&text_of(kid), Algorithm::RS256).unwrap();
        assert_eq!(set.skipped(), [], "{kid:?}");
        let ring = set.into_keyring().unwrap();
        let verifier = AccessVerifier::new(ring.clone(), AccessPolicy::default(), clock()).unwrap();
        for (algorithm, file) in [
            (Algorithm::EdDSA, "ed25519-a.private"),
            (Algorithm::RS256, "rsa2048-a.private"),
            (Algorithm::PS512, "rsa2048-b.private"),
        ] {
            let key = Key::private_pem(algorithm, &pem(file)).unwrap();
            let token = |kid: &str| {
                let header = json!({ "typ": "at+jwt", "kid": kid, "alg": algorithm });
                let header = base64url(header.to_string());
                let claims = json!({ "sub": "u", "exp": NOW + 60 });
                key.sign_jws(&header, &claims.to_string()).unwrap()
            };
            assert!(verifier.verify(&token(kid)).is_ok(), "{kid:?} {algorithm}");
            let other = verifier.verify(&token(&format!("{kid}2")));
            assert!(matches!(other, Err(Error::KeyNotFound)), "{kid:?} {algorithm}");
        }
        let header = base64url(json!({ "typ": "at+jwt", "kid": kid, "alg": "HS256" }).to_string());
        let refused = verifier.verify(&format!("{header}.e30.AA"));
        assert!(matches!(refused, Err(Error::AlgNotAllowed)), "{kid:?}");
        assert!(!format!("{ring:?}").contains('\n'));
    }
}

#[test]
fn sets_are_limited_in_keys_and_bytes() {
    let jwk = without(&published(named(Algorithm::EdDSA, "ed25519-a.private", "ed")), "kid");
    let text = json!({ "keys": vec![jwk; Keyring::MAX_KEYS + 2] }).to_string();
    let set = JwkSet::parse(&text, Algorithm::RS256).unwrap();
    assert_eq!(set.keys().len(), Keyring::MAX_KEYS);
    assert!(set.skipped().iter().all(|key| key.reason == JwkError::TooMany));
    let long = format!("{{\"keys\":[]{}}}", " ".repeat(JwkSet::MAX_BYTES));
    assert!(JwkSet::parse(&long, Algorithm::RS256).is_err());
}

#[test]
fn malformed_sets_are_rejected() {
    for bad in [
        "",
        "[]",
        "{}",
        "null",
        r#"{"keys":{}}"#,
        r#"{"keys":["x"]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kty":"OKP","kty":"RSA"}]}"#,
        "{\"keys\":[]} x",
    ] {
        let Err(Error::ConfigInvalid { field, .. }) = JwkSet::parse(bad, Algorithm::RS256) else {
            panic!("{bad:?}");
        };
        assert!(field.starts_with("jwks"), "{field}");
    }
    let none = JwkSet::parse(r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, Algorithm::RS256).unwrap();
    assert!(none.into_keyring().unwrap_err().to_string().contains("secret"));
}
