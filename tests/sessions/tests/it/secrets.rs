//! With all logging enabled, no token, no part of a token, no secret and no password appears in
//! a span, an event or a label. Runs in its own process, because the subscriber is global.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metrics_util::debugging::DebuggingRecorder;
use regrant::auth::StalePolicy;
use regrant::store::StoreAddress;
use regrant::types::{Clock, ManualClock, Subject, SystemClock};
use regrant::{Auth, Login, RefreshRequest};
use regrant_test_support::{RedisOptions, in_own_process};
use tracing_subscriber::fmt::format::FmtSpan;

const SECRET: &str = "an access secret of at least 32 bytes";
const REFRESH_SECRET: &str = "a refresh secret, at least as long";
const PASSWORD: &str = "hunter2hunter2";
const WRONG_PASSWORD: &str = "swordfishswordfish";

/// The log output, as text.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Values that must not be logged, each with a description.
#[derive(Default)]
struct Forbidden(Vec<(&'static str, String)>);

impl Forbidden {
    /// A token: its payload, its signature, and the secret in it.
    fn token(&mut self, token: &str) {
        let [_, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            panic!("not a token")
        };
        self.0.push(("a signature", signature.to_owned()));
        let claims = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        // The rest of the payload may be logged, such as the session, in another encoding.
        self.0.push(("a payload", payload[..24].to_owned()));
        for name in ["jti", "par"] {
            if let Some(value) = claims.get(name) {
                self.0.push((name, value.as_str().unwrap().to_owned()));
            }
        }
    }

    /// Also detects parts: any 12 consecutive characters count as a leak.
    fn found_in(&self, text: &str) -> Vec<&'static str> {
        let is_in = |(_, secret): &&(&str, String)| {
            (0..=secret.len().saturating_sub(12))
                .any(|from| text.contains(&secret[from..secret.len().min(from + 12)]))
        };
        self.0.iter().filter(is_in).map(|(what, _)| *what).collect()
    }
}

fn auth_at(url: &str, clock: &Arc<ManualClock>) -> Auth {
    let config = serde_json::json!({
        "secret": SECRET,
        "refreshSecret": REFRESH_SECRET,
        "access": { "jti": true },
    });
    Auth::from_json(&config.to_string())
        .unwrap()
        .store_at(StoreAddress::new(url).timeout(Duration::from_secs(30)))
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .build()
        .unwrap()
}

/// Logs in, refreshes in every way, suffers a theft, logs out; records every token.
async fn busy(auth: &Auth, clock: &ManualClock, forbidden: &mut Forbidden) {
    let alice = Subject::new("alice").unwrap();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let pair = auth.login(Login::new(alice.clone())).await.unwrap();
        tokens.extend([
            pair.access_token.expose().to_owned(),
            pair.refresh_token.expose().to_owned(),
        ]);
        let mut refresh = pair.refresh_token.expose().to_owned();
        for _ in 0..3 {
            let next = auth.refresh(RefreshRequest::new(&refresh)).await.unwrap();
            auth.refresh(RefreshRequest::new(&refresh)).await.unwrap();
            auth.verify_checked(next.access_token.expose(), StalePolicy::CheckStore).await.unwrap();
            refresh = next.refresh_token.unwrap().expose().to_owned();
            tokens.extend([next.access_token.expose().to_owned(), refresh.clone()]);
        }
        let (head, _) = refresh.rsplit_once('.').unwrap();
        let forged = format!("{head}.{}", "A".repeat(43));
        auth.refresh(RefreshRequest::new(&forged)).await.unwrap_err();
        auth.logout(&forged).await.unwrap_err();
        auth.verify(&forged).unwrap_err();
        clock.advance(Duration::from_secs(60));
        // The first token is presented again: a theft.
        auth.refresh(RefreshRequest::new(pair.refresh_token.expose())).await.unwrap_err();
        auth.refresh(RefreshRequest::new(&refresh)).await.unwrap_err();
        auth.verify(pair.access_token.expose()).unwrap_err();
        auth.logout(&refresh).await.unwrap();
    }
    auth.sessions(&alice, None).await.unwrap();
    auth.logout_everywhere(&alice).await.unwrap();
    tokens.iter().for_each(|token| forbidden.token(token));
}

/// Uses an unreachable store.
async fn in_vain(auth: &Auth, token: &str) {
    auth.login(Login::new(Subject::new("alice").unwrap())).await.unwrap_err();
    auth.refresh(RefreshRequest::new(token)).await.unwrap_err();
    auth.logout(token).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_logged_or_in_metrics() {
    if !in_own_process("secrets::no_secret_is_logged_or_in_metrics") {
        return;
    }
    let written = Written::default();
    let writer = written.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();

    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let mut forbidden = Forbidden(vec![
        ("the secret", SECRET.to_owned()),
        ("the refresh secret", REFRESH_SECRET.to_owned()),
        ("a password", PASSWORD.to_owned()),
        ("a password", WRONG_PASSWORD.to_owned()),
    ]);
    let mut server = RedisOptions::new().password(PASSWORD).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = format!("file:{}", folder.path().join("sessions.db").display());
    for url in ["memory:", &file, &server.url()] {
        busy(&auth_at(url, &clock), &clock, &mut forbidden).await;
    }

    // Failures of URLs with a password: a server that rejects it, no server, a stopped server.
    let living = auth_at(&server.url(), &clock);
    let pair = living.login(Login::new(Subject::new("alice").unwrap())).await.unwrap();
    let token = pair.refresh_token.expose();
    forbidden.token(token);
    let refused = server.url().replace(PASSWORD, WRONG_PASSWORD);
    in_vain(&auth_at(&refused, &clock), token).await;
    let nowhere = format!("redis://:{PASSWORD}@127.0.0.1:1/0");
    in_vain(&auth_at(&nowhere, &clock), token).await;
    let wrong = StoreAddress::new(format!("redis://:{PASSWORD}@no such host:x/0"));
    let error = wrong.open(None).unwrap_err();
    assert!(forbidden.found_in(&format!("{error:?} {error}")).is_empty());
    server.kill();
    in_vain(&living, token).await;
    let lost = Instant::now();
    while !written.text().contains("cannot read the revocation feed") {
        assert!(lost.elapsed() < Duration::from_secs(60), "the failure of the feed was not logged");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let log = written.text();
    let labels: Vec<_> =
        snapshotter.snapshot().into_vec().iter().map(|m| format!("{:?}", m.0)).collect();
    // The expected messages are logged; otherwise the test would prove nothing.
    for expected in [
        "login{",
        "refresh{",
        "logout{",
        "revoke_all{",
        "confirm{",
        "follow_feed{",
        "outcome=\"reused\"",
        "outcome=\"store_error\"",
        "error=\"ERR_SIGNATURE_INVALID\"",
        "error=\"ERR_STORE_UNAVAILABLE\"",
        &format!("session={}", pair.session),
        "refresh token reuse detected, session revoked",
        "Redis cannot be used",
    ] {
        assert!(log.contains(expected), "{expected} was not logged:\n{log}");
    }
    assert!(labels.iter().any(|label| label.contains("regrant_thefts_total")));
    assert!(forbidden.0.len() > 100);
    assert_eq!(forbidden.found_in(&log), [""; 0]);
    assert_eq!(forbidden.found_in(&labels.join("\n")), [""; 0]);
    // A span names no user: only the audit log and what is logged within it may.
    let spans = log.lines().filter(|line| !line.contains("regrant::audit"));
    let naming: Vec<_> = spans.filter(|line| line.contains("alice")).collect();
    assert!(naming.is_empty(), "{naming:#?}");
}
