//! While the store is unavailable, no session is revoked and no invalid token is accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, TheftScope, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
    StoredSession,
};
use regrant::types::{Clock, RevocationReason, SessionId, Subject};
use regrant::{Advice, Error, Login, Result};
use serde_json::json;

use super::{World, alice, assert_code, next, settle};

/// A store shared by several `Auth` instances.
#[derive(Debug)]
pub struct Shared<S>(pub Arc<S>);

/// A store that can be made to fail before or after it performs an operation.
#[derive(Debug)]
pub struct Flaky {
    inner: MemoryStore,
    pub down: AtomicBool,
    answers_lost: AtomicBool,
}

impl Flaky {
    fn before(&self) -> Result<()> {
        if self.down.load(Ordering::SeqCst) { Err(Error::store("cut off")) } else { Ok(()) }
    }

    fn after<T>(&self, answer: Result<T>) -> Result<T> {
        if self.answers_lost.load(Ordering::SeqCst) { Err(Error::store("lost")) } else { answer }
    }
}

/// Forwards every operation to a memory store. The body may also ask for the user of the operation.
macro_rules! delegate {
    ($store:ty, |$self_:ident, $call:ident $(, $user:ident)?| $body:expr $(, $more:item)*) => {
        #[async_trait]
        impl SessionStore for $store {
            $($more)*

            async fn create(&self, a: &Subject, b: &SessionId, c: &NewSession) -> Result<Created> {
                $(let $user = a;)?
                let ($self_, $call) = (self, async |s: &MemoryStore| s.create(a, b, c).await);
                $body
            }

            async fn refresh(
                &self,
                a: &Subject,
                b: &SessionId,
                c: &PresentedToken,
                d: &RefreshPolicy,
                e: Option<&regrant::session::ClientDetails>,
            ) -> Result<Option<Refreshed>> {
                $(let $user = a;)?
                let ($self_, $call) =
                    (self, async |s: &MemoryStore| s.refresh(a, b, c, d, e).await);
                $body
            }

            async fn set_claims(&self, a: &Subject, b: &SessionId, c: &str) -> Result<bool> {
                $(let $user = a;)?
                let ($self_, $call) = (self, async |s: &MemoryStore| s.set_claims(a, b, c).await);
                $body
            }

            async fn record_use(
                &self,
                a: &Subject,
                b: &SessionId,
                c: &AccessTokenUse,
                d: TheftScope,
            ) -> Result<Option<UseOutcome>> {
                $(let $user = a;)?
                let ($self_, $call) = (self, async |s: &MemoryStore| s.record_use(a, b, c, d).await);
                $body
            }

            async fn revoke(
                &self,
                a: &Subject,
                b: &SessionId,
                c: RevocationReason,
            ) -> Result<RevokedSession> {
                $(let $user = a;)?
                let ($self_, $call) = (self, async |s: &MemoryStore| s.revoke(a, b, c).await);
                $body
            }

            async fn revoke_all(
                &self,
                a: &Subject,
                b: &SessionFilter,
                c: RevocationReason,
            ) -> Result<RevokedSessions> {
                $(let $user = a;)?
                let ($self_, $call) = (self, async |s: &MemoryStore| s.revoke_all(a, b, c).await);
                $body
            }

            async fn list(&self, a: &Subject) -> Result<Vec<StoredSession>> {
                $(let $user = a;)?
                let ($self_, $call) = (self, async |s: &MemoryStore| s.list(a).await);
                $body
            }
        }
    };
}

pub(crate) use delegate;

delegate!(Shared<MemoryStore>, |this, call| call(&this.0).await);
delegate!(Shared<Flaky>, |this, call| {
    this.0.before()?;
    this.0.after(call(&this.0.inner).await)
});

pub fn flaky_world() -> (World, Arc<Flaky>) {
    flaky_world_with(json!({}))
}

fn flaky_world_with(json: serde_json::Value) -> (World, Arc<Flaky>) {
    let plain = World::new(json!({}));
    let clock = Arc::clone(&plain.clock) as Arc<dyn Clock>;
    let store = Arc::new(Flaky {
        inner: MemoryStore::with_clock(Arc::clone(&clock)),
        down: AtomicBool::new(false),
        answers_lost: AtomicBool::new(false),
    });
    let shared = Shared(Arc::clone(&store));
    let world = World::with(json, |builder| builder.store(shared).clock(clock));
    (World { clock: plain.clock, ..world }, store)
}

#[tokio::test]
async fn during_a_store_outage_verify_works_and_refresh_returns_retry() {
    let (world, store) = flaky_world();
    let (pair, ended) = (world.login().await, world.login().await);
    store.down.store(true, Ordering::SeqCst);
    world.auth.verify(pair.access_token.expose()).unwrap();
    settle().await;
    // Not alice: what the store did not take is repeated.
    let bob = Subject::new("bob").unwrap();
    let outcomes = [
        world.refresh(pair.refresh_token.expose()).await.map(drop),
        world.auth.login(Login::new(alice())).await.map(drop),
        world.auth.logout(ended.refresh_token.expose()).await.map(drop),
        world.auth.logout_everywhere(bob).await.map(drop),
        world.auth.sessions(&alice(), None).await.map(drop),
    ];
    for outcome in outcomes {
        let error = assert_code(outcome, "ERR_STORE_UNAVAILABLE");
        assert_eq!((error.http_status(), error.advice()), (503, Advice::Retry));
    }
    store.down.store(false, Ordering::SeqCst);
    world.refresh(pair.refresh_token.expose()).await.unwrap();
    // Its user has logged out, which this process remembers.
    assert_code(world.refresh(ended.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
}

#[tokio::test]
async fn a_lost_response_is_not_reuse_at_any_retry_time() {
    for wait in [0, 5, 11, 3600, 86_400] {
        let (world, store) = flaky_world();
        let pair = world.login().await;
        store.answers_lost.store(true, Ordering::SeqCst);
        let lost = world.refresh(pair.refresh_token.expose()).await;
        assert_code(lost, "ERR_STORE_UNAVAILABLE");
        store.answers_lost.store(false, Ordering::SeqCst);
        world.advance(wait);
        let renewed = world.refresh(pair.refresh_token.expose()).await.unwrap();
        world.advance(60);
        world.refresh(next(&renewed)).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_use_report_is_sent_again_at_the_next_use() {
    // With and without the cache: a delivered use of a cached token is not reported again.
    for cache in [json!(false), json!(8)] {
        let (world, store) = flaky_world_with(json!({ "access": { "cache": cache } }));
        let pair = world.login().await;
        let honest = world.refresh(pair.refresh_token.expose()).await.unwrap();
        store.down.store(true, Ordering::SeqCst);
        world.auth.verify(honest.access_token.expose()).unwrap();
        settle().await;
        store.down.store(false, Ordering::SeqCst);
        world.auth.verify(honest.access_token.expose()).unwrap();
        settle().await;
        world.advance(11);
        assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_REUSED");
    }
}
