//! Selection of the verification key in a keyring, and rejected keyrings.

use crate::support::access::*;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::keys::{Algorithm, Key, KeyId, Keyring};
use regrant::types::Subject;
use regrant::{Error, Result};

const OLD: &str = "the secret that was in use before this one";
const NEW: &str = "the secret that has been in use since then";

fn named(name: &str, secret: &str) -> Key {
    hmac_key(Algorithm::HS256, secret).with_id(KeyId::new(name).unwrap())
}

fn nameless(secret: &str) -> Key {
    hmac_key(Algorithm::HS256, secret)
}

/// A token with this `kid`, signed with `secret`.
fn signed(kid: Option<&str>, secret: &str) -> String {
    let kid = kid.map(|kid| format!(",\"kid\":\"{kid}\"")).unwrap_or_default();
    let header = format!("{{\"alg\":\"HS256\",\"typ\":\"at+jwt\"{kid}}}");
    let claims = format!("{{\"sub\":\"u\",\"exp\":{}}}", NOW + 60);
    sign_segments(&base64url(header), &base64url(claims), secret)
}

fn verify(ring: &Keyring, token: &str) -> Result<()> {
    let verifier = AccessVerifier::new(ring.clone(), AccessPolicy::default(), clock()).unwrap();
    verifier.verify(token).map(|_| ())
}

#[test]
fn kid_selects_the_key() {
    let ring =
        Keyring::builder().active(named("new", NEW)).verifying(named("old", OLD)).build().unwrap();
    verify(&ring, &signed(Some("new"), NEW)).unwrap();
    verify(&ring, &signed(Some("old"), OLD)).unwrap();
    // Only the named key is tried, although another key of the ring made the signature.
    let refused = verify(&ring, &signed(Some("new"), OLD));
    assert!(matches!(refused, Err(Error::SignatureInvalid)));
    let refused = verify(&ring, &signed(Some("other"), NEW));
    assert!(matches!(refused, Err(Error::KeyNotFound)));
    let refused = verify(&ring, &signed(Some(""), NEW));
    assert!(matches!(refused, Err(Error::KeyNotFound)));
}

#[test]
fn without_kid_every_key_of_the_algorithm_is_tried() {
    let ring =
        Keyring::builder().active(named("new", NEW)).verifying(nameless(OLD)).build().unwrap();
    verify(&ring, &signed(None, NEW)).unwrap();
    verify(&ring, &signed(None, OLD)).unwrap();
    let refused = verify(&ring, &signed(None, "a secret that nobody has configured"));
    assert!(matches!(refused, Err(Error::SignatureInvalid)));
    // A key without a name is never selected by a `kid`.
    let refused = verify(&ring, &signed(Some("old"), OLD));
    assert!(matches!(refused, Err(Error::KeyNotFound)));
}

#[test]
fn kid_is_ignored_when_no_key_has_a_name() {
    let ring = Keyring::single(nameless(OLD));
    verify(&ring, &signed(None, OLD)).unwrap();
    verify(&ring, &signed(Some("any"), OLD)).unwrap();
    assert!(matches!(verify(&ring, &signed(Some("any"), NEW)), Err(Error::SignatureInvalid)));
}

#[test]
fn alg_must_match_the_key_that_kid_selects() {
    let long = "a secret that is long enough for HS384 as well, being 64 bytes..";
    let ring = Keyring::builder()
        .active(named("a", NEW))
        .verifying(hmac_key(Algorithm::HS384, long).with_id(KeyId::new("b").unwrap()))
        .build()
        .unwrap();
    assert!(matches!(verify(&ring, &signed(Some("b"), long)), Err(Error::AlgNotAllowed)));
}

#[test]
fn the_active_key_signs_and_sets_kid() {
    let ring =
        Keyring::builder().verifying(named("old", OLD)).active(named("new", NEW)).build().unwrap();
    let issuer = AccessIssuer::new(ring, AccessPolicy::default(), clock()).unwrap();
    let issued = issuer.issue(&AccessGrant::new(Subject::new("u").unwrap())).unwrap();
    let decoded = regrant::token::decode_unverified(issued.token.expose()).unwrap();
    assert_eq!(decoded.header()["kid"], "new");
    verify(&Keyring::single(named("new", NEW)), issued.token.expose()).unwrap();
}

#[test]
fn unusable_rings_are_rejected() {
    let public = || Key::public_pem(Algorithm::ES256, &pem("p256-a.public")).unwrap();
    let problem_of = |builder: regrant::keys::KeyringBuilder| {
        let (field, problem) = config_error(builder.build());
        assert_eq!(field, "keys");
        problem
    };
    assert!(problem_of(Keyring::builder()).contains("no key"));
    assert!(problem_of(Keyring::builder().active(public())).contains("cannot sign"));
    let twice = Keyring::builder().active(named("a", NEW)).verifying(named("a", OLD));
    assert!(problem_of(twice).contains("two keys for HS256 have the same kid"));
    let full =
        |count: usize| (0..count).fold(Keyring::builder(), |b, _| b.verifying(nameless(OLD)));
    assert!(full(Keyring::MAX_KEYS).build().is_ok());
    assert!(problem_of(full(Keyring::MAX_KEYS + 1)).contains("64"));
}

#[test]
fn a_ring_of_public_keys_verifies_and_cannot_issue() {
    let public = Key::public_pem(Algorithm::ES256, &pem("p256-a.public")).unwrap();
    let ring = Keyring::builder().verifying(public).build().unwrap();
    assert!(ring.active().is_none());
    let (field, _) = config_error(AccessIssuer::new(ring, AccessPolicy::default(), clock()));
    assert_eq!(field, "keys");
}
