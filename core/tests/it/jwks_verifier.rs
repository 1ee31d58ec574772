//! Tokens of other issuers: keys that are fetched, refreshed and withdrawn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::access::*;
use async_trait::async_trait;
use regrant::access::AccessPolicy;
use regrant::dpop::{PresentedProof, ProofPolicy, SoftwareKey, UnsignedProof};
use regrant::error::Cause;
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::jwks::{JwksUri, JwksVerifier, TrustedIssuer};
use regrant::keys::{Algorithm, Key, KeyId, Keyring};
use regrant::transport::{HttpRequest, HttpResponse, Transport};
use regrant::types::{Clock as _, ManualClock, Subject};
use regrant::{Advice, Error};
use tokio::sync::Notify;

const URL: &str = "https://issuer.example/jwks.json";
const ISSUER: &str = "https://issuer.example";
const OTHER: &str = "https://other.example";

fn key(file: &str, id: &str) -> Key {
    let key = Key::private_pem(Algorithm::EdDSA, &pem(file)).unwrap();
    key.with_id(KeyId::new(id).unwrap())
}

fn one() -> Key {
    key("ed25519-a.private", "one")
}

fn two() -> Key {
    key("ed25519-b.private", "two")
}

fn set(keys: Vec<Key>) -> String {
    keys.into_iter()
        .fold(Keyring::builder(), |ring, key| ring.verifying(key))
        .build()
        .unwrap()
        .jwks()
}

/// An issuer's web server.
#[derive(Debug)]
struct Web {
    answer: Mutex<Result<HttpResponse, String>>,
    asked: Mutex<Vec<String>>,
    /// Holds responses back until released.
    held: AtomicBool,
    let_go: Notify,
}

impl Web {
    fn new(text: &str) -> Arc<Self> {
        let web = Self {
            answer: Mutex::new(Err(String::new())),
            asked: Mutex::default(),
            held: AtomicBool::new(false),
            let_go: Notify::new(),
        };
        web.serve(text);
        Arc::new(web)
    }

    fn serve(&self, text: &str) {
        self.answer(200, text, "");
    }

    fn answer(&self, status: u16, text: &str, cache_control: &str) {
        let headers = vec![("Cache-Control".to_owned(), cache_control.to_owned())];
        *self.answer.lock().unwrap() = Ok(HttpResponse { status, headers, body: text.into() });
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = Err("no route to host".to_owned());
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Transport for Web {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Cause> {
        assert_eq!((request.method, request.body.len()), ("GET", 0));
        self.asked.lock().unwrap().push(request.url);
        if self.held.load(Ordering::SeqCst) {
            self.let_go.notified().await;
        }
        Ok(self.answer.lock().unwrap().clone()?)
    }
}

fn policy(issuer: &str) -> AccessPolicy {
    AccessPolicy::builder().issuer(issuer).audience("api").cache(64).build().unwrap()
}

fn remote(issuer: &str, url: &str) -> TrustedIssuer {
    let url = JwksUri::new(url).unwrap();
    TrustedIssuer::with_key_set(policy(issuer), url, Algorithm::RS256).unwrap()
}

fn trusting(web: &Arc<Web>, clock: &Arc<ManualClock>) -> JwksVerifier {
    let builder = JwksVerifier::builder().issuer(remote(ISSUER, URL));
    builder.transport(web.clone()).clock(clock.clone()).build().unwrap()
}

fn token_of(key: Key, issuer: &str, clock: &Arc<ManualClock>) -> String {
    let issuer = AccessIssuer::new(Keyring::single(key), policy(issuer), clock.clone()).unwrap();
    let issued = issuer.issue(&AccessGrant::new(Subject::new("u").unwrap())).unwrap();
    issued.token.expose().to_owned()
}

fn is_unavailable<T: std::fmt::Debug>(outcome: Result<T, Error>) -> bool {
    match outcome {
        Err(error @ Error::KeysUnavailable { .. }) => error.advice() == Advice::Retry,
        _ => false,
    }
}

const SECOND: Duration = Duration::from_secs(1);
const COOLDOWN: Duration = Duration::from_secs(30);
const MAX_AGE: Duration = Duration::from_secs(600);

#[tokio::test]
async fn concurrent_first_tokens_share_one_fetch() {
    let (web, clock) = (Web::new(&set(vec![one()])), clock());
    let verifier = trusting(&web, &clock);
    let token = token_of(one(), ISSUER, &clock);
    assert!(is_unavailable(verifier.verify_cached(&token)));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().subject().as_str(), "u");
    }
    assert_eq!(verifier.verify_cached(&token).unwrap().issuer(), Some(ISSUER));
    assert_eq!(*web.asked.lock().unwrap(), [URL]);
}

#[tokio::test]
async fn a_new_key_is_found_and_forged_key_ids_cause_no_storm() {
    let (web, clock) = (Web::new(&set(vec![one()])), clock());
    let verifier = trusting(&web, &clock);
    verifier.ready().await.unwrap();
    clock.advance(COOLDOWN);

    web.serve(&set(vec![one(), two()]));
    let token = token_of(two(), ISSUER, &clock);
    assert!(matches!(verifier.verify_cached(&token), Err(Error::KeyNotFound)));
    verifier.verify(&token).await.unwrap();
    assert_eq!(web.count(), 2);

    for second in 1..=120 {
        clock.advance(SECOND);
        for name in ["three", "https://evil.example/jwks", "../../keys", "one' OR '1'='1"] {
            let forged = key("ed25519-b.private", "x");
            let forged = token_of(forged, ISSUER, &clock);
            let header = base64url(serde_json::json!({"alg":"EdDSA","typ":"at+jwt","kid":name,"jku":"https://evil.example","x5u":"https://evil.example"}).to_string());
            let forged = format!("{header}.{}", forged.split_once('.').unwrap().1);
            let outcome = verifier.verify(&forged).await;
            assert!(matches!(outcome, Err(Error::KeyNotFound)), "{second}: {outcome:?}");
        }
    }
    assert_eq!(web.count(), 2 + 4);
    assert!(web.asked.lock().unwrap().iter().all(|url| url == URL));
}

#[tokio::test]
async fn a_withdrawn_key_is_rejected_although_its_token_was_cached() {
    let (web, clock) = (Web::new(&set(vec![one(), two()])), clock());
    let verifier = trusting(&web, &clock);
    let token = token_of(one(), ISSUER, &clock);
    verifier.verify(&token).await.unwrap();
    verifier.verify_cached(&token).unwrap();
    web.serve(&set(vec![two()]));
    clock.advance(MAX_AGE - SECOND);
    verifier.verify_cached(&token).unwrap();
    clock.advance(SECOND);
    // The call that finds the keys stale is still served with them.
    verifier.verify_cached(&token).unwrap();
    until(|| web.count() == 2).await;
    until(|| matches!(verifier.verify_cached(&token), Err(Error::KeyNotFound))).await;
    assert_eq!(web.count(), 2);
}

/// It was ahead by a day when the keys were fetched: they would seem fresh for a day.
#[tokio::test]
async fn a_withdrawn_key_is_rejected_after_the_clock_was_set_back() {
    let (web, clock) = (Web::new(&set(vec![one(), two()])), clock());
    let right = clock.now();
    clock.advance(SECOND * 86_400);
    let verifier = trusting(&web, &clock);
    verifier.ready().await.unwrap();
    web.serve(&set(vec![two()]));
    clock.set(right);
    let token = token_of(one(), ISSUER, &clock);
    assert!(matches!(verifier.verify(&token).await, Err(Error::KeyNotFound)));
    assert_eq!(web.count(), 2);
}

#[tokio::test]
async fn a_stale_set_bridges_an_outage_of_the_issuer() {
    let (web, clock) = (Web::new(&set(vec![one()])), clock());
    let verifier = trusting(&web, &clock);
    verifier.ready().await.unwrap();
    web.fail();
    clock.advance(MAX_AGE);
    for minute in 0..50 {
        let token = token_of(one(), ISSUER, &clock);
        verifier.verify(&token).await.unwrap();
        until(|| web.count() == 2 + minute).await;
        clock.advance(SECOND * 60);
    }
    // For an hour, and no longer.
    clock.advance(SECOND * 600);
    let token = token_of(one(), ISSUER, &clock);
    assert!(is_unavailable(verifier.verify(&token).await));
    web.serve(&set(vec![one()]));
    clock.advance(COOLDOWN);
    verifier.verify(&token).await.unwrap();
}

#[tokio::test]
async fn an_invalid_response_keeps_the_cached_set() {
    let (web, clock) = (Web::new("{}"), clock());
    let verifier = trusting(&web, &clock);
    let long = format!("{}{}", set(vec![one()]), " ".repeat(600 * 1024));
    for (status, text) in [
        (200, ""),
        (200, "{}"),
        (200, r#"{"keys":[]}"#),
        (200, "<html>"),
        (200, long.as_str()),
        (302, set(vec![one()]).as_str()),
        (404, set(vec![one()]).as_str()),
        (500, "{}"),
    ] {
        web.answer(status, text, "");
        let token = token_of(one(), ISSUER, &clock);
        assert!(is_unavailable(verifier.verify(&token).await), "{status}");
        clock.advance(COOLDOWN);
    }
    assert_eq!(web.count(), 8);
    web.serve(&set(vec![one()]));
    let token = token_of(one(), ISSUER, &clock);
    verifier.verify(&token).await.unwrap();
    clock.advance(MAX_AGE);
    web.answer(200, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, "");
    let token = token_of(one(), ISSUER, &clock);
    verifier.verify_cached(&token).unwrap();
    until(|| web.count() == 10).await;
    verifier.verify_cached(&token).unwrap();
}

#[tokio::test]
async fn max_age_of_the_response_is_honoured() {
    let (web, clock) = (Web::new(""), clock());
    web.answer(200, &set(vec![one()]), "public, max-age=3600");
    let verifier = trusting(&web, &clock);
    verifier.ready().await.unwrap();
    clock.advance(SECOND * 3599);
    verifier.verify(&token_of(one(), ISSUER, &clock)).await.unwrap();
    assert_eq!(web.count(), 1);
    clock.advance(SECOND);
    verifier.verify(&token_of(one(), ISSUER, &clock)).await.unwrap();
    until(|| web.count() == 2).await;
}

#[tokio::test]
async fn a_fetch_continues_after_its_callers_cancel() {
    let (web, clock) = (Web::new(&set(vec![one()])), clock());
    let verifier = trusting(&web, &clock);
    let token = token_of(one(), ISSUER, &clock);
    web.held.store(true, Ordering::SeqCst);
    let (waiting, text) = (verifier.clone(), token.clone());
    let task = tokio::spawn(async move { waiting.verify(&text).await });
    until(|| web.count() == 1).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    web.let_go.notify_one();
    until(|| verifier.verify_cached(&token).is_ok()).await;
    assert_eq!(web.count(), 1);
}

#[tokio::test]
async fn each_issuer_has_its_own_keys() {
    let (web, clock) = (Web::new(&set(vec![one()])), clock());
    let theirs = TrustedIssuer::with_keys(policy(OTHER), Keyring::single(two())).unwrap();
    let builder = JwksVerifier::builder().issuer(remote(ISSUER, URL)).issuer(theirs);
    let verifier = builder.transport(web.clone()).clock(clock.clone()).build().unwrap();
    verifier.ready().await.unwrap();
    clock.advance(COOLDOWN);
    for (key, issuer) in [(one(), ISSUER), (two(), OTHER)] {
        let access = verifier.verify_cached(&token_of(key, issuer, &clock)).unwrap();
        assert_eq!(access.issuer(), Some(issuer));
    }
    for (key, issuer) in [(two(), ISSUER), (one(), OTHER)] {
        let outcome = verifier.verify(&token_of(key, issuer, &clock)).await;
        assert!(matches!(outcome, Err(Error::KeyNotFound)), "{outcome:?}");
    }
    let stranger = token_of(one(), "https://evil.example", &clock);
    let fetched = web.count();
    assert!(matches!(verifier.verify(&stranger).await, Err(Error::IssuerMismatch)));
    for (claims, code) in [
        (r#"{"sub":"u","exp":1800000000}"#, "ERR_ISSUER_MISMATCH"),
        (r#"{"iss":["https://issuer.example"],"sub":"u","exp":1800000000}"#, "ERR_CLAIM_INVALID"),
        (
            r#"{"iss":"https://issuer.example","iss":"https://other.example"}"#,
            "ERR_TOKEN_MALFORMED",
        ),
        ("[]", "ERR_TOKEN_MALFORMED"),
    ] {
        let token = token(ACCESS_HEADER, claims);
        let error = verifier.verify(&token).await.unwrap_err();
        assert_eq!(error.code().as_str(), code, "{claims}");
    }
    assert_eq!(web.count(), fetched);
}

#[tokio::test]
async fn a_pattern_accepts_the_issuers_of_all_tenants() {
    let web = Web::new(&set(vec![one()]));
    let clock = clock();
    let pattern = "https://login.example/*/v2.0";
    let tenants = || {
        let policy = AccessPolicy::builder().issuer_pattern(pattern).unwrap().audience("api");
        let url = JwksUri::new(URL).unwrap();
        TrustedIssuer::with_key_set(policy.build().unwrap(), url, Algorithm::RS256).unwrap()
    };
    // One tenant has a key of its own: its name counts before the pattern.
    let own = "https://login.example/own/v2.0";
    let named = || TrustedIssuer::with_keys(policy(own), Keyring::single(two())).unwrap();
    for alone in [true, false] {
        let mut builder = JwksVerifier::builder().issuer(tenants());
        if !alone {
            builder = builder.issuer(named());
        }
        let web = Arc::clone(&web) as Arc<dyn Transport>;
        let verifier = builder.clock(Arc::clone(&clock) as _).transport(web).build().unwrap();
        let outcome = async |key, issuer: &str| {
            verifier.verify(&token_of(key, issuer, &clock)).await.map(drop)
        };
        for issuer in ["https://login.example/acme/v2.0", "https://login.example/a-1_~.b/v2.0"] {
            assert!(outcome(one(), issuer).await.is_ok(), "{issuer}");
            assert!(outcome(two(), issuer).await.is_err(), "{issuer}");
        }
        for issuer in [
            "https://login.example/v2.0",
            "https://login.example//v2.0",
            "https://login.example/../v2.0",
            "https://login.example/a/b/v2.0",
            "https://login.example/a?x/v2.0",
            "https://login.example/a%2fb/v2.0",
            "https://login.example/acme/v2.0/",
            "https://login.example.evil.example/acme/v2.0",
            pattern,
        ] {
            let result = outcome(one(), issuer).await;
            assert!(matches!(result, Err(Error::IssuerMismatch)), "{issuer}: {result:?}");
        }
        assert_eq!(outcome(two(), own).await.is_ok(), !alone);
    }
    for bad in [
        "*",
        "https://*",
        "https://*/v2.0",
        "https://*.example/v2.0",
        "https://a.example/x*/v2.0",
        "https://a.example/*x",
        "https://a.example/*/*",
        "https://a.example/v2.0",
        "a.example/*",
    ] {
        assert!(AccessPolicy::builder().issuer_pattern(bad).is_err(), "{bad}");
    }
}

#[test]
fn conflicting_issuers_are_rejected() {
    let fixed = |issuer| TrustedIssuer::with_keys(policy(issuer), Keyring::single(one())).unwrap();
    let none = JwksVerifier::builder().build();
    let twice = JwksVerifier::builder().issuer(fixed(ISSUER)).issuer(fixed(ISSUER)).build();
    let nothing_to_fetch_with = JwksVerifier::builder().issuer(remote(ISSUER, URL)).build();
    for outcome in [none, twice, nothing_to_fetch_with] {
        assert_eq!(config_error(outcome).0, "issuers");
    }
    let nameless = AccessPolicy::default();
    let outcome = TrustedIssuer::with_keys(nameless, Keyring::single(one()));
    assert_eq!(config_error(outcome).0, "issuer");
    let url = JwksUri::new(URL).unwrap();
    let outcome = TrustedIssuer::with_key_set(policy(ISSUER), url, Algorithm::ES256);
    assert_eq!(config_error(outcome).0, "rsaAlgorithm");
}

/// Polls with a generous timeout.
async fn until(condition: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("timed out");
}

/// A DPoP-bound token (RFC 9449) is accepted with a proof for a request to this service, and only if
/// the service's public URL is configured.
#[tokio::test]
async fn a_bound_token_needs_a_proof_for_this_service() {
    let (web, clock) = (Web::new(&set(vec![one()])), clock());
    let mine = SoftwareKey::generate().unwrap();
    let issuer = AccessIssuer::new(Keyring::single(one()), policy(ISSUER), clock.clone()).unwrap();
    let mut grant = AccessGrant::new(Subject::new("u").unwrap());
    grant.key = Some(mine.thumbprint().unwrap());
    let token = issuer.issue(&grant).unwrap().token.expose().to_owned();
    let origins = ["https://a.example", "https://b.example"].map(str::to_owned);
    let builder = JwksVerifier::builder().issuer(remote(ISSUER, URL)).transport(web.clone());
    let verifier = builder.clock(clock.clone()).proofs(ProofPolicy::default(), origins.to_vec());
    let verifier = verifier.build().unwrap();
    let prove = |key: &SoftwareKey, origin: &str, access_token| {
        let url = format!("{origin}/orders");
        let (method, now) = ("GET", clock.now());
        UnsignedProof { method, url: &url, now, nonce: None, access_token }.sign(key).unwrap()
    };
    let check = |proof: String| PresentedProof::new(proof, "GET", "/orders?page=2");
    for origin in &origins {
        let proof = check(prove(&mine, origin, Some(&token)));
        assert_eq!(
            verifier.verify_with_proof(&token, &proof).await.unwrap().issuer(),
            Some(ISSUER)
        );
        let again = verifier.verify_with_proof(&token, &proof).await;
        assert!(matches!(again, Err(Error::DpopProofReplayed)));
    }
    let elsewhere = check(prove(&mine, "https://issuer.example", Some(&token)));
    let refused = verifier.verify_with_proof(&token, &elsewhere).await;
    assert!(matches!(refused, Err(Error::DpopProofInvalid { .. })));
    for (key, access_token) in [(SoftwareKey::generate().unwrap(), Some(&*token)), (mine, None)] {
        let proof = check(prove(&key, &origins[0], access_token));
        let outcome = verifier.verify_with_proof(&token, &proof).await;
        assert!(matches!(outcome, Err(Error::DpopProofInvalid { .. })));
    }
    // As a bearer token it is rejected by every verify function.
    assert!(matches!(verifier.verify_cached(&token), Err(Error::DpopProofMissing)));
    assert!(matches!(verifier.try_verify(&token), Some(Err(Error::DpopProofMissing))));
    assert!(matches!(verifier.verify(&token).await, Err(Error::DpopProofMissing)));
    let without = trusting(&web, &clock);
    let unknown = without.verify_with_proof(&token, &check("x".to_owned())).await;
    assert!(matches!(unknown, Err(Error::ConfigInvalid { field, .. }) if field == "dpop"));
    assert!(verifier.checks_proofs() && !without.checks_proofs());
}
