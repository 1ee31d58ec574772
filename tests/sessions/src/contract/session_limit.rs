//! The limit of sessions per user: which sessions are evicted, and which are deleted.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use regrant::session::{Decision, NewSession, SessionState, TheftScope, TokenSecret};
use regrant::store::RevocationOutcome;
use regrant::types::{Clock, RevocationReason, SessionId, Timestamp};

use super::fixture::{Fixture, HOUR, MINUTE, Session};

const EVICTED: Decision = Decision::Revoked(RevocationReason::Displaced);

/// Limits the number of live sessions.
fn at_most(most: u32) -> impl Fn(&mut NewSession) {
    move |new| new.max_sessions = NonZeroU32::new(most)
}

fn ids<const N: usize>(sessions: [&Session; N]) -> BTreeSet<SessionId> {
    sessions.into_iter().map(|session| session.id).collect()
}

async fn listed(at: &Fixture, session: &Session) -> BTreeSet<SessionId> {
    let all = at.store.list(&session.subject).await.unwrap();
    all.into_iter().map(|stored| stored.id).collect()
}

async fn is_known(at: &Fixture, session: &Session) -> bool {
    at.attempt(session, &session.token.claims, true, TheftScope::Session).await.is_some()
}

pub async fn the_least_recently_refreshed_session_is_evicted(at: &Fixture) {
    let mut first = at.login("alice").await;
    at.wait(MINUTE);
    let second = at.login("alice").await;
    at.wait(MINUTE);
    at.refresh(&mut first).await;
    at.wait(MINUTE);
    let (third, evicted) = at.login_as("alice", at_most(3)).await;
    assert_eq!(evicted, [].into(), "the limit was not reached");
    at.wait(MINUTE);
    let (fourth, evicted) = at.login_as("alice", at_most(3)).await;
    assert_eq!(evicted, ids([&second]));
    assert_eq!(at.decide(&second, &second.token).await, EVICTED);
    let record = at.record(&second).await.unwrap();
    assert_eq!(record.state, SessionState::Revoked(RevocationReason::Displaced));
    assert_eq!(record.idle_deadline, at.clock.now(), "the time of the eviction");
    for session in [&first, &third, &fourth] {
        assert!(at.is_live(session).await);
    }
}

pub async fn on_a_tie_the_older_session_is_evicted(at: &Fixture) {
    let mut older = at.login("alice").await;
    at.wait(MINUTE);
    let mut younger = at.login("alice").await;
    // Both are refreshed at the same instant.
    at.wait(MINUTE);
    at.refresh(&mut younger).await;
    at.refresh(&mut older).await;
    let (_, evicted) = at.login_as("alice", at_most(2)).await;
    assert_eq!(evicted, ids([&older]));
    // Created at the same instant too: the lower id is evicted, here that of the earlier login.
    let [low, high] = [at.login("bob").await, at.login("bob").await];
    assert!(low.id < high.id);
    let (_, evicted) = at.login_as("bob", at_most(2)).await;
    assert_eq!(evicted, ids([&low]));
    // Ids are compared as bytes, not as text.
    for (user, [low, high]) in [("carol", [0x5A, 0x61]), ("dave", [0x7F, 0x80])] {
        for byte in [high, low] {
            at.login_with_id(user, SessionId::from_bytes([byte; 16]), |_| {}).await;
        }
        let (_, evicted) = at.login_as(user, at_most(2)).await;
        assert_eq!(evicted, [SessionId::from_bytes([low; 16])].into(), "{user}");
    }
}

pub async fn only_live_sessions_count(at: &Fixture) {
    let idle = at.login("alice").await;
    at.wait(HOUR);
    let ended = at.login("alice").await;
    assert_eq!(at.revoke(&ended, RevocationReason::Logout).await, RevocationOutcome::Revoked);
    let bob = at.login("bob").await;
    for room in [1, 0] {
        let (session, evicted) = at.login_as("alice", at_most(2)).await;
        assert_eq!(evicted, [].into(), "room for {room} more");
        assert!(at.is_live(&session).await);
    }
    let logout = Decision::Revoked(RevocationReason::Logout);
    assert_eq!(at.decide(&ended, &ended.token).await, logout);
    assert_eq!(at.record(&idle).await.unwrap().state, SessionState::Live, "idled out, not evicted");
    assert!(at.is_live(&bob).await);
}

pub async fn a_lower_limit_evicts_several_at_once(at: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(at.login("alice").await);
        at.wait(MINUTE);
    }
    let (last, evicted) = at.login_as("alice", at_most(2)).await;
    assert_eq!(evicted, sessions[..4].iter().map(|session| session.id).collect());
    // The two most recently ended ones are kept.
    let kept = ids([&sessions[2], &sessions[3], &sessions[4], &last]);
    assert_eq!(listed(at, &last).await, kept);
    assert!(at.is_live(&sessions[4]).await && at.is_live(&last).await);
    assert!(!is_known(at, &sessions[0]).await);
}

pub async fn a_repeated_login_evicts_nobody_else(at: &Fixture) {
    let first = at.login("alice").await;
    at.wait(MINUTE);
    let second = at.login("alice").await;
    at.wait(MINUTE);
    let (third, evicted) = at.login_as("alice", at_most(2)).await;
    assert_eq!(evicted, ids([&first]));
    // The response was lost. The repeated login gets the same sessions.
    at.wait(MINUTE);
    let mut again = at.new_session(&TokenSecret::from_bytes([9; 32]), "another device");
    again.max_sessions = NonZeroU32::new(1);
    let answer = at.store.create(&third.subject, &third.id, &again).await.unwrap();
    assert_eq!(answer.evicted, [first.id]);
    assert_eq!(Some(answer.record), at.record(&third).await);
    assert!(at.is_live(&second).await && at.is_live(&third).await);
}

pub async fn the_most_recently_ended_sessions_are_kept(at: &Fixture) {
    let idle = at.login("alice").await;
    at.wait(HOUR);
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(at.login("alice").await);
    }
    // In another order than they were created.
    for which in [1, 0, 2] {
        at.wait(MINUTE);
        let reason = RevocationReason::Logout;
        assert_eq!(at.revoke(&ended[which], reason).await, RevocationOutcome::Revoked);
    }
    let (here, evicted) = at.login_as("alice", at_most(2)).await;
    assert_eq!(evicted, [].into());
    assert_eq!(listed(at, &here).await, ids([&ended[0], &ended[2], &here]));
    for deleted in [&idle, &ended[1]] {
        assert!(!is_known(at, deleted).await);
        let outcome = at.revoke(deleted, RevocationReason::Logout).await;
        assert_eq!(outcome, RevocationOutcome::Unknown);
    }
    // After further logins there are still two live sessions and two that ended.
    for _ in 0..40 {
        at.wait(MINUTE);
        at.login_as("alice", at_most(2)).await;
    }
    assert_eq!(listed(at, &here).await.len(), 4);
}

pub async fn without_a_limit_nothing_is_deleted(at: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..60 {
        let (session, evicted) = at.login_as("alice", |new| new.max_sessions = None).await;
        assert_eq!(evicted, [].into());
        sessions.push(session);
    }
    for session in &sessions[..30] {
        at.revoke(session, RevocationReason::Logout).await;
    }
    let (last, evicted) = at.login_as("alice", |new| new.max_sessions = None).await;
    assert_eq!((evicted, listed(at, &last).await.len()), ([].into(), 61));
}

pub async fn a_migrated_session_is_not_deleted(at: &Fixture) {
    let began = Timestamp::from_millis(at.clock.now().as_millis() - 1_000);
    let migrate = |new: &mut NewSession| {
        new.max_sessions = None;
        new.legacy_login = Some(began);
    };
    let mut migrated = Vec::new();
    for _ in 0..3 {
        migrated.push(at.login_as("alice", migrate).await.0);
    }
    let record = at.record(&migrated[0]).await.unwrap();
    assert_eq!((record.created_at, record.confirmed_at), (began, at.clock.now()));
    at.revoke(&migrated[0], RevocationReason::Logout).await;
    at.wait(MINUTE);
    // Migrated sessions are evicted like all others, but never deleted, and do not count among the
    // ended sessions that are kept.
    let (first, evicted) = at.login_as("alice", at_most(1)).await;
    assert_eq!(evicted, ids([&migrated[1], &migrated[2]]));
    at.wait(MINUTE);
    let (second, _) = at.login_as("alice", at_most(1)).await;
    at.wait(MINUTE);
    let (third, _) = at.login_as("alice", at_most(1)).await;
    let mut kept = ids([&second, &third]);
    kept.extend(migrated.iter().map(|session| session.id));
    assert_eq!(listed(at, &third).await, kept);
    assert!(!is_known(at, &first).await);
    // Because the record is kept, the legacy token does not start a new session.
    let mut again = at.new_session(&TokenSecret::from_bytes([9; 32]), "");
    migrate(&mut again);
    let answer = at.store.create(&migrated[1].subject, &migrated[1].id, &again).await.unwrap();
    assert_eq!(answer.record.state, SessionState::Revoked(RevocationReason::Displaced));
    at.wait(HOUR * 10);
    assert_eq!(listed(at, &third).await, [].into(), "deleted once expired");
}
