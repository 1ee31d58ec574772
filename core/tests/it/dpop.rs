//! DPoP proofs (RFC 9449): accepted and rejected.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::dpop::{
    NonceIssuer, ProofKey, ProofPolicy, ProofTarget, ProofVerifier, SoftwareKey, UnsignedProof,
    VerifiedProof,
};
use regrant::keys::{Algorithm, Key, RefreshKeys, RefreshSecret};
use regrant::types::{Clock, ManualClock, SecretBytes, Timestamp};
use regrant::{Error, Result};
use serde_json::{Map, Value, json};

/// RFC 9449 §4.1, figure 2.
const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

const URL: &str = "https://api.example/auth/refresh";

struct Fixture {
    clock: Arc<ManualClock>,
    verifier: ProofVerifier,
    key: SoftwareKey,
}

impl Fixture {
    fn new() -> Self {
        Self::with(ProofPolicy::default(), None)
    }

    fn with(policy: ProofPolicy, nonces: Option<NonceIssuer>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let verifier = ProofVerifier::new(policy, nonces, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, verifier, key: SoftwareKey::generate().unwrap() }
    }

    fn unsigned(&self) -> UnsignedProof<'static> {
        let now = self.clock.now();
        UnsignedProof { method: "POST", url: URL, now, nonce: None, access_token: None }
    }

    fn proof(&self) -> String {
        self.unsigned().sign(&self.key).unwrap()
    }

    fn check(&self, proof: &str) -> Result<VerifiedProof> {
        self.verifier.verify(proof, &[ProofTarget::new("POST", URL).unwrap()])
    }

    /// Signs this header and these claims without validation.
    fn forged(&self, header: &Value, claims: &Value) -> String {
        forged_by(&self.key, header, claims)
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.public_jwk() })
    }

    fn claims(&self) -> Value {
        json!({ "jti": "1", "htm": "POST", "htu": URL, "iat": 1_800_000_000 })
    }
}

fn forged_by(key: &dyn ProofKey, header: &Value, claims: &Value) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    format!("{input}.{}", encode(&key.sign(input.as_bytes()).unwrap()))
}

fn is_invalid(outcome: &Result<VerifiedProof>) -> bool {
    matches!(outcome, Err(Error::DpopProofInvalid { .. }))
}

#[test]
fn the_example_of_rfc_9449_is_accepted() {
    let fixture = Fixture::new();
    fixture.clock.set(Timestamp::from_seconds(1_562_262_616));
    let target = ProofTarget::new("POST", "https://server.example.com/token").unwrap();
    let proof = fixture.verifier.verify(EXAMPLE, &[target]).unwrap();
    assert_eq!(proof.thumbprint().to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn a_proof_is_accepted_once() {
    let fixture = Fixture::new();
    let text = fixture.proof();
    let proof = fixture.check(&text).unwrap();
    assert_eq!(proof.thumbprint(), fixture.key.thumbprint().unwrap());
    assert_eq!(fixture.verifier.consume(&proof).unwrap(), proof.thumbprint());
    let again = fixture.check(&text).unwrap();
    assert!(matches!(fixture.verifier.consume(&again), Err(Error::DpopProofReplayed)));
    let next = fixture.check(&fixture.proof()).unwrap();
    fixture.verifier.consume_bound(&next, fixture.key.thumbprint().unwrap(), None).unwrap();
}

#[test]
fn a_software_key_is_restored_from_its_pem() {
    let key = SoftwareKey::generate().unwrap();
    let restored = SoftwareKey::from_pem(key.pem()).unwrap();
    assert_eq!(restored.thumbprint().unwrap(), key.thumbprint().unwrap());
    assert!(!format!("{key:?}").contains("PRIVATE"));
    assert!(SoftwareKey::from_pem(&SecretBytes::new("not a key")).is_err());
}

#[test]
fn method_and_url_must_match() {
    let fixture = Fixture::new();
    for (method, url) in [
        ("GET", URL),
        ("POST", "https://api.example/auth/logout"),
        ("POST", "http://api.example/auth/refresh"),
        ("POST", "https://evil.example/auth/refresh"),
    ] {
        let proof = UnsignedProof { method, url, ..fixture.unsigned() }.sign(&fixture.key).unwrap();
        assert!(is_invalid(&fixture.check(&proof)), "{method} {url}");
    }
    let url = "https://api.example/auth/refresh?a=b#c";
    let proof = UnsignedProof { url, ..fixture.unsigned() }.sign(&fixture.key).unwrap();
    assert!(fixture.check(&proof).is_ok());
}

#[test]
fn iat_must_be_within_the_window() {
    let fixture = Fixture::new();
    let check = |seconds: i64| {
        let now = Timestamp::from_seconds(1_800_000_000 + seconds);
        fixture.check(&UnsignedProof { now, ..fixture.unsigned() }.sign(&fixture.key).unwrap())
    };
    for good in [-59, -1, 0, 10] {
        assert!(check(good).is_ok(), "{good}");
    }
    for bad in [-60, -61, -3600, 11, 3600] {
        assert!(is_invalid(&check(bad)), "{bad}");
    }
}

#[test]
fn ath_and_key_must_match_the_access_token() {
    let fixture = Fixture::new();
    let key = fixture.key.thumbprint().unwrap();
    let check = |access_token| {
        let proof =
            UnsignedProof { access_token, ..fixture.unsigned() }.sign(&fixture.key).unwrap();
        let proof = fixture.check(&proof).unwrap();
        fixture.verifier.consume_bound(&proof, key, Some("the token"))
    };
    check(Some("the token")).unwrap();
    for bad in [None, Some(""), Some("another")] {
        assert!(matches!(check(bad), Err(Error::DpopProofInvalid { .. })), "{bad:?}");
    }
    let other = SoftwareKey::generate().unwrap();
    let proof = fixture.unsigned().sign(&other).unwrap();
    let proof = fixture.check(&proof).unwrap();
    let outcome = fixture.verifier.consume_bound(&proof, key, None);
    assert!(matches!(outcome, Err(Error::DpopProofInvalid { .. })));
}

#[test]
fn malformed_headers_claims_and_signatures_are_rejected() {
    let fixture = Fixture::new();
    assert!(fixture.check(&fixture.forged(&fixture.header(), &fixture.claims())).is_ok());
    let mut headers = Vec::new();
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("at+jwt")),
        ("typ", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES384")),
        ("alg", json!("RS256")),
        ("alg", json!("EdDSA")),
        ("crit", json!(["typ"])),
        ("jwk", Value::Null),
        ("jwk", json!("key")),
        ("jwk", json!({})),
        ("jwk", json!({ "kty": "oct", "k": "c2VjcmV0" })),
    ] {
        let mut header = fixture.header();
        header[name] = value;
        headers.push(header);
    }
    for (name, value) in [
        ("d", json!("c2VjcmV0")),
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("ES384")),
        ("crv", json!("P-384")),
        ("x", json!("AA")),
    ] {
        let mut header = fixture.header();
        header["jwk"][name] = value;
        headers.push(header);
    }
    for header in headers {
        let outcome = fixture.check(&fixture.forged(&header, &fixture.claims()));
        assert!(is_invalid(&outcome), "{header}: {outcome:?}");
    }
    for (name, value) in [
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("jti", json!(1)),
        ("htm", Value::Null),
        ("htm", json!("post")),
        ("htu", Value::Null),
        ("htu", json!("/auth/refresh")),
        ("htu", json!([URL])),
        ("iat", Value::Null),
        ("iat", json!("1800000000")),
        ("iat", json!(1e300)),
        ("ath", json!(1)),
        ("nonce", json!(1)),
    ] {
        let mut claims = fixture.claims();
        claims[name] = value;
        let outcome = fixture.check(&fixture.forged(&fixture.header(), &claims));
        assert!(is_invalid(&outcome), "{claims}: {outcome:?}");
    }
    let good = fixture.proof();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let zero = URL_SAFE_NO_PAD.encode([0; 64]);
    let by_another_key =
        forged_by(&SoftwareKey::generate().unwrap(), &fixture.header(), &fixture.claims());
    for bad in [
        "",
        "a.b.c",
        input,
        &format!("{input}."),
        &format!("{input}.{zero}"),
        &format!("{input}.{signature}A"),
        &format!("{good}, {good}"),
        &by_another_key,
        &"A".repeat(10_000),
    ] {
        assert!(is_invalid(&fixture.check(bad)), "{bad}");
    }
}

/// Signs with a key of any algorithm.
#[derive(Debug)]
struct AnyKey(Key, Algorithm);

impl ProofKey for AnyKey {
    fn algorithm(&self) -> Algorithm {
        self.1
    }

    fn public_jwk(&self) -> Map<String, Value> {
        self.0.public().unwrap().jwk()
    }

    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, regrant::error::Cause> {
        let payload = std::str::from_utf8(message).unwrap().split_once('.').unwrap().1.to_owned();
        let header = std::str::from_utf8(message).unwrap().split_once('.').unwrap().0.to_owned();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let token = self.0.sign_jws(&header, std::str::from_utf8(&payload).unwrap())?;
        Ok(URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap())
    }
}

#[test]
fn rsa_and_eddsa_keys_sign_proofs() {
    let fixture = Fixture::new();
    for (algorithm, pem) in [
        (
            Algorithm::RS256,
            include_str!("../../../tests/vectors/keys/test-only-rsa2048-a.private.pem"),
        ),
        (
            Algorithm::PS384,
            include_str!("../../../tests/vectors/keys/test-only-rsa2048-a.private.pem"),
        ),
        (
            Algorithm::EdDSA,
            include_str!("../../../tests/vectors/keys/test-only-ed25519-a.private.pem"),
        ),
    ] {
        let key = AnyKey(Key::private_pem(algorithm, pem).unwrap(), algorithm);
        let proof = fixture.unsigned().sign(&key).unwrap();
        assert!(fixture.check(&proof).is_ok(), "{algorithm}");
    }
}

/// The public part of a large RSA key.
#[derive(Debug)]
struct LargeKey;

impl ProofKey for LargeKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }

    fn public_jwk(&self) -> Map<String, Value> {
        let modulus = URL_SAFE_NO_PAD.encode([0xff; 513]);
        let jwk = serde_json::json!({ "kty": "RSA", "n": modulus, "e": "AQAB" });
        jwk.as_object().unwrap().clone()
    }

    fn sign(&self, _: &[u8]) -> std::result::Result<Vec<u8>, regrant::error::Cause> {
        Ok(vec![0; 513])
    }
}

#[test]
fn an_rsa_key_of_more_than_4096_bits_is_refused_before_its_signature_is_checked() {
    let fixture = Fixture::new();
    let error = fixture.check(&fixture.unsigned().sign(&LargeKey).unwrap()).unwrap_err();
    assert!(error.to_string().contains("more than 4096 bits"), "{error}");
}

#[test]
fn with_nonces_every_proof_requires_a_current_nonce() {
    let secret = RefreshSecret::derived_from(&SecretBytes::new("s".repeat(32))).unwrap();
    let nonces = NonceIssuer::new(RefreshKeys::new(secret), Duration::from_secs(300));
    let fixture = Fixture::with(ProofPolicy::default(), Some(nonces));
    let Err(Error::DpopNonceRequired { nonce }) = fixture.check(&fixture.proof()) else {
        panic!("without a nonce")
    };
    assert_eq!(fixture.verifier.nonce().as_deref(), Some(nonce.as_str()));
    // With a nonce, iat is not checked: the clock of this client is wrong by an hour.
    let now = Timestamp::from_seconds(1_800_003_600);
    let sign =
        |nonce| UnsignedProof { now, nonce, ..fixture.unsigned() }.sign(&fixture.key).unwrap();
    let text = sign(Some(&nonce));
    let proof = fixture.check(&text).unwrap();
    fixture.verifier.consume(&proof).unwrap();
    fixture.clock.advance(Duration::from_secs(299));
    let again = fixture.check(&text).unwrap();
    assert!(matches!(fixture.verifier.consume(&again), Err(Error::DpopProofReplayed)));
    fixture.clock.advance(Duration::from_secs(301));
    for old in [Some(nonce.as_str()), Some("made-up"), None] {
        let outcome = fixture.check(&sign(old));
        assert!(matches!(outcome, Err(Error::DpopNonceRequired { .. })), "{old:?}");
    }
}
