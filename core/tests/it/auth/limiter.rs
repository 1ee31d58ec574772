//! The limit of failed refreshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, TheftScope, UseOutcome,
};
use regrant::store::{
    Created, FailureCounter, FailureKey, Failures, MemoryStore, Refreshed, RevokedSession,
    RevokedSessions, SessionFilter, SessionStore, StoredSession,
};
use regrant::types::{RevocationReason, SessionId, Subject};
use regrant::{Error, RefreshRequest, RefreshResponse, Result};
use serde_json::json;

use super::faults::{Shared, delegate};
use super::{World, alice, assert_code, next};

const HERE: &str = "192.0.2.7";

fn world() -> World {
    World::new(json!({ "refresh": { "limiter": { "failures": 3, "window": "1m" } } }))
}

async fn from(world: &World, address: &str, token: &str) -> Result<RefreshResponse> {
    world.auth.refresh(RefreshRequest::new(token).address(address)).await
}

fn retry_after(error: &Error) -> u64 {
    error.retry_after().unwrap().as_secs()
}

#[tokio::test]
async fn forged_tokens_count_against_their_address() {
    let world = world();
    let pair = world.login().await;
    let (head, _) = pair.refresh_token.expose().rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(43));
    for _ in 0..3 {
        assert_code(from(&world, HERE, &forged).await, "ERR_SIGNATURE_INVALID");
    }
    world.advance(20);
    let error = assert_code(from(&world, HERE, "not a token").await, "ERR_TOO_MANY_ATTEMPTS");
    assert_eq!(retry_after(&error), 40);
    assert_eq!((error.http_status(), error.advice()), (429, regrant::Advice::Retry));
    world.advance(10);
    let error = assert_code(from(&world, HERE, &forged).await, "ERR_TOO_MANY_ATTEMPTS");
    assert_eq!(retry_after(&error), 30);
    // Others are not meant, and neither is who shows a good token from the same address.
    assert_code(from(&world, "192.0.2.8", &forged).await, "ERR_SIGNATURE_INVALID");
    from(&world, HERE, pair.refresh_token.expose()).await.unwrap();
    world.advance(30);
    assert_code(from(&world, HERE, &forged).await, "ERR_SIGNATURE_INVALID");
}

#[tokio::test]
async fn invalid_tokens_are_counted_per_subject_without_locking_users_out() {
    let world = world();
    let (phone, laptop) = (world.login().await, world.login().await);
    world.auth.logout(phone.refresh_token.expose()).await.unwrap();
    let dead = phone.refresh_token.expose();
    for number in 0..3 {
        // From wherever they come.
        let answer = from(&world, &format!("192.0.2.{number}"), dead).await;
        assert_code(answer, "ERR_SESSION_REVOKED");
    }
    assert_code(world.refresh(dead).await, "ERR_TOO_MANY_ATTEMPTS");
    assert_code(world.refresh(dead).await, "ERR_TOO_MANY_ATTEMPTS");
    // The same user on another device, again and again.
    let mut token = laptop.refresh_token.expose().to_owned();
    for _ in 0..5 {
        token = next(&world.refresh(&token).await.unwrap()).to_owned();
    }
    // Another dead token of the same user has no failures left.
    world.auth.logout(&token).await.unwrap();
    assert_code(world.refresh(&token).await, "ERR_TOO_MANY_ATTEMPTS");
    world.advance(60);
    assert_code(world.refresh(&token).await, "ERR_SESSION_REVOKED");
}

#[tokio::test]
async fn a_token_presented_with_the_wrong_user_stays_valid() {
    let world = world();
    let pair = world.login().await;
    let as_bob = || {
        let bob = Subject::new("bob").unwrap();
        RefreshRequest::new(pair.refresh_token.expose()).expect_subject(bob)
    };
    for _ in 0..3 {
        assert_code(world.auth.refresh(as_bob()).await, "ERR_SUBJECT_MISMATCH");
    }
    assert_code(world.auth.refresh(as_bob()).await, "ERR_TOO_MANY_ATTEMPTS");
    world.refresh(pair.refresh_token.expose()).await.unwrap();
}

#[tokio::test]
async fn without_an_address_and_without_a_limiter_nothing_is_limited() {
    let world = world();
    for _ in 0..10 {
        assert_code(world.refresh("not a token").await, "ERR_TOKEN_MALFORMED");
    }
    let world = World::new(json!({ "refresh": { "limiter": false } }));
    for _ in 0..40 {
        assert_code(from(&world, HERE, "not a token").await, "ERR_TOKEN_MALFORMED");
    }
}

#[tokio::test]
async fn the_default_limit_is_thirty_failures_per_minute() {
    let world = World::new(json!({}));
    for _ in 0..30 {
        assert_code(from(&world, HERE, "not a token").await, "ERR_TOKEN_MALFORMED");
    }
    let error = assert_code(from(&world, HERE, "not a token").await, "ERR_TOO_MANY_ATTEMPTS");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn failures_of_the_app_are_not_counted() {
    let world = world();
    let pair = world.login().await;
    let wrong = || {
        let claims = json!({ "exp": 1 }).as_object().unwrap().clone();
        RefreshRequest::new(pair.refresh_token.expose()).claims(claims)
    };
    for _ in 0..10 {
        assert_code(world.auth.refresh(wrong()).await, "ERR_ARGUMENT_INVALID");
    }
}

/// Counts how often the store is asked to count.
#[derive(Debug, Default)]
struct Counting {
    inner: MemoryStore,
    counted: AtomicUsize,
}

delegate!(
    Shared<Counting>,
    |this, call| call(&this.0.inner).await,
    fn failures(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }
);

#[async_trait]
impl FailureCounter for Shared<Counting> {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        self.0.counted.fetch_add(1, Ordering::SeqCst);
        self.0.inner.failures().unwrap().count(key, window).await
    }
}

#[tokio::test]
async fn failures_over_the_limit_cost_the_store_nothing() {
    let store = Arc::new(Counting::default());
    let shared = Shared(Arc::clone(&store));
    let world = World::with(json!({}), |builder| builder.store(shared));
    let pair = world.login().await;
    let bob = || Subject::new("bob").unwrap();
    for _ in 0..1000 {
        let request = RefreshRequest::new(pair.refresh_token.expose()).expect_subject(bob());
        assert!(world.auth.refresh(request).await.is_err());
        let address = format!("192.0.2.{}", store.counted.load(Ordering::SeqCst));
        assert!(from(&world, &address, "forged").await.is_err());
    }
    assert_eq!(store.counted.load(Ordering::SeqCst), 31);
    world.refresh(pair.refresh_token.expose()).await.unwrap();
}

/// How often the store is asked for a refresh.
#[derive(Debug, Default)]
struct Asked {
    inner: MemoryStore,
    refreshes: AtomicUsize,
}

delegate!(
    Shared<Asked>,
    |this, call| {
        this.0.refreshes.fetch_add(1, Ordering::SeqCst);
        call(&this.0.inner).await
    },
    fn failures(&self) -> Option<&dyn FailureCounter> {
        self.0.inner.failures()
    }
);

#[tokio::test]
async fn every_dead_token_of_a_user_over_the_limit_stays_away_from_the_store() {
    let store = Arc::new(Asked::default());
    let shared = Shared(Arc::clone(&store));
    let world = World::with(json!({}), |builder| builder.store(shared));
    let (first, second) = (world.login().await, world.login().await);
    world.auth.logout_everywhere(alice()).await.unwrap();
    for _ in 0..31 {
        assert!(world.refresh(first.refresh_token.expose()).await.is_err());
    }
    assert!(world.refresh(second.refresh_token.expose()).await.is_err());
    let before = store.refreshes.load(Ordering::SeqCst);
    for token in [&first, &second] {
        let token = token.refresh_token.expose();
        assert_code(world.refresh(token).await, "ERR_TOO_MANY_ATTEMPTS");
    }
    assert_eq!(store.refreshes.load(Ordering::SeqCst), before);
}
