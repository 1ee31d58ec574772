//! The latency, failures and unreplicated writes of the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, TheftScope, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, Replicated, RevokedSession, RevokedSessions, SessionFilter,
    SessionStore, StoredSession,
};
use regrant::types::{Clock, RevocationReason, SessionId, Subject};
use regrant::{Login, Result};
use serde_json::json;

use super::super::faults::{delegate, flaky_world};
use super::super::feed::processes;
use super::super::{World, alice, assert_code, settle};
use super::{Recorded, record};

/// What an app asks before each refresh where a function gives the claims.
#[test]
fn the_claims_of_a_session_are_read_without_the_user_s_other_sessions() {
    record(async |seen| {
        let world = World::new(json!({}));
        let (pair, _) = (world.login().await, world.login().await);
        Recorded::take(&seen);
        world.auth.refresh_identity(pair.refresh_token.expose()).await.unwrap();
        let recorded = Recorded::take(&seen);
        let count = |operation| {
            let name = "regrant_store_operation_seconds";
            let name = format!("{name}{{operation=\"{operation}\",outcome=\"ok\"}}");
            recorded.samples(&name).len()
        };
        assert_eq!((count("find"), count("list")), (1, 0));
    });
}

#[test]
fn store_errors_are_counted_by_operation() {
    record(async |seen| {
        let (world, store) = flaky_world();
        let pair = world.login().await;
        world.refresh(pair.refresh_token.expose()).await.unwrap();
        Recorded::take(&seen);
        store.down.store(true, Ordering::SeqCst);
        world.auth.verify(pair.access_token.expose()).unwrap();
        let failures = [
            world.auth.login(Login::new(alice())).await.map(drop),
            world.refresh(pair.refresh_token.expose()).await.map(drop),
            world.auth.logout(pair.refresh_token.expose()).await.map(drop),
            world.auth.logout_everywhere(&alice()).await.map(drop),
            world.auth.sessions(&alice(), None).await.map(drop),
        ];
        failures
            .into_iter()
            .for_each(|outcome| drop(assert_code(outcome, "ERR_STORE_UNAVAILABLE")));
        settle().await;
        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [
                ("regrant_logins_total{outcome=\"store_error\"}", 1),
                ("regrant_refreshes_total{outcome=\"store_error\"}", 1),
                ("regrant_sightings_dropped_total", 1),
                ("regrant_store_errors_total{operation=\"confirm\"}", 1),
                ("regrant_store_errors_total{operation=\"create\"}", 1),
                ("regrant_store_errors_total{operation=\"list\"}", 1),
                ("regrant_store_errors_total{operation=\"refresh\"}", 1),
                ("regrant_store_errors_total{operation=\"revoke\"}", 1),
                ("regrant_store_errors_total{operation=\"revoke_all\"}", 1),
            ]
        );
        let failed = "regrant_store_operation_seconds{operation=\"refresh\",outcome=\"error\"}";
        assert_eq!(recorded.samples(failed).len(), 1);
    });
}

#[test]
fn feed_read_errors_are_counted() {
    record(async |seen| {
        let (_here, _there, common) = processes();
        settle().await;
        common.cut(true);
        settle().await;
        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [("regrant_store_errors_total{operation=\"read_feed\"}", 2)]
        );
    });
}

/// A store without a reachable replica.
#[derive(Debug)]
struct UnreplicatedStore(MemoryStore);

delegate!(UnreplicatedStore, |this, call| call(&this.0).await.map(StoreResult::unreplicated));

/// A result of the store and its replication status.
trait StoreResult {
    fn unreplicated(self) -> Self;
}

macro_rules! store_results {
    ($($type:ty => $change:expr),+ $(,)?) => {$(
        impl StoreResult for $type {
            fn unreplicated(self) -> Self {
                $change(self)
            }
        }
    )+};
}

store_results! {
    RevokedSession => |result| RevokedSession { replicated: Replicated::No, ..result },
    RevokedSessions => |result| RevokedSessions { replicated: Replicated::No, ..result },
    Created => |result| result,
    Option<Refreshed> => |result| result,
    Option<UseOutcome> => |result| result,
    Vec<StoredSession> => |result| result,
    bool => |result| result,
}

#[test]
fn unreplicated_revocations_are_counted() {
    record(async |seen| {
        let plain = World::new(json!({}));
        let clock = Arc::clone(&plain.clock) as Arc<dyn Clock>;
        let store = UnreplicatedStore(MemoryStore::with_clock(Arc::clone(&clock)));
        let world = World::with(json!({}), |builder| builder.store(store).clock(clock));
        let pair = world.login().await;
        world.auth.logout(pair.refresh_token.expose()).await.unwrap();
        world.auth.logout_everywhere(&alice()).await.unwrap();
        let recorded = Recorded::take(&seen);
        assert!(recorded.counters().contains(&("regrant_revocations_unreplicated_total", 2)));
    });
}
