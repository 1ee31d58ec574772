//! The use of access tokens is reported to the store concurrently.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, TheftScope, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
    StoredSession,
};
use regrant::types::{RevocationReason, SessionId, Subject};
use regrant::{Login, Result};
use serde_json::json;
use tokio::sync::{Barrier, Semaphore};

use super::World;
use super::faults::{Shared, delegate};

const CROWD: u32 = 8;

/// A slow store: no request is answered until `CROWD` requests have arrived.
#[derive(Debug)]
struct Slow {
    inner: MemoryStore,
    gathers: AtomicBool,
    crowd: Barrier,
    answered: Semaphore,
}

delegate!(Shared<Slow>, |this, call| {
    if this.0.gathers.load(Ordering::SeqCst) {
        this.0.crowd.wait().await;
        this.0.answered.add_permits(1);
    }
    call(&this.0.inner).await
});

#[tokio::test]
async fn use_reports_are_delivered_concurrently() {
    let store = Arc::new(Slow {
        inner: MemoryStore::new(),
        gathers: AtomicBool::new(false),
        crowd: Barrier::new(CROWD as usize),
        answered: Semaphore::new(0),
    });
    let world = World::with(json!({}), |builder| builder.store(Shared(Arc::clone(&store))));
    let mut pairs = Vec::new();
    for number in 0..CROWD {
        let subject = Subject::new(format!("user-{number}")).unwrap();
        pairs.push(world.auth.login(Login::new(subject)).await.unwrap());
    }
    store.gathers.store(true, Ordering::SeqCst);
    for pair in &pairs {
        world.auth.verify(pair.access_token.expose()).unwrap();
    }
    let all = tokio::time::timeout(Duration::from_secs(60), store.answered.acquire_many(CROWD));
    all.await.expect("the reports were delivered one by one").unwrap().forget();
}
