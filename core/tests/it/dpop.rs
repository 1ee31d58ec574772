//! Proofs of a key (RFC 9449): what is accepted, and everything that is not.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::dpop::{
    DpopSigner, NonceIssuer, ProofPolicy, ProofTarget, ProofVerifier, SoftwareSigner,
    UnsignedProof, VerifiedProof,
};
use regrant::keys::{Algorithm, Key, RefreshKeys, RefreshSecret};
use regrant::types::{Clock, ManualClock, SecretBytes, Timestamp};
use regrant::{Error, Result};
use serde_json::{Map, Value, json};

/// RFC 9449 §4.1, figure 2.
const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

const URL: &str = "https://api.example/auth/refresh";

struct World {
    clock: Arc<ManualClock>,
    verifier: ProofVerifier,
    key: SoftwareSigner,
}

impl World {
    fn new() -> Self {
        Self::with(ProofPolicy::default(), None)
    }

    fn with(policy: ProofPolicy, nonces: Option<NonceIssuer>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let verifier = ProofVerifier::new(policy, nonces, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, verifier, key: SoftwareSigner::generate().unwrap() }
    }

    fn prover(&self) -> UnsignedProof<'static> {
        let now = self.clock.now();
        UnsignedProof { method: "POST", url: URL, now, nonce: None, access_token: None }
    }

    fn proof(&self) -> String {
        self.prover().sign(&self.key).unwrap()
    }

    fn check(&self, proof: &str) -> Result<VerifiedProof> {
        self.verifier.verify(proof, &[ProofTarget::new("POST", URL).unwrap()])
    }

    /// A proof of this header and these claims, signed whatever they say.
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

fn forged_by(key: &dyn DpopSigner, header: &Value, claims: &Value) -> String {
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
fn the_example_of_the_rfc() {
    let world = World::new();
    world.clock.set(Timestamp::from_seconds(1_562_262_616));
    let target = ProofTarget::new("POST", "https://server.example.com/token").unwrap();
    let proof = world.verifier.verify(EXAMPLE, &[target]).unwrap();
    assert_eq!(proof.thumbprint().to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn what_is_proven_is_believed_once() {
    let world = World::new();
    let text = world.proof();
    let proof = world.check(&text).unwrap();
    assert_eq!(proof.thumbprint(), world.key.thumbprint().unwrap());
    assert_eq!(world.verifier.consume(&proof).unwrap(), proof.thumbprint());
    let again = world.check(&text).unwrap();
    assert!(matches!(world.verifier.consume(&again), Err(Error::DpopProofReplayed)));
    let next = world.check(&world.proof()).unwrap();
    world.verifier.consume_bound(&next, world.key.thumbprint().unwrap(), None).unwrap();
}

#[test]
fn a_key_that_was_kept_is_the_same() {
    let key = SoftwareSigner::generate().unwrap();
    let kept = SoftwareSigner::from_pem(key.pem()).unwrap();
    assert_eq!(kept.thumbprint().unwrap(), key.thumbprint().unwrap());
    assert!(!format!("{key:?}").contains("PRIVATE"));
    assert!(SoftwareSigner::from_pem(&SecretBytes::new("not a key")).is_err());
}

#[test]
fn the_request_counts() {
    let world = World::new();
    for (method, url) in [
        ("GET", URL),
        ("POST", "https://api.example/auth/logout"),
        ("POST", "http://api.example/auth/refresh"),
        ("POST", "https://evil.example/auth/refresh"),
    ] {
        let proof = UnsignedProof { method, url, ..world.prover() }.sign(&world.key).unwrap();
        assert!(is_invalid(&world.check(&proof)), "{method} {url}");
    }
    let url = "https://api.example/auth/refresh?a=b#c";
    let proof = UnsignedProof { url, ..world.prover() }.sign(&world.key).unwrap();
    assert!(world.check(&proof).is_ok());
}

#[test]
fn the_time_counts() {
    let world = World::new();
    let check = |seconds: i64| {
        let now = Timestamp::from_seconds(1_800_000_000 + seconds);
        world.check(&UnsignedProof { now, ..world.prover() }.sign(&world.key).unwrap())
    };
    for good in [-59, -1, 0, 10] {
        assert!(check(good).is_ok(), "{good}");
    }
    for bad in [-60, -61, -3600, 11, 3600] {
        assert!(is_invalid(&check(bad)), "{bad}");
    }
}

#[test]
fn an_access_token_has_a_proof_of_its_own() {
    let world = World::new();
    let key = world.key.thumbprint().unwrap();
    let check = |access_token| {
        let proof = UnsignedProof { access_token, ..world.prover() }.sign(&world.key).unwrap();
        let proof = world.check(&proof).unwrap();
        world.verifier.consume_bound(&proof, key, Some("the token"))
    };
    check(Some("the token")).unwrap();
    for bad in [None, Some(""), Some("another")] {
        assert!(matches!(check(bad), Err(Error::DpopProofInvalid { .. })), "{bad:?}");
    }
    let other = SoftwareSigner::generate().unwrap();
    let proof = world.prover().sign(&other).unwrap();
    let proof = world.check(&proof).unwrap();
    let outcome = world.verifier.consume_bound(&proof, key, None);
    assert!(matches!(outcome, Err(Error::DpopProofInvalid { .. })));
}

#[test]
fn a_proof_is_a_proof_in_form() {
    let world = World::new();
    assert!(world.check(&world.forged(&world.header(), &world.claims())).is_ok());
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
        let mut header = world.header();
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
        let mut header = world.header();
        header["jwk"][name] = value;
        headers.push(header);
    }
    for header in headers {
        let outcome = world.check(&world.forged(&header, &world.claims()));
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
        let mut claims = world.claims();
        claims[name] = value;
        let outcome = world.check(&world.forged(&world.header(), &claims));
        assert!(is_invalid(&outcome), "{claims}: {outcome:?}");
    }
    let good = world.proof();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let zero = URL_SAFE_NO_PAD.encode([0; 64]);
    let of_another =
        forged_by(&SoftwareSigner::generate().unwrap(), &world.header(), &world.claims());
    for bad in [
        "",
        "a.b.c",
        input,
        &format!("{input}."),
        &format!("{input}.{zero}"),
        &format!("{input}.{signature}A"),
        &format!("{good}, {good}"),
        &of_another,
        &"A".repeat(10_000),
    ] {
        assert!(is_invalid(&world.check(bad)), "{bad}");
    }
}

/// A key of any algorithm, for proofs.
#[derive(Debug)]
struct AnyKey(Key, Algorithm);

impl DpopSigner for AnyKey {
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
fn keys_of_every_kind_prove() {
    let world = World::new();
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
        let proof = world.prover().sign(&key).unwrap();
        assert!(world.check(&proof).is_ok(), "{algorithm}");
    }
}

#[test]
fn a_server_that_gives_nonces_wants_them_back() {
    let secret = RefreshSecret::derived_from(&SecretBytes::new("s".repeat(32))).unwrap();
    let nonces = NonceIssuer::new(RefreshKeys::new(secret), Duration::from_secs(300));
    let world = World::with(ProofPolicy::default(), Some(nonces));
    let Err(Error::DpopNonceRequired { nonce }) = world.check(&world.proof()) else {
        panic!("without a nonce")
    };
    assert_eq!(world.verifier.nonce().as_deref(), Some(nonce.as_str()));
    // The nonce tells the time, so that a client whose clock is wrong by an hour may prove.
    let now = Timestamp::from_seconds(1_800_003_600);
    let prove = |nonce| UnsignedProof { now, nonce, ..world.prover() }.sign(&world.key).unwrap();
    let text = prove(Some(&nonce));
    let proof = world.check(&text).unwrap();
    world.verifier.consume(&proof).unwrap();
    world.clock.advance(Duration::from_secs(299));
    let again = world.check(&text).unwrap();
    assert!(matches!(world.verifier.consume(&again), Err(Error::DpopProofReplayed)));
    world.clock.advance(Duration::from_secs(301));
    for old in [Some(nonce.as_str()), Some("made-up"), None] {
        let outcome = world.check(&prove(old));
        assert!(matches!(outcome, Err(Error::DpopNonceRequired { .. })), "{old:?}");
    }
}
