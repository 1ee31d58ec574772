//! Tokens of issuers that the app finds by their names: tenants, each with keys of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::access::*;
use async_trait::async_trait;
use regrant::Error;
use regrant::access::AccessPolicy;
use regrant::error::Cause;
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::jwks::{IssuerResolver, JwksUri, JwksVerifier, ResolverLimits, TrustedIssuer};
use regrant::keys::{Algorithm, Key, Keyring};
use regrant::transport::{HttpRequest, HttpResponse, Transport};
use regrant::types::{ManualClock, Subject};

fn signing(file: &str) -> Key {
    Key::private_pem(Algorithm::EdDSA, &pem(file)).unwrap()
}

fn policy(issuer: &str) -> AccessPolicy {
    AccessPolicy::builder().issuer(issuer).audience("api").cache(64).build().unwrap()
}

fn token_of(key: Key, issuer: &str, clock: &Arc<ManualClock>) -> String {
    let issuer = AccessIssuer::new(Keyring::single(key), policy(issuer), clock.clone()).unwrap();
    let issued = issuer.issue(&AccessGrant::new(Subject::new("u").unwrap())).unwrap();
    issued.token.expose().to_owned()
}

/// The app's list of tenants: the URL of each one's key set. Without a URL its keys are configured.
#[derive(Debug, Default)]
struct Tenants {
    urls: Mutex<HashMap<String, Option<String>>>,
    is_down: Mutex<bool>,
    asked: AtomicUsize,
}

impl Tenants {
    fn add(&self, name: &str, url: Option<&str>) {
        self.urls.lock().unwrap().insert(name.to_owned(), url.map(ToOwned::to_owned));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl IssuerResolver for Tenants {
    async fn resolve(&self, issuer: &str) -> Result<Option<TrustedIssuer>, Cause> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if *self.is_down.lock().unwrap() {
            return Err("the database is down".into());
        }
        let Some(url) = self.urls.lock().unwrap().get(issuer).cloned() else { return Ok(None) };
        Ok(Some(match url {
            Some(url) => {
                TrustedIssuer::with_key_set(policy(issuer), JwksUri::new(&url)?, Algorithm::RS256)?
            }
            None => TrustedIssuer::with_keys(
                policy(issuer),
                Keyring::single(signing("ed25519-b.private")),
            )?,
        }))
    }
}

/// Serves the key of tenant one, wherever it is asked for.
#[derive(Debug, Default)]
struct Web(AtomicUsize);

#[async_trait]
impl Transport for Web {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, Cause> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let body = Keyring::single(signing("ed25519-a.private")).jwks().into_bytes();
        Ok(HttpResponse { status: 200, headers: Vec::new(), body })
    }
}

struct World {
    tenants: Arc<Tenants>,
    web: Arc<Web>,
    clock: Arc<ManualClock>,
    verifier: JwksVerifier,
}

const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";

fn world(limits: ResolverLimits) -> World {
    let (tenants, web, clock) = (Arc::new(Tenants::default()), Arc::new(Web::default()), clock());
    tenants.add(ONE, Some("https://one.example/keys"));
    tenants.add(TWO, None);
    let verifier = JwksVerifier::builder()
        .resolver(tenants.clone(), limits)
        .transport(web.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    World { tenants, web, clock, verifier }
}

#[tokio::test]
async fn each_issuer_is_found_once_and_verified_by_its_own_keys() {
    let at = world(ResolverLimits::default());
    let [one, two] = [(ONE, "ed25519-a.private"), (TWO, "ed25519-b.private")]
        .map(|(name, key)| token_of(signing(key), name, &at.clock));
    let calls: Vec<_> = (0..50)
        .flat_map(|_| [one.clone(), two.clone()])
        .map(|token| {
            let verifier = at.verifier.clone();
            tokio::spawn(async move { verifier.verify(&token).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!((at.tenants.asked(), at.web.0.load(Ordering::SeqCst)), (2, 1));
    assert_eq!(at.verifier.verify_cached(&one).unwrap().issuer(), Some(ONE));
    assert!(at.verifier.try_verify(&two).unwrap().is_ok());
    // By the keys of another tenant.
    let crossed = token_of(signing("ed25519-b.private"), ONE, &at.clock);
    assert!(at.verifier.verify(&crossed).await.is_err());
}

#[tokio::test]
async fn without_waiting_an_issuer_is_found_in_the_background() {
    let at = world(ResolverLimits::default());
    let token = token_of(signing("ed25519-b.private"), TWO, &at.clock);
    assert!(at.verifier.try_verify(&token).is_none());
    assert_eq!(at.tenants.asked(), 0);
    let unknown = at.verifier.verify_cached(&token);
    assert!(matches!(unknown, Err(Error::KeysUnavailable { .. })), "{unknown:?}");
    until(|| at.verifier.verify_cached(&token).is_ok()).await;
    assert_eq!(at.tenants.asked(), 1);
}

#[tokio::test]
async fn refusals_are_remembered_for_a_while_and_displace_no_issuer() {
    let mut limits = ResolverLimits::default();
    limits.issuers = 2;
    let at = world(limits);
    let token = token_of(signing("ed25519-b.private"), TWO, &at.clock);
    at.verifier.verify(&token).await.unwrap();
    let asked = at.tenants.asked();
    let evil = |number: usize| format!("https://evil-{number}.example");
    for _ in 0..3 {
        let forged = token_of(signing("ed25519-b.private"), &evil(0), &at.clock);
        let refused = at.verifier.verify(&forged).await;
        assert!(matches!(refused, Err(Error::IssuerMismatch)), "{refused:?}");
        assert!(at.verifier.try_verify(&forged).unwrap().is_err());
    }
    assert_eq!(at.tenants.asked(), asked + 1);
    for number in 1..200 {
        let forged = token_of(signing("ed25519-b.private"), &evil(number), &at.clock);
        assert!(at.verifier.verify(&forged).await.is_err());
    }
    let before = at.tenants.asked();
    at.verifier.verify(&token).await.unwrap();
    assert_eq!(at.tenants.asked(), before);
    // The resolver is not asked about names of any length.
    let long = format!("https://evil.example/{}", "x".repeat(3000));
    let forged = token_of(signing("ed25519-b.private"), &long, &at.clock);
    assert!(matches!(at.verifier.verify(&forged).await, Err(Error::IssuerMismatch)));
    assert_eq!(at.tenants.asked(), before);
    // A tenant that was added meanwhile.
    at.tenants.add(&evil(199), None);
    at.clock.advance(Duration::from_secs(60));
    let added = token_of(signing("ed25519-b.private"), &evil(199), &at.clock);
    at.verifier.verify(&added).await.unwrap();
}

#[tokio::test]
async fn an_issuer_is_looked_up_again_and_keeps_its_keys_if_nothing_changed() {
    let at = world(ResolverLimits::default());
    let later = Duration::from_secs(601);
    let verify = async || {
        let token = token_of(signing("ed25519-a.private"), ONE, &at.clock);
        at.verifier.verify(&token).await.map(drop)
    };
    verify().await.unwrap();
    at.clock.advance(later);
    *at.tenants.is_down.lock().unwrap() = true;
    verify().await.unwrap();
    assert_eq!(at.tenants.asked(), 2);
    // An issuer that was never found is not known to be refused.
    let two = token_of(signing("ed25519-b.private"), TWO, &at.clock);
    let unknown = at.verifier.verify(&two).await;
    assert!(matches!(unknown, Err(Error::KeysUnavailable { .. })), "{unknown:?}");
    *at.tenants.is_down.lock().unwrap() = false;
    at.verifier.verify(&two).await.unwrap();
    at.clock.advance(later);
    at.tenants.urls.lock().unwrap().remove(ONE);
    assert!(matches!(verify().await, Err(Error::IssuerMismatch)));
}

#[tokio::test]
async fn a_resolver_that_names_another_issuer_is_not_followed() {
    #[derive(Debug)]
    struct Confused;

    #[async_trait]
    impl IssuerResolver for Confused {
        async fn resolve(&self, _: &str) -> Result<Option<TrustedIssuer>, Cause> {
            let keys = Keyring::single(signing("ed25519-b.private"));
            Ok(Some(TrustedIssuer::with_keys(policy(ONE), keys)?))
        }
    }

    let clock = clock();
    let verifier = JwksVerifier::builder()
        .resolver(Arc::new(Confused), ResolverLimits::default())
        .clock(clock.clone())
        .build()
        .unwrap();
    let token = token_of(signing("ed25519-b.private"), TWO, &clock);
    let outcome = verifier.verify(&token).await;
    assert!(matches!(outcome, Err(Error::KeysUnavailable { .. })), "{outcome:?}");
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
