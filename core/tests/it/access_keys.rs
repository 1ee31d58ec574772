//! Keys of every algorithm and file format, and the keys that are rejected.

use crate::support::access::*;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::keys::{Algorithm, Key, KeyId, Keyring, ShortSecret};
use regrant::types::{SecretBytes, Subject};
use regrant::{Error, Result};

const LONG_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The name of the test key for `algorithm`, or `None` if the algorithm takes a secret.
fn pair(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        Algorithm::ES256 => Some("p256-a"),
        Algorithm::ES384 => Some("p384-a"),
        Algorithm::EdDSA => Some("ed25519-a"),
        _ => Some("rsa2048-a"),
    }
}

fn private(algorithm: Algorithm) -> Key {
    match pair(algorithm) {
        None => hmac_key(algorithm, LONG_SECRET),
        Some(name) => Key::private_pem(algorithm, &pem(&format!("{name}.private"))).unwrap(),
    }
}

fn public(algorithm: Algorithm) -> Key {
    match pair(algorithm) {
        None => hmac_key(algorithm, LONG_SECRET),
        Some(name) => Key::public_pem(algorithm, &pem(&format!("{name}.public"))).unwrap(),
    }
}

fn issue(key: Key) -> String {
    let issuer = AccessIssuer::new(Keyring::single(key), AccessPolicy::default(), clock()).unwrap();
    let grant = AccessGrant::new(Subject::new("user-7").unwrap());
    issuer.issue(&grant).unwrap().token.expose().to_owned()
}

fn verify(keyring: Keyring, token: &str) -> Result<String> {
    let verifier = AccessVerifier::new(keyring, AccessPolicy::default(), clock()).unwrap();
    Ok(verifier.verify(token)?.subject().to_string())
}

#[test]
fn every_algorithm_signs_and_verifies() {
    for algorithm in Algorithm::ALL {
        let token = issue(private(algorithm));
        assert_eq!(verify(Keyring::single(private(algorithm)), &token).unwrap(), "user-7");
        assert_eq!(verify(Keyring::single(public(algorithm)), &token).unwrap(), "user-7");

        let (input, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{input}.{first}{}", &signature[1..]);
        let refused = verify(Keyring::single(public(algorithm)), &forged);
        assert!(matches!(refused, Err(Error::SignatureInvalid)), "{algorithm}");
    }
}

#[test]
fn tokens_of_another_implementation_verify() {
    let file: serde_json::Value = vector_json("access/signatures.json");
    let policy =
        AccessPolicy::builder().issuer("https://issuer.test").audience("api").build().unwrap();
    let tokens = file["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), Algorithm::ALL.len());
    for entry in tokens {
        let algorithm: Algorithm = entry["alg"].as_str().unwrap().parse().unwrap();
        let keyring = Keyring::single(public(algorithm));
        let verifier = AccessVerifier::new(keyring, policy.clone(), clock()).unwrap();
        let verified = verifier.verify(entry["token"].as_str().unwrap()).unwrap();
        assert_eq!(verified.payload(), file["payload"], "{algorithm}");
        assert_eq!(verified.claim("name").unwrap(), "홍길동", "{algorithm}");
    }
}

#[test]
fn another_key_of_the_same_kind_does_not_verify() {
    for (algorithm, other) in [
        (Algorithm::RS256, "rsa2048-b"),
        (Algorithm::PS256, "rsa2048-b"),
        (Algorithm::ES256, "p256-b"),
        (Algorithm::ES384, "p384-b"),
        (Algorithm::EdDSA, "ed25519-b"),
    ] {
        let other = Key::public_pem(algorithm, &pem(&format!("{other}.public"))).unwrap();
        let refused = verify(Keyring::single(other), &issue(private(algorithm)));
        assert!(matches!(refused, Err(Error::SignatureInvalid)), "{algorithm}");
    }
}

#[test]
fn a_key_is_pinned_to_its_algorithm() {
    let token = issue(private(Algorithm::RS256));
    for other in [Algorithm::RS384, Algorithm::PS256] {
        let refused = verify(Keyring::single(public(other)), &token);
        assert!(matches!(refused, Err(Error::AlgNotAllowed)), "{other}");
    }
}

#[test]
fn every_file_format_yields_the_same_key() {
    let der = |name: &str| ::pem::parse(pem(name)).unwrap().into_contents();
    let algorithm = Algorithm::RS256;
    let token = issue(private(algorithm));
    for key in [
        Key::private_pem(algorithm, &pem("rsa2048-a.pkcs1.private")).unwrap(),
        Key::private_der(algorithm, &der("rsa2048-a.private")).unwrap(),
        Key::private_der(algorithm, &der("rsa2048-a.pkcs1.private")).unwrap(),
        Key::public_pem(algorithm, &pem("rsa2048-a.pkcs1.public")).unwrap(),
        Key::public_der(algorithm, &der("rsa2048-a.public")).unwrap(),
        Key::public_der(algorithm, &der("rsa2048-a.pkcs1.public")).unwrap(),
    ] {
        assert_eq!(verify(Keyring::single(key), &token).unwrap(), "user-7");
    }
    for (algorithm, name) in [
        (Algorithm::ES256, "p256-a"),
        (Algorithm::ES384, "p384-a"),
        (Algorithm::EdDSA, "ed25519-a"),
    ] {
        let token = issue(Key::private_der(algorithm, &der(&format!("{name}.private"))).unwrap());
        let public = Key::public_der(algorithm, &der(&format!("{name}.public"))).unwrap();
        assert_eq!(verify(Keyring::single(public), &token).unwrap(), "user-7");
    }
}

#[test]
fn unsuitable_private_keys_are_rejected_with_a_reason() {
    for (algorithm, name, reason) in [
        (Algorithm::RS256, "rsa1024.private", "1024 bits"),
        (Algorithm::RS256, "p256-a.private", "a P-256 key does not fit RS256"),
        (Algorithm::PS256, "rsapss2048.private", "RSASSA-PSS"),
        (Algorithm::ES256, "p384-a.private", "a P-384 key does not fit ES256"),
        (Algorithm::ES384, "p256-a.private", "a P-256 key does not fit ES384"),
        (Algorithm::ES256, "secp256k1.private", "another curve"),
        (Algorithm::ES384, "p521.private", "another curve"),
        (Algorithm::ES256, "ed25519-a.private", "an Ed25519 key does not fit ES256"),
        (Algorithm::EdDSA, "rsa2048-a.private", "an RSA key does not fit EdDSA"),
        (Algorithm::ES256, "rsa2048-a.pkcs1.private", "PKCS#8"),
        (Algorithm::ES256, "p256-a.sec1.private", "openssl pkcs8"),
        (Algorithm::ES256, "p256-a.encrypted.private", "encrypted"),
        (Algorithm::ES256, "p256-a.certificate", "certificate"),
        (Algorithm::ES256, "p256-a.public", "found a public key"),
        (Algorithm::HS256, "rsa2048-a.private", "takes a secret"),
    ] {
        let (field, problem) = config_error(Key::private_pem(algorithm, &pem(name)));
        assert_eq!(field, "privateKey");
        assert!(problem.contains(reason), "{algorithm} {name}: {problem}");
    }
}

#[test]
fn unsuitable_public_keys_are_rejected_with_a_reason() {
    for (algorithm, name, reason) in [
        (Algorithm::RS256, "rsa1024.public", "1024 bits"),
        (Algorithm::RS256, "ed25519-a.public", "an Ed25519 key does not fit RS256"),
        (Algorithm::PS512, "rsapss2048.public", "RSASSA-PSS"),
        (Algorithm::ES256, "p384-a.public", "a P-384 key does not fit ES256"),
        (Algorithm::ES384, "p521.public", "another curve"),
        (Algorithm::EdDSA, "p256-a.public", "a P-256 key does not fit EdDSA"),
        (Algorithm::ES256, "p256-a.certificate", "openssl x509"),
        (Algorithm::ES256, "p256-a.private", "found a private key"),
        (Algorithm::HS512, "rsa2048-a.public", "takes a secret"),
    ] {
        let (field, problem) = config_error(Key::public_pem(algorithm, &pem(name)));
        assert_eq!(field, "publicKey");
        assert!(problem.contains(reason), "{algorithm} {name}: {problem}");
    }
}

#[test]
fn malformed_keys_are_rejected_at_construction() {
    for text in ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert_eq!(config_error(Key::private_pem(algorithm, text)).0, "privateKey");
            assert_eq!(config_error(Key::public_pem(algorithm, text)).0, "publicKey");
            assert_eq!(config_error(Key::private_der(algorithm, text.as_bytes())).0, "privateKey");
            assert_eq!(config_error(Key::public_der(algorithm, text.as_bytes())).0, "publicKey");
        }
    }
    let one_line = pem("p256-a.private").replace('\n', "\\n");
    let (_, problem) = config_error(Key::private_pem(Algorithm::ES256, &one_line));
    assert!(problem.contains("line breaks"), "{problem}");
}

/// Accepting such a point would allow invalid-curve attacks.
#[test]
fn ec_points_off_the_curve_are_rejected() {
    for (algorithm, name) in [(Algorithm::ES256, "p256-a"), (Algorithm::ES384, "p384-a")] {
        let mut der = ::pem::parse(pem(&format!("{name}.public"))).unwrap().into_contents();
        *der.last_mut().unwrap() ^= 1;
        let (_, problem) = config_error(Key::public_der(algorithm, &der));
        assert!(problem.contains("not a valid"), "{problem}");
    }
}

#[test]
fn secrets_have_a_minimum_length() {
    for (algorithm, bytes) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        let make = |length: usize, short| {
            Key::hmac(algorithm, &SecretBytes::new("s".repeat(length)), short)
        };
        assert!(make(bytes, ShortSecret::Refuse).is_ok());
        let (field, problem) = config_error(make(bytes - 1, ShortSecret::Refuse));
        assert_eq!(field, "secret");
        assert!(problem.contains(&bytes.to_string()), "{problem}");
        assert!(make(1, ShortSecret::Allow).is_ok());
        assert!(config_error(make(0, ShortSecret::Allow)).1.contains("empty"));
    }
}

/// If RS256 was confused with HS256, the public key would be the secret (RFC 8725 §2.1).
#[test]
fn pem_files_are_rejected_as_secrets() {
    for name in ["rsa2048-a.public", "p256-a.private", "p256-a.certificate"] {
        let secret = SecretBytes::new(pem(name));
        let (_, problem) = config_error(Key::hmac(Algorithm::HS256, &secret, ShortSecret::Refuse));
        assert!(problem.contains("PEM"), "{problem}");
    }
    let secret = SecretBytes::new(LONG_SECRET);
    let refused = config_error(Key::hmac(Algorithm::RS256, &secret, ShortSecret::Refuse));
    assert!(refused.1.contains("does not use a secret"), "{}", refused.1);
}

#[test]
fn debug_shows_no_key_material() {
    let ring = Keyring::builder()
        .active(hmac_key(Algorithm::HS256, LONG_SECRET).with_id(KeyId::new("one").unwrap()))
        .verifying(private(Algorithm::EdDSA))
        .build()
        .unwrap();
    let shown = format!("{ring:?}");
    assert!(shown.contains("HS256") && shown.contains("one"), "{shown}");
    assert!(!shown.contains("0123456789"), "{shown}");
}

/// The hash states that a prepared HMAC consists of (it has no drop code of its own), and the private keys of either
/// backend.
#[test]
fn types_that_hold_secrets_are_wiped_on_drop() {
    fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<sha2::Sha256>();
    wiped::<sha2::Sha384>();
    wiped::<sha2::Sha512>();
    wiped::<jsonwebtoken::EncodingKey>();
    wiped::<zeroize::Zeroizing<Vec<u8>>>();
}

#[test]
fn a_token_without_kid_is_tried_with_unnamed_keys_and_a_few_named_ones() {
    let named = |index: usize| {
        let secret = format!("{LONG_SECRET}{index}");
        hmac_key(Algorithm::HS256, &secret).with_id(KeyId::new(index.to_string()).unwrap())
    };
    let unnamed = || hmac_key(Algorithm::HS256, LONG_SECRET);
    let many = Keyring::MAX_KEYS - 1;
    let ring = (0..many).fold(Keyring::builder(), |ring, index| ring.verifying(named(index)));
    let ring = ring.verifying(unnamed()).build().unwrap();
    let without_kid =
        |index: usize| issue(hmac_key(Algorithm::HS256, &format!("{LONG_SECRET}{index}")));
    for index in 0..many {
        let is_tried = verify(ring.clone(), &without_kid(index)).is_ok();
        assert_eq!(is_tried, index < Keyring::MAX_NAMED_TRIES, "{index}");
        assert!(verify(ring.clone(), &issue(named(index))).is_ok(), "{index}");
    }
    assert!(verify(ring, &issue(unnamed())).is_ok());
}
