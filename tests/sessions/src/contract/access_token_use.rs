//! Uses of access tokens.

use regrant::session::{Decision, ReuseEvidence, SessionState, UseOutcome};
use regrant::store::RevocationOutcome;
use regrant::types::RevocationReason;

use super::fixture::{Fixture, GRACE, HOUR, MINUTE};

pub async fn a_use_is_recorded_once(at: &Fixture) {
    let mut session = at.login("alice").await;
    let first = session.token.clone();
    assert_eq!(at.record_use(&session, &first, false).await, Some(UseOutcome::Unchanged));
    at.refresh(&mut session).await;
    let before = at.record(&session).await.unwrap();
    assert_eq!(at.record_use(&session, &session.token, false).await, Some(UseOutcome::ChildInUse));
    assert_eq!(at.record_use(&session, &session.token, false).await, Some(UseOutcome::Unchanged));
    let after = at.record(&session).await.unwrap();
    assert!(after.child.unwrap().used && !before.child.unwrap().used);
    assert_eq!(after.idle_deadline, before.idle_deadline);
    // Within the grace the parent gets the same child; after it, use of the parent is theft.
    at.wait(GRACE);
    assert!(matches!(at.decide(&session, &first).await, Decision::Replay(_)));
    at.wait(MINUTE);
    let theft = Decision::Reuse(ReuseEvidence::ParentReturned);
    assert_eq!(at.decide(&session, &first).await, theft);
}

pub async fn use_of_a_discarded_child_is_theft(at: &Fixture) {
    let session = at.login("alice").await;
    let mut lost = session.clone();
    at.refresh(&mut lost).await;
    at.wait(MINUTE);
    let mut next = session.clone();
    at.refresh(&mut next).await;
    assert_eq!(at.record_use(&session, &next.token, false).await, Some(UseOutcome::ChildInUse));
    // The record detects it, although no deny list named it.
    assert_eq!(at.record_use(&session, &lost.token, false).await, Some(UseOutcome::Reuse));
    let state = at.record(&session).await.unwrap().state;
    assert_eq!(state, SessionState::Revoked(RevocationReason::Reused));
}

pub async fn a_use_in_a_revoked_or_unknown_session_changes_nothing(at: &Fixture) {
    let session = at.login("alice").await;
    let reason = RevocationReason::Administrative;
    assert_eq!(at.revoke(&session, reason).await, RevocationOutcome::Revoked);
    for denied in [false, true] {
        let answer = at.record_use(&session, &session.token, denied).await;
        assert_eq!(answer, Some(UseOutcome::Revoked(reason)));
    }
    at.wait(HOUR * 10);
    assert_eq!(at.record_use(&session, &session.token, true).await, None);
}
