//! Sessions whose tokens are bound to the app's key (DPoP, RFC 9449).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use regrant::client::{
    RefreshEndpoint, Session, SessionError, SessionSettings, SessionState, SignOutOutcome,
    SignOutReason, TransientError,
};
use regrant::dpop::{DeviceKey, ProofKey, ProofKeyError, SoftwareKey};
use regrant::error::Cause;
use regrant::keys::Algorithm;
use regrant::transport::HttpResponse;
use regrant::types::{Clock, ManualClock, Timestamp};
use serde_json::json;

use crate::client_session::builder;
use crate::client_session::server::{LIFETIME, Server};

/// How a device's clock differs from the server's.
type Wrong = fn(Timestamp) -> Timestamp;

const OFF: Duration = Duration::from_secs(600);

fn key() -> Arc<dyn ProofKey> {
    Arc::new(SoftwareKey::generate().unwrap())
}

/// Converts a response for the session.
async fn seen(answer: reqwest::Response) -> HttpResponse {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
    let headers = headers.collect();
    HttpResponse {
        status: answer.status().as_u16(),
        headers,
        body: answer.bytes().await.unwrap().to_vec(),
    }
}

/// Logs in with a proof, and retries once if it is rejected.
pub async fn log_in(session: &Session, server: &Server) {
    let (http, url) = (reqwest::Client::new(), server.login_url());
    for _ in 0..2 {
        let proof = session.proof("POST", &url).await.unwrap().unwrap();
        let answer = seen(http.post(&url).header("DPoP", proof).send().await.unwrap()).await;
        if !session.observe_response(&url, &answer) {
            assert_eq!(answer.status, 200);
            return session
                .sign_in(RefreshEndpoint::read_login(&answer.body).unwrap())
                .await
                .unwrap();
        }
    }
    panic!("the second proof was rejected too");
}

/// The status of a request with the session's token and proof.
async fn call(session: &Session, url: &str) -> u16 {
    let http = reqwest::Client::new();
    let request = http.get(url).build().unwrap();
    session.execute(&http, request).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_session_survives_expiries_with_any_clock_and_nonces() {
    let (right, ahead, behind): (Wrong, Wrong, Wrong) =
        (|now| now, |now| now.plus(OFF), |now| now.minus(OFF));
    for (with_nonce, dpop) in [(false, json!({})), (true, json!({ "nonce": "5m" }))] {
        for wrong_by in [right, ahead, behind] {
            let (server, folder) =
                (Server::start_with(dpop.clone()).await, tempfile::tempdir().unwrap());
            let server_began = server.clock.now();
            let now = wrong_by(server_began);
            let (clock, key) = (Arc::new(ManualClock::new(now)), key());
            let session = || {
                builder(&server, folder.path(), &clock).proof_key(Arc::clone(&key)).start().unwrap()
            };
            let mut running = session();
            log_in(&running, &server).await;
            for expiry in 0..3 {
                assert_eq!(call(&running, &server.me()).await, 200);
                // A new run of the app.
                running = session();
                let calls = (0..20).map(|_| {
                    let (session, url) = (running.clone(), server.me());
                    tokio::spawn(async move { call(&session, &url).await })
                });
                for call in calls.collect::<Vec<_>>() {
                    assert_eq!(call.await.unwrap(), 200);
                }
                // One per expiry, and a retry if the nonce has expired too.
                assert_eq!(server.refreshes(), expiry * if with_nonce { 2 } else { 1 });
                server.clock.advance(LIFETIME);
                clock.advance(LIFETIME);
            }
            assert!(server.all_live().await);
            if !with_nonce {
                // Only a device that knows no server time yet uses its own wrong clock.
                let first = u32::from(now != server_began);
                assert_eq!(server.proofs_refused.load(Ordering::SeqCst), first);
            }
        }
    }
}

/// The backoff is an hour, so only an immediate retry succeeds.
#[tokio::test]
async fn a_refresh_with_a_rejected_proof_is_retried_at_once() {
    let (server, folder) =
        (Server::start_with(json!({ "nonce": "5m" })).await, tempfile::tempdir().unwrap());
    let key = key();
    let session = |backoff| {
        let mut settings = SessionSettings::default();
        settings.initial_backoff = backoff;
        let builder = builder(&server, folder.path(), &server.clock).settings(settings);
        builder.proof_key(Arc::clone(&key)).start().unwrap()
    };
    log_in(&session(Duration::ZERO), &server).await;
    server.clock.advance(LIFETIME);
    let restarted = session(Duration::from_secs(3600));
    assert_eq!(call(&restarted, &server.me()).await, 200);
    assert_eq!(server.refreshes(), 2);
}

/// With nonces only the first proof is rejected, and without them none.
#[tokio::test]
async fn the_server_clock_and_nonce_are_reused_for_later_proofs() {
    for (dpop, refused) in [(json!({}), 0), (json!({ "nonce": "10m" }), 1)] {
        let (server, folder) = (Server::start_with(dpop).await, tempfile::tempdir().unwrap());
        let session =
            builder(&server, folder.path(), &server.clock).proof_key(key()).start().unwrap();
        log_in(&session, &server).await;
        for _ in 0..10 {
            assert_eq!(call(&session, &server.me()).await, 200);
        }
        assert_eq!(server.proofs_refused.load(Ordering::SeqCst), refused);
        assert_eq!(server.refreshes(), 0);
    }
}

#[tokio::test]
async fn stolen_bound_tokens_are_rejected_and_sign_nobody_out() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = builder(&server, folder.path(), &server.clock).proof_key(key()).start().unwrap();
    log_in(&session, &server).await;
    let stolen = std::fs::read(folder.path().join("session")).unwrap();
    let stolen: serde_json::Value = serde_json::from_slice(&stolen).unwrap();
    let http = reqwest::Client::new();
    let bearer = stolen["accessToken"].as_str().unwrap();
    let used = http.get(server.me()).bearer_auth(bearer).send().await.unwrap();
    assert_eq!(used.status(), 401);
    let refreshed = http
        .post(server.login_url().replace("/login", "/auth/refresh"))
        .header("content-type", "application/json")
        .body(json!({ "refreshToken": stolen["refreshToken"] }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(seen(refreshed).await.status, 401);
    server.clock.advance(LIFETIME);
    assert_eq!(call(&session, &server.me()).await, 200);
    assert!(server.all_live().await);
}

/// The stored tokens are kept, because the key may become available again.
#[tokio::test]
async fn a_bound_session_without_its_key_is_unusable_and_kept() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let own = key();
    let with_key = |key: Arc<dyn ProofKey>| {
        builder(&server, folder.path(), &server.clock).proof_key(key).start().unwrap()
    };
    log_in(&with_key(Arc::clone(&own)), &server).await;
    let none = builder(&server, folder.path(), &server.clock).start().unwrap();
    for session in [none, with_key(key())] {
        for _ in 0..2 {
            let error = session.attempt("GET", &server.me()).await.unwrap_err();
            assert_eq!(error, SessionError::SignIn(SignOutReason::OtherKey));
        }
        assert_eq!(session.state(), SessionState::SignedOut(SignOutReason::OtherKey));
    }
    server.clock.advance(LIFETIME);
    assert_eq!(call(&with_key(own), &server.me()).await, 200);
    assert_eq!(server.refreshes(), 1);
}

/// A session that signed in before the app had a key continues with bearer tokens.
#[tokio::test]
async fn an_unbound_session_continues_unbound_with_a_key() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = builder(&server, folder.path(), &server.clock).proof_key(key()).start().unwrap();
    session.sign_in(server.login().await).await.unwrap();
    for _ in 0..3 {
        let headers = session.attempt("GET", &server.me()).await.unwrap().headers();
        assert!(headers.len() == 1 && headers[0].1.starts_with("Bearer "));
        assert_eq!(call(&session, &server.me()).await, 200);
        server.clock.advance(LIFETIME);
    }
    assert_eq!(server.proofs.load(Ordering::SeqCst), 0);
    assert_eq!(server.refreshes(), 2);
}

/// As on a locked device: the session stays signed in.
#[tokio::test]
async fn an_unavailable_key_is_a_transient_error() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let software = SoftwareKey::generate().unwrap();
    let jwk = software.public_jwk();
    let locked = Arc::new(AtomicBool::new(false));
    let device = {
        let locked = Arc::clone(&locked);
        let point = ["x", "y"].map(|name| decoded(jwk[name].as_str().unwrap())).concat();
        DeviceKey::new(&[vec![4], point].concat(), move |message| {
            if locked.load(Ordering::SeqCst) {
                Err("locked".into())
            } else {
                software.sign(message)
            }
        })
        .unwrap()
    };
    let session =
        builder(&server, folder.path(), &server.clock).proof_key(Arc::new(device)).start().unwrap();
    log_in(&session, &server).await;
    locked.store(true, Ordering::SeqCst);
    let cause =
        |error| matches!(error, SessionError::Retry { cause: TransientError::ProofKey, .. });
    assert!(cause(session.attempt("GET", &server.me()).await.unwrap_err()));
    server.clock.advance(LIFETIME);
    assert!(cause(session.access_token().await.unwrap_err()));
    assert_eq!(server.refreshes(), 0);
    locked.store(false, Ordering::SeqCst);
    while session.access_token().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(call(&session, &server.me()).await, 200);
    assert!(server.all_live().await);
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A key whose signing never returns, like an unanswered prompt.
#[derive(Debug)]
struct Hanging {
    key: SoftwareKey,
    asked: mpsc::Sender<()>,
    /// Closed at the end of the test.
    answer: Mutex<mpsc::Receiver<()>>,
}

impl ProofKey for Hanging {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn public_jwk(&self) -> serde_json::Map<String, serde_json::Value> {
        self.key.public_jwk()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Cause> {
        self.asked.send(())?;
        Ok(self.answer.lock().unwrap().recv().map(|()| Vec::new())?)
    }
}

/// Signing times out like a request, and the storage lock is released.
#[tokio::test]
async fn a_key_that_never_answers_blocks_nothing_else() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let software = SoftwareKey::generate().unwrap();
    let pem = software.pem().clone();
    let good: Arc<dyn ProofKey> = Arc::new(software);
    let first = builder(&server, folder.path(), &server.clock).proof_key(good).start().unwrap();
    log_in(&first, &server).await;
    server.clock.advance(LIFETIME);
    let ((asked, signing), (_answering, answer)) = (mpsc::channel(), mpsc::channel());
    let key = SoftwareKey::from_pem(&pem).unwrap();
    let hanging = Hanging { key, asked, answer: Mutex::new(answer) };
    let stuck = builder(&server, folder.path(), &server.clock)
        .proof_key(Arc::new(hanging))
        .request_timeout(Duration::from_millis(100))
        .start()
        .unwrap();
    let waiting = tokio::spawn(async move { stuck.access_token().await });
    let signing = tokio::task::spawn_blocking(move || signing.recv().unwrap());
    signing.await.unwrap();
    // The other process gets the lock, although the signature is still being made.
    assert_eq!(call(&first, &server.me()).await, 200);
    waiting.abort();
}

/// The session could not use it.
#[tokio::test]
async fn a_pair_bound_to_another_key_is_not_stored() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = builder(&server, folder.path(), &server.clock).proof_key(key()).start().unwrap();
    log_in(&session, &server).await;
    let (url, http) = (server.login_url(), reqwest::Client::new());
    let proof = session.proof("POST", &url).await.unwrap().unwrap();
    let answer = seen(http.post(&url).header("DPoP", proof).send().await.unwrap()).await;
    let pair = RefreshEndpoint::read_login(&answer.body).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = builder(&server, elsewhere.path(), &server.clock).proof_key(key()).start().unwrap();
    let refused = other.sign_in(pair).await;
    assert_eq!(refused, Err(SessionError::SignIn(SignOutReason::OtherKey)));
    assert!(!elsewhere.path().join("session").exists());
}

/// Otherwise one request would fail for every new nonce.
#[tokio::test]
async fn a_nonce_is_taken_from_any_response() {
    let (server, folder) =
        (Server::start_with(json!({ "nonce": "5m" })).await, tempfile::tempdir().unwrap());
    let key = key();
    let session = || {
        let builder = builder(&server, folder.path(), &server.clock);
        builder.proof_key(Arc::clone(&key)).start().unwrap()
    };
    log_in(&session(), &server).await;
    // The next run of the app does not know a nonce yet.
    let restarted = session();
    assert_eq!(call(&restarted, &server.me()).await, 200);
    // The response to the second attempt is observed as well: it has the latest nonce.
    assert_eq!(server.proofs_refused.load(Ordering::SeqCst), 2);
    let refused = server.proofs_refused.load(Ordering::SeqCst);
    // The old nonce is still valid one interval later, and the response has the new one.
    for _ in 0..3 {
        server.clock.advance(Duration::from_secs(290));
        assert_eq!(call(&restarted, &server.me()).await, 200);
    }
    assert_eq!(server.proofs_refused.load(Ordering::SeqCst), refused);
}

/// A key, and what loses it.
fn key_that_gets_lost() -> (Arc<dyn ProofKey>, Arc<AtomicBool>) {
    let software = SoftwareKey::generate().unwrap();
    let public = software.public_der().unwrap();
    let is_lost = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&is_lost);
    let sign = move |message: &[u8]| match lost.load(Ordering::SeqCst) {
        true => Err(Cause::from(ProofKeyError::Lost)),
        false => software.sign(message),
    };
    (Arc::new(DeviceKey::new(&public, sign).unwrap()), is_lost)
}

/// A device deletes its keys when its lock or its fingerprints change. The tokens are of no use to anybody then.
#[tokio::test]
async fn a_key_that_is_lost_for_good_signs_out_and_a_new_one_signs_in() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (device, is_lost) = key_that_gets_lost();
    let lost = SessionError::SignIn(SignOutReason::KeyLost);
    for needs_refresh in [false, true] {
        let session = builder(&server, folder.path(), &server.clock)
            .proof_key(Arc::clone(&device))
            .start()
            .unwrap();
        is_lost.store(false, Ordering::SeqCst);
        log_in(&session, &server).await;
        is_lost.store(true, Ordering::SeqCst);
        if needs_refresh {
            server.clock.advance(LIFETIME);
        }
        assert_eq!(session.attempt("GET", &server.me()).await.unwrap_err(), lost);
        assert_eq!(session.state(), SessionState::SignedOut(SignOutReason::KeyLost));
        assert_eq!(session.access_token().await, Err(lost));
        assert_eq!(session.proof("POST", &server.login_url()).await, Err(lost));
        // What is stored is of no use to the next run either.
        let next = builder(&server, folder.path(), &server.clock).proof_key(key()).start().unwrap();
        assert_eq!(
            next.access_token().await,
            Err(SessionError::SignIn(SignOutReason::NotSignedIn))
        );
        log_in(&next, &server).await;
        assert_eq!(call(&next, &server.me()).await, 200);
        next.sign_out().await.unwrap();
    }
}

#[tokio::test]
async fn a_sign_out_without_its_key_does_not_wait_for_the_server() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (device, is_lost) = key_that_gets_lost();
    let session = builder(&server, folder.path(), &server.clock).proof_key(device).start().unwrap();
    log_in(&session, &server).await;
    is_lost.store(true, Ordering::SeqCst);
    assert_eq!(session.sign_out().await, Ok(SignOutOutcome::Local));
}
