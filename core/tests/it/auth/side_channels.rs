//! Side channels: a response reveals nothing by its cost or wording beyond its error code.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, SessionPolicy, TheftScope,
    TokenSecret, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
    StoredSession,
};
use regrant::types::{Clock, RevocationReason, SessionId, Subject};
use regrant::{ErrorCode, Result};
use serde_json::json;

use super::faults::delegate;
use super::{World, alice, assert_code};

/// A store that counts operations.
#[derive(Debug)]
struct Counted {
    inner: Arc<MemoryStore>,
    questions: Arc<AtomicUsize>,
}

delegate!(Counted, |this, call| {
    this.questions.fetch_add(1, Ordering::SeqCst);
    call(&this.inner).await
});

#[tokio::test]
async fn an_unknown_session_and_a_wrong_token_cost_the_same_store_calls() {
    let elsewhere = World::new(json!({}));
    let clock = Arc::clone(&elsewhere.clock) as Arc<dyn Clock>;
    let inner = Arc::new(MemoryStore::with_clock(Arc::clone(&clock)));
    let questions = Arc::new(AtomicUsize::new(0));
    let store = Counted { inner: Arc::clone(&inner), questions: Arc::clone(&questions) };
    let world = World::with(json!({}), |builder| builder.store(store).clock(clock));

    // Signed with the same secret: the session is unknown, then has another token, then has
    // expired.
    let pair = elsewhere.login().await;
    let asked = async |code| {
        questions.store(0, Ordering::SeqCst);
        assert_code(world.refresh(pair.refresh_token.expose()).await, code);
        questions.load(Ordering::SeqCst)
    };
    assert_eq!(asked("ERR_SESSION_UNKNOWN").await, 1);
    let policy = SessionPolicy::default();
    let new = NewSession {
        id: TokenSecret::from_bytes([1; 32]).id(),
        idle_ttl: policy.idle_ttl,
        absolute_ttl: policy.absolute_ttl,
        device: Default::default(),
        max_sessions: None,
        legacy_login: None,
        client: None,
    };
    inner.create(&alice(), &pair.session, &new).await.unwrap();
    assert_eq!(asked("ERR_REFRESH_REUSED").await, 1);
    assert_eq!(asked("ERR_SESSION_REVOKED").await, 1);
}

#[tokio::test]
async fn every_bad_signature_gets_the_same_error() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    for token in [pair.access_token.expose(), pair.refresh_token.expose()] {
        let (head, signature) = token.rsplit_once('.').unwrap();
        let changed = |place: usize| {
            let mut bytes = signature.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'A' { b'Q' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        };
        // Changed in the first byte, the last byte and all bytes; too short; too long.
        let wrong = [
            changed(0),
            changed(20),
            "A".repeat(43),
            "AAAA".to_owned(),
            "A".repeat(86),
            "A".repeat(684),
        ];
        for signature in wrong {
            let forged = format!("{head}.{signature}");
            let error = match token == pair.access_token.expose() {
                true => world.auth.verify(&forged).unwrap_err(),
                false => world.refresh(&forged).await.unwrap_err(),
            };
            assert_eq!(error.code(), ErrorCode::SignatureInvalid);
            assert_eq!(error.to_string(), "The signature of the token is invalid");
        }
    }
}
