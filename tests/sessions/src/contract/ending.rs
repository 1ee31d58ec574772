//! Sessions ended on purpose.

use std::collections::BTreeSet;
use std::time::Duration;

use regrant::revocation::RevocationReason;
use regrant::session::{Decision, State};
use regrant::time::Clock;

use super::fixture::{Fixture, HOUR};

pub async fn an_ended_session_stays_ended_for_the_first_reason(at: &Fixture) {
    let session = at.login("alice").await;
    let (first, second) = (RevocationReason::Logout, RevocationReason::Administrative);
    assert!(at.store.revoke(&session.subject, &session.id, first).await.unwrap());
    assert!(!at.store.revoke(&session.subject, &session.id, second).await.unwrap());
    assert_eq!(at.store.revoke_all(&session.subject, second).await.unwrap(), []);
    assert_eq!(at.present(&session, &session.token).await, Decision::Revoked(first));
}

pub async fn every_reason_is_kept_until_the_session_would_have_expired(at: &Fixture) {
    let mut sessions = Vec::new();
    for (reason, _) in RevocationReason::ALL {
        let mut session = at.login("alice").await;
        at.refresh(&mut session).await;
        assert!(at.store.revoke(&session.subject, &session.id, *reason).await.unwrap());
        session.token.claims.expires_at = at.clock.now().plus(HOUR * 100);
        sessions.push((session, *reason));
    }
    at.wait(HOUR * 10 - Duration::from_millis(1));
    for (session, reason) in &sessions {
        assert_eq!(at.record(session).await.unwrap().state, State::Revoked(*reason));
        assert_eq!(at.present(session, &session.token).await, Decision::Revoked(*reason));
    }
    at.wait(Duration::from_millis(1));
    assert_eq!(at.store.list(&sessions[0].0.subject).await.unwrap(), []);
}

pub async fn all_sessions_of_a_user_end_at_once(at: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(at.login("alice").await);
    }
    let mut bob = at.login("bob").await;
    let subject = &sessions[0].subject;
    let (one, all) = (RevocationReason::Logout, RevocationReason::LogoutEverywhere);
    assert!(at.store.revoke(subject, &sessions[0].id, one).await.unwrap());
    let ended: BTreeSet<_> = at.store.revoke_all(subject, all).await.unwrap().into_iter().collect();
    assert_eq!(ended, sessions[1..].iter().map(|session| session.id).collect());
    for session in &sessions[1..] {
        assert_eq!(at.present(session, &session.token).await, Decision::Revoked(all));
    }
    assert_eq!(at.present(&sessions[0], &sessions[0].token).await, Decision::Revoked(one));
    at.refresh(&mut bob).await;
}
