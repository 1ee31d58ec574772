//! Revocations reach other processes through the feed; policies for a stale feed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use regrant::auth::StalePolicy;
use regrant::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed};
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, TheftScope, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
    StoredSession,
};
use regrant::types::{Clock, ManualClock, RevocationReason, SessionId, Subject, Timestamp};
use regrant::{Error, Result};
use serde_json::json;
use tokio::sync::Notify;

use super::faults::delegate;
use super::{World, alice, assert_code, next, settle};

/// A store shared by several processes, with a revocation feed in memory.
#[derive(Debug)]
pub struct Common {
    inner: MemoryStore,
    clock: Arc<ManualClock>,
    published_at: Mutex<Vec<(Revocation, Timestamp)>>,
    news: Notify,
    offline: Mutex<bool>,
    held: Mutex<bool>,
    /// How many answers are due; `None` while all are given.
    silent: Mutex<Option<usize>>,
}

impl Common {
    /// Opens the store for another process.
    pub fn process(self: &Arc<Self>) -> impl SessionStore + use<> {
        Process(Arc::clone(self))
    }

    /// The number of published entries.
    pub fn published(&self) -> usize {
        self.published_at.lock().unwrap().len()
    }

    /// Takes the feed offline, so that reading and publishing fail, or brings it back.
    pub fn cut(&self, offline: bool) {
        *self.offline.lock().unwrap() = offline;
        self.news.notify_waiters();
    }

    /// Stops or resumes reading of published revocations.
    pub fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.news.notify_waiters();
    }

    /// Stops or resumes the answers of the store, which does meanwhile what it is asked for, and publishing.
    pub fn silence(&self, silent: bool) {
        *self.silent.lock().unwrap() = silent.then_some(0);
        self.news.notify_waiters();
    }

    /// Gives one answer of those that are held back.
    pub fn answer_once(&self) {
        if let Some(due) = self.silent.lock().unwrap().as_mut() {
            *due += 1;
        }
        self.news.notify_waiters();
    }

    async fn answer(&self) {
        loop {
            let news = self.news.notified();
            match &mut *self.silent.lock().unwrap() {
                None => return,
                Some(0) => {}
                Some(due) => {
                    *due -= 1;
                    return;
                }
            }
            news.await;
        }
    }
}

#[derive(Debug)]
struct Process(Arc<Common>);

delegate!(
    Process,
    |this, call| {
        let outcome = call(&this.0.inner).await;
        this.0.answer().await;
        outcome
    },
    fn feed(&self) -> Option<&dyn RevocationFeed> {
        Some(self)
    }
);

#[async_trait]
impl RevocationFeed for Process {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        if *self.0.offline.lock().unwrap() {
            return Err(Error::store("cut off"));
        }
        self.0.answer().await;
        let now = self.0.clock.now();
        let entries = revocations.iter().map(|revocation| (revocation.clone(), now));
        self.0.published_at.lock().unwrap().extend(entries);
        self.0.news.notify_waiters();
        Ok(())
    }

    async fn read(&self, cursor: &FeedCursor, _: Duration) -> Result<FeedPage> {
        let from: usize = cursor.0.parse().unwrap_or(0);
        loop {
            if *self.0.offline.lock().unwrap() {
                return Err(Error::store("cut off"));
            }
            let news = self.0.news.notified();
            let entries = self.0.published_at.lock().unwrap()[from..].to_vec();
            let held = *self.0.held.lock().unwrap();
            if !held && (!entries.is_empty() || from == 0 && cursor.0.is_empty()) {
                let next = FeedCursor((from + entries.len()).to_string());
                let (revocations, published_at) = entries.into_iter().unzip();
                return Ok(FeedPage { revocations, published_at, next, complete: true });
            }
            news.await;
        }
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        Ok(Some(self.0.clock.now()))
    }
}

/// Two processes with one store and one clock.
pub fn processes() -> (World, World, Arc<Common>) {
    processes_with(json!({}))
}

/// As [`processes`], with this configuration.
pub fn processes_with(config: serde_json::Value) -> (World, World, Arc<Common>) {
    different_processes([config.clone(), config])
}

/// As [`processes`], each with a configuration of its own.
fn different_processes(configs: [serde_json::Value; 2]) -> (World, World, Arc<Common>) {
    let plain = World::new(json!({}));
    let clock = Arc::clone(&plain.clock);
    let common = Arc::new(Common {
        inner: MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
        clock: Arc::clone(&clock),
        published_at: Mutex::default(),
        news: Notify::new(),
        offline: Mutex::new(false),
        held: Mutex::new(false),
        silent: Mutex::new(None),
    });
    let [here, there] = configs.map(|mut config| {
        config["access"]["legacy"] = true.into();
        let world = World::with(config, |builder| {
            builder.store(Process(Arc::clone(&common))).clock(Arc::clone(&clock) as Arc<dyn Clock>)
        });
        World { clock: Arc::clone(&clock), ..world }
    });
    (here, there, Arc::clone(&common))
}

/// The processes of an app change one after the other.
#[tokio::test]
async fn while_a_realm_is_renamed_its_processes_know_of_each_others_revocations() {
    let config = |more: serde_json::Value| {
        let mut config = json!({ "access": { "audience": "shop" } });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let renamed = config(json!({ "realm": "store", "previousRealms": ["shop"] }));
    let (before, after, _) = different_processes([config(json!({})), renamed]);
    let service = before.auth.issue_access_token(alice(), serde_json::Map::new()).unwrap();
    before.auth.verify(service.token.expose()).unwrap();
    after.auth.logout_everywhere(alice()).await.unwrap();
    settle().await;
    assert_code(before.auth.verify(service.token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn a_logout_is_enforced_in_other_processes() {
    let (here, there, _) = processes();
    let (one, two) = (here.login().await, here.login().await);
    there.auth.verify(one.access_token.expose()).unwrap();
    there.auth.verify(two.access_token.expose()).unwrap();
    // From here on the report of a use has been delivered, so only the feed can deliver a revocation.
    settle().await;
    here.auth.logout(one.refresh_token.expose()).await.unwrap();
    settle().await;
    assert_code(there.auth.verify(one.access_token.expose()), "ERR_ACCESS_REVOKED");
    there.auth.verify(two.access_token.expose()).unwrap();
    here.auth.logout_everywhere(&alice()).await.unwrap();
    settle().await;
    assert_code(there.auth.verify(two.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn an_eviction_is_enforced_in_other_processes() {
    let (here, there, _) = processes();
    let first = here.login().await;
    there.auth.verify(first.access_token.expose()).unwrap();
    settle().await;
    for _ in 0..50 {
        here.advance(1);
        here.login().await;
    }
    settle().await;
    assert_code(there.auth.verify(first.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn a_detected_reuse_is_enforced_in_other_processes() {
    let (here, there, _) = processes();
    let pair = here.login().await;
    let honest = here.refresh(pair.refresh_token.expose()).await.unwrap();
    there.auth.verify(honest.access_token.expose()).unwrap();
    settle().await;
    here.advance(11);
    assert_code(here.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_REUSED");
    settle().await;
    assert_code(there.auth.verify(honest.access_token.expose()), "ERR_ACCESS_REVOKED");
    assert_code(there.refresh(next(&honest)).await, "ERR_SESSION_REVOKED");
}

/// The store has revoked the session, and the answer that said so was lost, or its process died.
#[tokio::test]
async fn a_theft_of_which_nobody_heard_is_enforced_in_other_processes() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    there.auth.verify(pair.access_token.expose()).unwrap();
    settle().await;
    common.inner.revoke(&alice(), &pair.session, RevocationReason::Reused).await.unwrap();
    for _ in 0..3 {
        assert_code(here.refresh(pair.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
    }
    settle().await;
    assert_code(there.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    assert_eq!(common.published(), 1);
}

#[tokio::test]
async fn a_theft_of_which_nobody_heard_ends_all_sessions_where_it_is_to() {
    let config = || json!({ "refresh": { "onTheft": "subject" } });
    let (here, there, common) = different_processes([config(), config()]);
    let (stolen, other) = (here.login().await, here.login().await);
    there.auth.verify(other.access_token.expose()).unwrap();
    settle().await;
    common.inner.revoke_all(&alice(), &SessionFilter::ALL, RevocationReason::Reused).await.unwrap();
    here.advance(1);
    let later = here.login().await;
    assert_code(here.refresh(stolen.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
    settle().await;
    assert_code(there.auth.verify(other.access_token.expose()), "ERR_ACCESS_REVOKED");
    there.auth.verify(later.access_token.expose()).unwrap();
}

#[tokio::test]
async fn a_listener_that_panics_makes_no_process_deaf() {
    let (here, _, common) = processes();
    let clock = Arc::clone(&here.clock) as Arc<dyn Clock>;
    let there = World::with(json!({}), |builder| {
        let builder = builder.store(common.process()).clock(clock);
        builder.on_revoked(|_| panic!("a defect of the app"))
    });
    for _ in 0..2 {
        let pair = here.login().await;
        there.auth.verify(pair.access_token.expose()).unwrap();
        settle().await;
        here.auth.logout(pair.refresh_token.expose()).await.unwrap();
        settle().await;
        assert_code(there.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    }
}

/// The issuer's tokens live longer than those of this process would.
#[tokio::test]
async fn a_revocation_is_remembered_as_long_as_the_tokens_that_were_seen() {
    let (plain, _, common) = processes();
    let [issuer, service] = [json!({ "access": { "ttl": "1h" } }), json!({})].map(|config| {
        let clock = Arc::clone(&plain.clock);
        let world = World::with(config, |builder| {
            builder.store(common.process()).clock(Arc::clone(&clock) as Arc<dyn Clock>)
        });
        World { clock, ..world }
    });
    let pair = issuer.login().await;
    service.auth.verify(pair.access_token.expose()).unwrap();
    settle().await;
    service
        .auth
        .revoke_session(&alice(), &pair.session, RevocationReason::Administrative)
        .await
        .unwrap();
    for _ in 0..50 {
        service.advance(60);
        settle().await;
        assert_code(service.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    }
}

/// How long ago that was is not known.
#[tokio::test]
async fn a_clock_that_is_set_back_makes_a_feed_that_is_not_read_stale() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    settle().await;
    common.cut(true);
    there.clock.set(there.auth_now().minus(Duration::from_secs(600)));
    let closed = there.auth.verify_checked(pair.access_token.expose(), StalePolicy::Reject).await;
    assert_code(closed, "ERR_STORE_UNAVAILABLE");
    assert_eq!(there.auth.feed_lag(), None);
}

#[tokio::test]
async fn a_process_that_starts_later_reads_earlier_revocations() {
    let (here, _, common) = processes();
    let pair = here.login().await;
    here.auth.logout(pair.refresh_token.expose()).await.unwrap();
    let clock = Arc::clone(&here.clock) as Arc<dyn Clock>;
    let later = World::with(json!({}), |b| b.store(Process(common)).clock(clock));
    settle().await;
    assert_code(later.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn an_unpublished_revocation_is_not_acknowledged_and_can_be_repeated() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    there.auth.verify(pair.access_token.expose()).unwrap();
    settle().await;
    common.cut(true);
    assert_code(here.auth.logout(pair.refresh_token.expose()).await, "ERR_STORE_UNAVAILABLE");
    assert_code(here.auth.logout_everywhere(&alice()).await, "ERR_STORE_UNAVAILABLE");
    there.auth.verify(pair.access_token.expose()).unwrap();
    common.cut(false);
    here.auth.logout(pair.refresh_token.expose()).await.unwrap();
    settle().await;
    assert_code(there.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn a_user_cannot_revoke_the_session_of_another_user() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    let bob = Subject::new("bob").unwrap();
    let reason = RevocationReason::Logout;
    assert!(!here.auth.revoke_session(&bob, &pair.session, reason).await.unwrap());
    assert_eq!(common.published(), 1, "the store may have lost a session of this user");
    settle().await;
    for world in [&here, &there] {
        world.auth.verify(pair.access_token.expose()).unwrap();
        world.refresh(pair.refresh_token.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn the_stale_policy_of_a_route_applies_while_the_feed_is_stale() {
    let (here, there, common) = processes();
    let (kept, ended) = (here.login().await, here.login().await);
    settle().await;
    assert_eq!(there.auth.feed_lag(), Some(Duration::ZERO));
    // The feed is fresh: the store is not queried.
    for when in [StalePolicy::Accept, StalePolicy::CheckStore, StalePolicy::Reject] {
        there.auth.verify_checked(kept.access_token.expose(), when).await.unwrap();
    }
    // The feed delivers nothing more, and the session is revoked directly in the store.
    let id = ended.session;
    common.inner.revoke(&alice(), &id, RevocationReason::Logout).await.unwrap();
    there.advance(11);
    assert_eq!(there.auth.feed_lag(), Some(Duration::from_secs(11)));

    let (kept, ended) = (kept.access_token.expose(), ended.access_token.expose());
    there.auth.verify_checked(ended, StalePolicy::Accept).await.unwrap();
    let closed = there.auth.verify_checked(kept, StalePolicy::Reject).await;
    assert_code(closed, "ERR_STORE_UNAVAILABLE");
    there.auth.verify_checked(kept, StalePolicy::CheckStore).await.unwrap();
    let asked = there.auth.verify_checked(ended, StalePolicy::CheckStore).await;
    assert_code(asked, "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn without_a_feed_nothing_is_ever_stale() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    world.advance(600);
    world.auth.verify_checked(pair.access_token.expose(), StalePolicy::Reject).await.unwrap();
    assert_eq!(world.auth.feed_lag(), Some(Duration::ZERO));
}

/// The clock of a process is ahead, so that it believes every revocation to be over.
#[tokio::test]
async fn a_clock_that_was_ahead_forgets_no_revocation() {
    let (here, there, common) = processes();
    let ahead = Arc::new(ManualClock::new(here.clock.now()));
    let third = World::with(json!({}), |builder| {
        builder.store(common.process()).clock(Arc::clone(&ahead) as Arc<dyn Clock>)
    });
    let (pair, bob) = (here.login().await, here.login().await);
    settle().await;
    ahead.advance(Duration::from_secs(100 * 86_400));
    here.auth.logout(pair.refresh_token.expose()).await.unwrap();
    settle().await;
    ahead.set(here.clock.now());
    here.auth.logout(bob.refresh_token.expose()).await.unwrap();
    settle().await;
    for world in [&here, &there, &third] {
        for token in [&pair.access_token, &bob.access_token] {
            assert_code(world.auth.verify(token.expose()), "ERR_ACCESS_REVOKED");
        }
    }
}

/// The clock is ahead while the process reads the feed for the first time, so that what it reads is over by its word.
#[tokio::test]
async fn a_clock_that_was_ahead_at_the_start_forgets_no_revocation() {
    let (here, _, common) = processes();
    let (pair, bob) = (here.login().await, here.login().await);
    here.auth.logout(pair.refresh_token.expose()).await.unwrap();
    let ahead = Arc::new(ManualClock::new(here.clock.now().plus(Duration::from_secs(86_400))));
    let late = World::with(json!({}), |builder| {
        builder.store(common.process()).clock(Arc::clone(&ahead) as Arc<dyn Clock>)
    });
    settle().await;
    ahead.set(here.clock.now());
    // The next read shows that the clock was set back.
    here.auth.logout(bob.refresh_token.expose()).await.unwrap();
    settle().await;
    for token in [&pair.access_token, &bob.access_token] {
        assert_code(late.auth.verify(token.expose()), "ERR_ACCESS_REVOKED");
    }
}

/// The clock of the process that revokes is behind, so that by its word the revocation is over.
#[tokio::test]
async fn a_revocation_by_a_clock_that_is_behind_counts_elsewhere() {
    let (here, there, common) = processes();
    let behind = Arc::new(ManualClock::new(here.clock.now()));
    let third = World::with(json!({}), |builder| {
        builder.store(common.process()).clock(Arc::clone(&behind) as Arc<dyn Clock>)
    });
    let pair = here.login().await;
    settle().await;
    behind.set(behind.now().minus(Duration::from_secs(20 * 86_400)));
    third.auth.revoke_session(&alice(), &pair.session, RevocationReason::Logout).await.unwrap();
    settle().await;
    for world in [&here, &there] {
        assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    }
}
