//! A failover to a replica that lacks the last writes.

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
use regrant::{RefreshRequest, Result};
use serde_json::json;

use super::faults::{Shared, delegate};
use super::{World, alice, assert_code};

/// A primary and its replica.
#[derive(Debug)]
struct Pair {
    primary: MemoryStore,
    replica: MemoryStore,
    cut_off: AtomicBool,
    failed_over: AtomicBool,
}

delegate!(Shared<Pair>, |this, call| {
    let Pair { primary, replica, cut_off, failed_over } = &*this.0;
    if failed_over.load(Ordering::SeqCst) {
        return call(replica).await;
    }
    if !cut_off.load(Ordering::SeqCst) {
        call(replica).await?;
    }
    call(primary).await
});

fn world() -> (World, Arc<Pair>) {
    let plain = World::new(json!({}));
    let clock = Arc::clone(&plain.clock) as Arc<dyn Clock>;
    let store = Arc::new(Pair {
        primary: MemoryStore::with_clock(Arc::clone(&clock)),
        replica: MemoryStore::with_clock(Arc::clone(&clock)),
        cut_off: AtomicBool::new(false),
        failed_over: AtomicBool::new(false),
    });
    let shared = Shared(Arc::clone(&store));
    let world = World::with(json!({}), |builder| builder.store(shared).clock(clock));
    (World { clock: plain.clock, ..world }, store)
}

#[tokio::test]
async fn a_revocation_lost_by_the_store_is_repeated() {
    for rotation in [true, false] {
        let (world, store) = world();
        let (kept, ended) = (world.login().await, world.login().await);
        store.cut_off.store(true, Ordering::SeqCst);
        assert!(world.auth.logout(ended.refresh_token.expose()).await.unwrap());
        store.failed_over.store(true, Ordering::SeqCst);
        let live = async || {
            let sessions = store.replica.list(&alice()).await.unwrap();
            sessions.iter().filter(|stored| stored.record.is_live(world.auth_now())).count()
        };
        assert_eq!(live().await, 2, "the replica has lost the revocation");
        let refused = || world.events().iter().filter(|event| *event == "refused").count();
        let request = || RefreshRequest::new(ended.refresh_token.expose()).rotate(rotation);
        for count in 1..=2 {
            assert_code(world.auth.refresh(request()).await, "ERR_SESSION_REVOKED");
            assert_eq!(refused(), count);
            assert_eq!(live().await, 1);
        }
        world.refresh(kept.refresh_token.expose()).await.unwrap();
    }
}
