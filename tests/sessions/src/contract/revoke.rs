//! Revocation of one session, and of several.

use std::time::Duration;

use regrant::session::{Decision, SessionState};
use regrant::store::RevocationOutcome::{AlreadyRevoked, Revoked};
use regrant::store::SessionFilter;
use regrant::types::{Clock, RevocationReason};

use super::fixture::{Fixture, HOUR, MINUTE};

pub async fn a_revoked_session_keeps_its_first_reason(at: &Fixture) {
    let session = at.login("alice").await;
    let (first, second) = (RevocationReason::Logout, RevocationReason::Administrative);
    let ended_at = at.clock.now();
    assert_eq!(at.revoke(&session, first).await, Revoked);
    at.wait(MINUTE);
    assert_eq!(at.revoke(&session, second).await, AlreadyRevoked { ended_at });
    let answer = at.store.revoke_all(&session.subject, &SessionFilter::ALL, second).await.unwrap();
    assert_eq!((answer.revoked, answer.already_revoked), (vec![], vec![(session.id, ended_at)]));
    assert_eq!(at.decide(&session, &session.token).await, Decision::Revoked(first));
}

pub async fn an_idle_session_is_revoked_and_not_counted_as_live(at: &Fixture) {
    let (one, other) = (at.login("alice").await, at.login("alice").await);
    at.wait(HOUR);
    let live = at.login("alice").await;
    let ended_at = at.clock.now();
    assert_eq!(at.revoke(&one, RevocationReason::Logout).await, AlreadyRevoked { ended_at });
    let reason = RevocationReason::LogoutEverywhere;
    let [revoked, over] = at.revoke_all(&live.subject, SessionFilter::ALL, reason).await;
    assert_eq!((revoked, over), ([live.id].into(), [one.id, other.id].into()));
    assert_eq!(at.record(&other).await.unwrap().state, SessionState::Revoked(reason));
}

pub async fn every_reason_is_kept_until_the_session_would_have_expired(at: &Fixture) {
    let mut sessions = Vec::new();
    for (reason, _) in RevocationReason::ALL {
        let mut session = at.login("alice").await;
        at.refresh(&mut session).await;
        assert_eq!(at.revoke(&session, *reason).await, Revoked);
        session.token.claims.expires_at = at.clock.now().plus(HOUR * 100);
        sessions.push((session, *reason));
    }
    at.wait(HOUR * 10 - Duration::from_millis(1));
    for (session, reason) in &sessions {
        assert_eq!(at.record(session).await.unwrap().state, SessionState::Revoked(*reason));
        assert_eq!(at.decide(session, &session.token).await, Decision::Revoked(*reason));
    }
    at.wait(Duration::from_millis(1));
    assert_eq!(at.store.list(&sessions[0].0.subject).await.unwrap(), []);
}

pub async fn revoke_all_revokes_every_session_of_the_user(at: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(at.login("alice").await);
    }
    let mut bob = at.login("bob").await;
    let subject = &sessions[0].subject;
    let (one, all) = (RevocationReason::Logout, RevocationReason::LogoutEverywhere);
    assert_eq!(at.revoke(&sessions[0], one).await, Revoked);
    let [revoked, already] = at.revoke_all(subject, SessionFilter::ALL, all).await;
    assert_eq!(revoked, sessions[1..].iter().map(|session| session.id).collect());
    assert_eq!(already, [sessions[0].id].into());
    for session in &sessions[1..] {
        assert_eq!(at.decide(session, &session.token).await, Decision::Revoked(all));
    }
    assert_eq!(at.decide(&sessions[0], &sessions[0].token).await, Decision::Revoked(one));
    at.refresh(&mut bob).await;
}

pub async fn revoke_all_spares_the_excepted_session(at: &Fixture) {
    let sessions = [at.login("alice").await, at.login("alice").await, at.login("alice").await];
    let [here, there, elsewhere] = &sessions;
    let which = SessionFilter { except: Some(here.id), ..SessionFilter::ALL };
    let reason = RevocationReason::LogoutEverywhere;
    for (revoked, already) in [(2, 0), (0, 2)] {
        let answer = at.revoke_all(&here.subject, which, reason).await;
        assert_eq!(answer.map(|ids| ids.len()), [revoked, already]);
    }
    assert!(at.is_live(here).await);
    for session in [there, elsewhere] {
        assert_eq!(at.decide(session, &session.token).await, Decision::Revoked(reason));
    }
    // An exception that names a revoked session spares no live one.
    let which = SessionFilter { except: Some(there.id), ..SessionFilter::ALL };
    let [revoked, already] = at.revoke_all(&here.subject, which, reason).await;
    assert_eq!((revoked, already), ([here.id].into(), [elsewhere.id].into()));
}

pub async fn revoke_all_created_before_spares_later_sessions(at: &Fixture) {
    let old = at.login("alice").await;
    at.wait(MINUTE);
    let instant = at.clock.now();
    let young = at.login("alice").await;
    let reason = RevocationReason::Administrative;
    let before = |instant| SessionFilter { created_before: Some(instant), ..SessionFilter::ALL };
    let [revoked, already] = at.revoke_all(&old.subject, before(instant), reason).await;
    assert_eq!((revoked, already), ([old.id].into(), [].into()));
    assert!(at.is_live(&young).await);
    let here = SessionFilter { except: Some(young.id), ..before(instant.plus(MINUTE)) };
    let [revoked, already] = at.revoke_all(&old.subject, here, reason).await;
    assert_eq!((revoked, already), ([].into(), [old.id].into()));
    assert!(at.is_live(&young).await);
    let later = before(instant.plus(Duration::from_millis(1)));
    let [revoked, _] = at.revoke_all(&old.subject, later, reason).await;
    assert_eq!(revoked, [young.id].into());
}
