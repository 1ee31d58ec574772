//! Refreshes through `Auth`: any text as a refresh token, and any signed claims.

use std::sync::LazyLock;

use regrant::access::AccessPolicy;
use regrant::session::{NewSession, SessionPolicy, TokenSecret};
use regrant::store::{MemoryStore, SessionStore as _};
use regrant::types::{SessionId, Subject};
use regrant::{Advice, Auth, RefreshRequest, Renewal};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::keys::{self, NOW};
use crate::reference::{base64url, json, jws};

const HEADER: &str = r#"{"alg":"HS256","typ":"rt+jwt"}"#;
const SESSION: [u8; 16] = [7; 16];
const TOKEN: [u8; 32] = [5; 32];

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

/// Input that begins with `{` is claims to be signed; anything else is a token.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let token = match text.strip_prefix('{') {
        Some(_) => jws::sign(HEADER, text, keys::REFRESH_SECRET),
        None => text.to_owned(),
    };
    RUNTIME.block_on(async {
        refresh(&token).await;
        // Let background tasks notice that `Auth` is dropped.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    });
}

async fn refresh(token: &str) {
    let auth = new_auth().await;
    match auth.refresh(RefreshRequest::new(token)).await {
        Ok(renewed) => {
            is_entitled(token);
            assert_eq!(renewed.subject.as_str(), "user");
            assert_eq!(renewed.session.as_bytes(), &SESSION);
            let access = auth.verify(renewed.access_token.expose()).expect("a valid token");
            assert_eq!(access.subject().as_str(), "user");

            let child = renewed.refresh_token.expect("rotation is on");
            assert!(
                auth.verify(child.expose()).is_err(),
                "a refresh token is accepted as an access token"
            );
            let again =
                auth.refresh(RefreshRequest::new(token)).await.expect("a replay is accepted");
            assert_eq!(again.renewal, Renewal::Replayed);
            assert_eq!(again.refresh_token.expect("a token").expose(), child.expose());
            auth.refresh(RefreshRequest::new(child.expose())).await.expect("the child is accepted");
        }
        Err(error) => {
            assert!(
                matches!(error.advice(), Advice::SignIn | Advice::Reject | Advice::Retry),
                "{error:?}"
            );
            auth.refresh(RefreshRequest::new(token)).await.expect_err("rejected and then accepted");
        }
    }
}

/// One session; the fuzzer knows all of it except the signing secret.
async fn new_auth() -> Auth {
    let store = MemoryStore::with_clock(keys::clock());
    let policy = SessionPolicy::default();
    let new = NewSession {
        id: TokenSecret::from_bytes(TOKEN).id(),
        idle_ttl: policy.idle_ttl,
        absolute_ttl: policy.absolute_ttl,
        device: Default::default(),
        max_sessions: policy.max_sessions,
        legacy_login: None,
        client: None,
    };
    let subject = Subject::new("user").expect("a user");
    store.create(&subject, &SessionId::from_bytes(SESSION), &new).await.expect("a session");
    Auth::builder()
        .access_keys(keys::keyring())
        .refresh_keys(keys::refresh_keys())
        .access_policy(AccessPolicy::default())
        .store(store)
        .clock(keys::clock())
        .build()
        .expect("a valid configuration")
}

/// Checks that `token` is signed and could have been issued to the client of the session.
fn is_entitled(token: &str) {
    let parts = jws::split(token).expect("three parts");
    let (input, _) = token.rsplit_once('.').expect("a signature");
    assert!(jws::is_mac(input, &parts.signature, keys::REFRESH_SECRET), "not signed");
    let claims = String::from_utf8(parts.payload).expect("text");
    let claims = json::object(&claims).expect("an object");
    assert_eq!(claims["sub"], "user");
    assert_eq!(claims["sid"], base64url::encode(&SESSION));
    let is_unexpired = || claims["exp"].as_i64().expect("a time") > NOW * 1000;
    let number = |name: &str| claims.get(name).and_then(Value::as_u64).expect("a number");
    let id = TokenSecret::from_bytes(TOKEN).id();
    match number("gen") {
        // The confirmed token, whose session decides when it expires.
        0 => assert_eq!(claims["jti"], base64url::encode(&TOKEN)),
        1 => assert!(is_unexpired() && claims["par"] == base64url::encode(id.as_bytes())),
        // Newer than the record: the store may have lost writes.
        _ => assert!(is_unexpired() && claims.contains_key("par")),
    }
}
