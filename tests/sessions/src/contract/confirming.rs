//! Access tokens seen in use.

use regrant::session::{UseOutcome, Decision, SessionState, Theft};
use regrant::store::RevocationOutcome;
use regrant::types::RevocationReason;

use super::fixture::{Fixture, GRACE, HOUR, MINUTE};

pub async fn a_use_is_noted_once(at: &Fixture) {
    let mut session = at.login("alice").await;
    let first = session.token.clone();
    assert_eq!(at.sight(&session, &first, false).await, Some(UseOutcome::Unchanged));
    at.refresh(&mut session).await;
    let before = at.record(&session).await.unwrap();
    assert_eq!(at.sight(&session, &session.token, false).await, Some(UseOutcome::Confirmed));
    assert_eq!(at.sight(&session, &session.token, false).await, Some(UseOutcome::Unchanged));
    let after = at.record(&session).await.unwrap();
    assert!(after.child.unwrap().used && !before.child.unwrap().used);
    assert_eq!(after.idle_deadline, before.idle_deadline);
    // The parent may repeat itself, but not come back.
    at.wait(GRACE);
    assert!(matches!(at.present(&session, &first).await, Decision::Replay(_)));
    at.wait(MINUTE);
    let theft = Decision::Theft(Theft::ParentReturned);
    assert_eq!(at.present(&session, &first).await, theft);
}

pub async fn an_abandoned_child_in_use_is_a_theft(at: &Fixture) {
    let session = at.login("alice").await;
    let mut lost = session.clone();
    at.refresh(&mut lost).await;
    at.wait(MINUTE);
    let mut next = session.clone();
    at.refresh(&mut next).await;
    assert_eq!(at.sight(&session, &next.token, false).await, Some(UseOutcome::Confirmed));
    // The record remembers, also where no deny list has reached the verifier.
    assert_eq!(at.sight(&session, &lost.token, false).await, Some(UseOutcome::Theft));
    let state = at.record(&session).await.unwrap().state;
    assert_eq!(state, SessionState::Revoked(RevocationReason::Reused));
}

pub async fn a_use_in_an_ended_or_unknown_session(at: &Fixture) {
    let session = at.login("alice").await;
    let reason = RevocationReason::Administrative;
    assert_eq!(at.revoke(&session, reason).await, RevocationOutcome::Revoked);
    for denied in [false, true] {
        let answer = at.sight(&session, &session.token, denied).await;
        assert_eq!(answer, Some(UseOutcome::Revoked(reason)));
    }
    at.wait(HOUR * 10);
    assert_eq!(at.sight(&session, &session.token, true).await, None);
}
