//! Nothing that a client can repeat grows the feed or the store without limit, and a signed token is
//! enough to deny it where the store has lost its session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, ClientDetails, NewSession, PresentedToken, RefreshPolicy, SessionState,
    TheftScope, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
    StoredSession,
};
use regrant::types::{Clock, RevocationReason, SessionId, Subject};
use regrant::{
    AuditKind, Auth, Error, Login, Logout, LogoutEverywhere, RefreshRequest, Result, SessionStatus,
    TokenPair,
};
use serde_json::json;
use tokio::sync::Notify;

use super::faults::{Shared, delegate, flaky_world};
use super::feed::processes;
use super::{World, alice, assert_code, next, settle};

const REASON: RevocationReason = RevocationReason::Administrative;

/// Everything by which a client can revoke, once.
async fn revoke_all_ways(auth: &Auth, pairs: &[TokenPair], here: SessionId) {
    for pair in pairs {
        auth.logout(pair.refresh_token.expose()).await.unwrap();
        auth.revoke_session(&alice(), &pair.session, REASON).await.unwrap();
    }
    auth.logout_everywhere(LogoutEverywhere::new(alice()).except(here)).await.unwrap();
}

#[tokio::test]
async fn a_revocation_that_was_published_is_not_published_again() {
    let (here, there, common) = processes();
    let (mut pairs, kept) = (Vec::new(), here.login().await);
    for _ in 0..10 {
        pairs.push(here.login().await);
    }
    revoke_all_ways(&here.auth, &pairs, kept.session).await;
    settle().await;
    let published = common.published();
    assert_eq!(published, 12, "10 sessions, and all of the user in two ways");
    for _ in 0..100 {
        revoke_all_ways(&here.auth, &pairs, kept.session).await;
        // Another process has read the feed.
        revoke_all_ways(&there.auth, &pairs, kept.session).await;
    }
    assert_eq!(common.published(), published);
    there.auth.verify(kept.access_token.expose()).unwrap();

    // A moment later nothing is published at once, and what moved is published later.
    here.advance(5);
    revoke_all_ways(&here.auth, &pairs, kept.session).await;
    assert_eq!(common.published(), published);
    here.advance(11);
    let bob = here.auth.login(Login::new(Subject::new("bob").unwrap())).await.unwrap();
    here.auth.logout(bob.refresh_token.expose()).await.unwrap();
    settle().await;
    assert_eq!(common.published(), published + 3);

    // When the access tokens have expired, nothing is left to publish but the cut-off times.
    here.advance(1300);
    for _ in 0..100 {
        revoke_all_ways(&here.auth, &pairs, kept.session).await;
    }
    settle().await;
    assert_eq!(common.published(), published + 5);
}

#[tokio::test]
async fn a_revocation_that_could_not_be_published_is_published_by_the_next_attempt() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    common.cut(true);
    assert_code(here.auth.logout(pair.refresh_token.expose()).await, "ERR_STORE_UNAVAILABLE");
    // Later than any access token lives by the record; this process knows better.
    here.advance(60);
    common.cut(false);
    for _ in 0..3 {
        assert!(!here.auth.logout(pair.refresh_token.expose()).await.unwrap());
    }
    assert_eq!(common.published(), 1);
    settle().await;
    assert_code(there.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
}

/// A user who logs in and out without end.
#[tokio::test]
async fn a_user_has_a_limited_number_of_entries() {
    let (here, there, common) = processes();
    let kept = there.login().await;
    let logout = async || {
        let pair = here.login().await;
        let answer = here.auth.logout(pair.refresh_token.expose()).await;
        assert_code(here.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
        assert_code(here.refresh(pair.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
        answer
    };
    for _ in 0..1000 {
        assert!(logout().await.unwrap());
    }
    here.advance(100);
    for _ in 0..300 {
        // Not acknowledged, so nothing is forgotten.
        let error = assert_code(logout().await, "ERR_TOO_MANY_ATTEMPTS");
        // Legacy access tokens live for a day.
        assert_eq!(error.retry_after().unwrap().as_secs(), 86_300);
    }
    settle().await;
    assert_eq!(common.published(), 1000);
    // Nobody is signed out, and other users notice nothing.
    there.auth.verify(kept.access_token.expose()).unwrap();
    let bob = here.auth.login(Login::new(Subject::new("bob").unwrap())).await.unwrap();
    assert!(here.auth.logout(bob.refresh_token.expose()).await.unwrap());
    here.advance(86_300);
    assert!(logout().await.unwrap());
}

/// What the feed did not take is repeated, and counts once.
#[tokio::test]
async fn entries_that_were_not_published_do_not_count() {
    let (here, _, common) = processes();
    let lost = here.login().await;
    common.cut(true);
    for _ in 0..1500 {
        let failed = here.auth.logout(lost.refresh_token.expose()).await;
        assert_code(failed, "ERR_STORE_UNAVAILABLE");
    }
    common.cut(false);
    assert!(!here.auth.logout(lost.refresh_token.expose()).await.unwrap());
    assert_eq!(common.published(), 1);
}

/// Where the number of sessions is not limited.
#[tokio::test]
async fn very_many_sessions_of_a_user_are_one_entry() {
    let (here, there, common) =
        super::feed::processes_with(json!({ "refresh": { "maxSessions": false } }));
    let mut sessions = Vec::new();
    for _ in 0..600 {
        sessions.push(here.login().await);
    }
    let kept = here.login().await;
    let everywhere = || LogoutEverywhere::new(alice()).except(kept.session);
    assert_eq!(here.auth.logout_everywhere(everywhere()).await.unwrap(), 600);
    assert_eq!(here.auth.logout_everywhere(everywhere()).await.unwrap(), 0);
    settle().await;
    assert_eq!(common.published(), 1);
    for pair in &sessions {
        assert_code(here.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
        assert_code(there.auth.verify(pair.access_token.expose()), "ERR_TOKEN_EXPIRED");
    }
    // The excepted session refreshes once, even within the same second.
    let renewed = there.refresh(kept.refresh_token.expose()).await.unwrap();
    there.auth.verify(renewed.access_token.expose()).unwrap();
    here.auth.verify(renewed.access_token.expose()).unwrap();
}

/// A session that the store has lost, and a process that issued its tokens.
async fn lost_session(clock: &World) -> TokenPair {
    let elsewhere =
        World::with(json!({}), |builder| builder.clock(Arc::clone(&clock.clock) as Arc<dyn Clock>));
    elsewhere.login().await
}

#[tokio::test]
async fn the_tokens_of_a_session_that_the_store_has_lost_are_denied_everywhere() {
    for way in 0..4 {
        let (here, there, _) = processes();
        let (lost, kept) = (lost_session(&here).await, here.login().await);
        let token = lost.access_token.expose();
        for auth in [&here.auth, &there.auth] {
            auth.verify(token).unwrap();
        }
        let everywhere = LogoutEverywhere::new(alice());
        let code = match way {
            0 => {
                assert!(!here.auth.logout(lost.refresh_token.expose()).await.unwrap());
                "ERR_ACCESS_REVOKED"
            }
            1 => {
                let revoked = here.auth.revoke_session(&alice(), &lost.session, REASON).await;
                assert!(!revoked.unwrap());
                "ERR_ACCESS_REVOKED"
            }
            // Which sessions were lost is not known: the refresh tells.
            2 => {
                here.auth.logout_everywhere(everywhere.except(kept.session)).await.unwrap();
                "ERR_TOKEN_EXPIRED"
            }
            _ => {
                here.auth.logout_everywhere(everywhere).await.unwrap();
                "ERR_TOKEN_EXPIRED"
            }
        };
        settle().await;
        for world in [&here, &there] {
            assert_code(world.auth.verify(token), code);
            let refreshed = world.refresh(lost.refresh_token.expose()).await;
            assert_code(refreshed, "ERR_SESSION_UNKNOWN");
            let kept = world.auth.verify(kept.access_token.expose());
            assert_eq!(kept.is_ok(), way < 3);
            // A login in the same second is not denied.
            let new = world.login().await;
            for auth in [&here.auth, &there.auth] {
                auth.verify(new.access_token.expose()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_user_cannot_deny_the_lost_session_of_another_user() {
    let (here, there, common) = processes();
    let lost = lost_session(&here).await;
    let bob = Subject::new("bob").unwrap();
    here.auth.revoke_session(&bob, &lost.session, REASON).await.unwrap();
    here.auth.logout_everywhere(&bob).await.unwrap();
    settle().await;
    assert!(common.published() > 0);
    for auth in [&here.auth, &there.auth] {
        auth.verify(lost.access_token.expose()).unwrap();
    }
}

#[tokio::test]
async fn a_revocation_that_the_store_cannot_take_denies_here_at_once() {
    for way in 0..3 {
        let (world, store) = flaky_world();
        let pair = world.login().await;
        store.down.store(true, Ordering::SeqCst);
        let failed = match way {
            0 => world.auth.logout(pair.refresh_token.expose()).await.map(drop),
            1 => world.auth.revoke_session(&alice(), &pair.session, REASON).await.map(drop),
            _ => world.auth.logout_everywhere(&alice()).await.map(drop),
        };
        assert_code(failed, "ERR_STORE_UNAVAILABLE");
        assert!(world.auth.verify(pair.access_token.expose()).is_err());
        store.down.store(false, Ordering::SeqCst);
        world.auth.logout(pair.refresh_token.expose()).await.unwrap();
    }
}

/// A user who is told that the logout failed may never try again.
#[tokio::test]
async fn a_revocation_that_the_store_did_not_take_is_repeated() {
    for way in 0..3 {
        let (world, store) = flaky_world();
        let (pair, kept) = (world.login().await, world.login().await);
        store.down.store(true, Ordering::SeqCst);
        let client = ClientDetails::default().address("192.0.2.1");
        for _ in 0..3 {
            let (auth, from) = (&world.auth, client.clone());
            let failed = match way {
                0 => auth
                    .logout(Logout::new(pair.refresh_token.expose()).client(from))
                    .await
                    .map(drop),
                1 => {
                    let session = &pair.session;
                    auth.revoke_session_from(&alice(), session, REASON, from).await.map(drop)
                }
                _ => {
                    let others = LogoutEverywhere::new(alice()).except(kept.session).client(from);
                    auth.logout_everywhere(others).await.map(drop)
                }
            };
            assert_code(failed, "ERR_STORE_UNAVAILABLE");
        }
        world.advance(1);
        store.down.store(false, Ordering::SeqCst);
        // A session that began after the logout is not meant.
        let later = world.login().await;
        eventually("in the store", async || {
            let listed = world.auth.sessions(&alice(), None).await.unwrap();
            let is_live = |id| {
                let info = listed.iter().find(|info| info.id == id).unwrap();
                info.status == SessionStatus::Live
            };
            assert!(is_live(kept.session) && is_live(later.session));
            !is_live(pair.session)
        })
        .await;
        let events = world.events.events().into_iter();
        let revoked = events.filter(|event| matches!(event.kind, AuditKind::Revoked { .. }));
        let clients: Vec<_> = revoked.map(|event| event.client).collect();
        assert_eq!(clients, [Some(client)]);
        world.refresh(kept.refresh_token.expose()).await.unwrap();
        world.refresh(later.refresh_token.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn a_revocation_that_was_not_published_is_published_later() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    common.cut(true);
    assert_code(here.auth.logout(pair.refresh_token.expose()).await, "ERR_STORE_UNAVAILABLE");
    common.cut(false);
    eventually("published", async || common.published() == 1).await;
    settle().await;
    assert_code(there.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn a_theft_that_was_not_published_is_published_later() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    let child = here.refresh(pair.refresh_token.expose()).await.unwrap();
    here.refresh(next(&child)).await.unwrap();
    here.advance(120);
    common.cut(true);
    assert_code(here.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_REUSED");
    assert!(there.auth.verify(child.access_token.expose()).is_ok());
    common.cut(false);
    eventually("published", async || common.published() == 1).await;
    settle().await;
    assert_code(there.auth.verify(child.access_token.expose()), "ERR_ACCESS_REVOKED");
}

/// A memory store of which a part is down: that of the users whose names begin with `down`, or all of it.
#[derive(Debug)]
struct Parts {
    inner: MemoryStore,
    is_all_down: AtomicBool,
    is_part_down: AtomicBool,
    revocations: AtomicUsize,
}

delegate!(Shared<Parts>, |this, call, user| {
    this.0.revocations.fetch_add(1, Ordering::SeqCst);
    let is_in_part = user.as_str().starts_with("down");
    let is_part_down = this.0.is_part_down.load(Ordering::SeqCst);
    if this.0.is_all_down.load(Ordering::SeqCst) || is_in_part && is_part_down {
        return Err(Error::store("cut off"));
    }
    call(&this.0.inner).await
});

#[tokio::test(start_paused = true)]
async fn a_part_of_the_store_that_is_down_delays_no_other_revocation() {
    let plain = World::new(json!({}));
    let clock = Arc::clone(&plain.clock) as Arc<dyn Clock>;
    let store = Arc::new(Parts {
        inner: MemoryStore::with_clock(Arc::clone(&clock)),
        is_all_down: AtomicBool::new(false),
        is_part_down: AtomicBool::new(false),
        revocations: AtomicUsize::new(0),
    });
    let shared = Shared(Arc::clone(&store));
    let world = World::with(json!({}), |builder| builder.store(shared).clock(clock));
    let names = (0..60).map(|number| format!("down-{number}"));
    let users = names.chain((0..10).map(|number| format!("up-{number}")));
    let users: Vec<_> = users.map(|name| Subject::new(name).unwrap()).collect();
    let mut sessions = Vec::new();
    for user in &users {
        let pair = world.auth.login(Login::new(user.clone())).await.unwrap();
        sessions.push((user, pair.session));
    }
    store.is_all_down.store(true, Ordering::SeqCst);
    for (user, session) in &sessions {
        let failed = world.auth.revoke_session(user, session, REASON).await;
        assert_code(failed, "ERR_STORE_UNAVAILABLE");
    }
    store.is_part_down.store(true, Ordering::SeqCst);
    store.is_all_down.store(false, Ordering::SeqCst);
    let is_revoked = async |user: &Subject| {
        let listed = store.inner.list(user).await.unwrap();
        listed.iter().all(|stored| stored.record.state != SessionState::Live)
    };
    eventually("revoked", async || {
        for (user, _) in &sessions[60..] {
            if !is_revoked(user).await {
                return false;
            }
        }
        true
    })
    .await;
    assert!(!is_revoked(sessions[0].0).await);

    // What is done is not repeated.
    store.is_part_down.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let count = store.revocations.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(store.revocations.load(Ordering::SeqCst), count);
    assert!(is_revoked(sessions[0].0).await);
}

/// A memory store that fails from some operation on.
#[derive(Debug)]
struct Failing {
    inner: MemoryStore,
    operations_left: AtomicUsize,
}

delegate!(Shared<Failing>, |this, call| {
    let less = |left: usize| left.checked_sub(1);
    let left = this.0.operations_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    match left {
        Ok(_) => call(&this.0.inner).await,
        Err(_) => Err(Error::store("cut off")),
    }
});

#[tokio::test]
async fn a_theft_revokes_the_sessions_of_all_realms_once_the_store_is_back() {
    let plain = World::new(json!({}));
    let clock = Arc::clone(&plain.clock) as Arc<dyn Clock>;
    let store = Arc::new(Failing {
        inner: MemoryStore::with_clock(Arc::clone(&clock)),
        operations_left: AtomicUsize::new(usize::MAX),
    });
    let app = |mut config: serde_json::Value| {
        config["refresh"] = json!({ "onTheft": "subject" });
        let (store, clock) = (Shared(Arc::clone(&store)), Arc::clone(&clock));
        World::with(config, |builder| builder.store(store).clock(clock))
    };
    let (before, named) = (app(json!({})), app(json!({ "realm": "shop" })));
    let (stolen, other) = (before.login().await, named.login().await);
    let token = stolen.refresh_token.expose();
    let child = named.refresh(token).await.unwrap();
    named.refresh(next(&child)).await.unwrap();
    plain.advance(120);
    // The session is looked for in the realm of the app and found in that without a name.
    store.operations_left.store(2, Ordering::SeqCst);
    assert_code(named.refresh(token).await, "ERR_REFRESH_REUSED");
    assert_code(named.auth.verify(other.access_token.expose()), "ERR_TOKEN_EXPIRED");
    store.operations_left.store(usize::MAX, Ordering::SeqCst);
    eventually("revoked", async || {
        let listed = named.auth.sessions(&alice(), None).await.unwrap();
        listed.iter().all(|info| info.status != SessionStatus::Live)
    })
    .await;
    assert_code(named.refresh(other.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
}

/// Waits until `condition` holds.
async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let since = std::time::Instant::now();
    while !condition().await {
        assert!(since.elapsed() < Duration::from_secs(60), "not {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Counted in this process: the store has no counter here, and is not asked for one.
#[tokio::test]
async fn forged_tokens_are_limited_without_the_store() {
    let (here, ..) = processes();
    let attempt = async |address: &str, code| {
        let request = RefreshRequest::new("forged").address(address);
        assert_code(here.auth.refresh(request).await, code);
    };
    for number in 0..30 {
        // A client may use every address of its network.
        attempt(&format!("2001:db8::{number}"), "ERR_TOKEN_MALFORMED").await;
    }
    attempt("2001:db8::ffff", "ERR_TOO_MANY_ATTEMPTS").await;
    attempt("2001:db8:0:1::1", "ERR_TOKEN_MALFORMED").await;
}

/// A store that does not answer.
#[derive(Debug)]
struct Stuck {
    inner: MemoryStore,
    never: Notify,
}

delegate!(Shared<Stuck>, |this, call| {
    let answer = call(&this.0.inner).await;
    this.0.never.notified().await;
    answer
});

#[tokio::test]
async fn revocations_in_progress_are_limited() {
    let store = Arc::new(Stuck { inner: MemoryStore::new(), never: Notify::new() });
    let shared = Shared(Arc::clone(&store));
    let world =
        World::with(json!({ "refresh": { "maxInFlight": 2 } }), |builder| builder.store(shared));
    let logout = || {
        let auth = world.auth.clone();
        tokio::spawn(async move { auth.logout_everywhere(&alice()).await })
    };
    let calls = [logout(), logout()];
    settle().await;
    assert_code(world.auth.logout_everywhere(&alice()).await, "ERR_STORE_UNAVAILABLE");
    let id = SessionId::from_bytes([1; 16]);
    let revoked = world.auth.revoke_session(&alice(), &id, REASON).await;
    assert_code(revoked, "ERR_STORE_UNAVAILABLE");
    store.never.notify_waiters();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn logins_and_lists_in_progress_are_limited() {
    let store = Arc::new(Stuck { inner: MemoryStore::new(), never: Notify::new() });
    let shared = Shared(Arc::clone(&store));
    let world =
        World::with(json!({ "refresh": { "maxInFlight": 2 } }), |builder| builder.store(shared));
    let start = |which: usize| {
        let auth = world.auth.clone();
        tokio::spawn(async move {
            match which {
                0 => auth.login(Login::new(alice())).await.map(drop),
                _ => auth.sessions(&alice(), None).await.map(drop),
            }
        })
    };
    for which in 0..2 {
        let calls = [start(which), start(which)];
        settle().await;
        assert_code(start(which).await.unwrap(), "ERR_STORE_UNAVAILABLE");
        store.never.notify_waiters();
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
}
