//! Detection of refresh token reuse.

use regrant::session::{
    AccessTokenUse, Decision, ReuseEvidence, SessionState, TheftScope, TokenId, UseOutcome,
};
use regrant::store::RevocationOutcome;
use regrant::types::{FamilyPosition, RevocationReason};

use super::fixture::{Fixture, MINUTE, Session};

const REVOKED: Decision = Decision::Revoked(RevocationReason::Reused);

/// Brings a session to where this kind of theft can happen, and commits it.
async fn commit(at: &Fixture, session: &mut Session, theft: ReuseEvidence, scope: TheftScope) {
    at.refresh(session).await;
    let stolen = match theft {
        ReuseEvidence::Fork => {
            let mut forged = session.token.clone();
            forged.claims.parent = Some(TokenId::from_bytes([1; 16]));
            forged
        }
        ReuseEvidence::ParentReturned => {
            let parent = session.token.clone();
            at.refresh(session).await;
            at.record_use(session, &session.token, false).await;
            at.wait(MINUTE);
            parent
        }
        ReuseEvidence::DiscardedBranch => {
            let parent = session.token.clone();
            at.refresh(session).await;
            let lost = session.token.clone();
            at.wait(MINUTE);
            session.token = parent;
            at.refresh(session).await;
            lost
        }
        ReuseEvidence::OlderToken => {
            let old = session.token.clone();
            at.refresh(session).await;
            at.refresh(session).await;
            at.wait(MINUTE);
            old
        }
    };
    let answer = at.attempt(session, &stolen.claims, true, scope).await.unwrap();
    assert_eq!(answer.decision, Decision::Reuse(theft));
    assert_eq!(answer.discarded, None);
}

pub async fn each_kind_of_theft_is_detected(at: &Fixture) {
    for theft in ReuseEvidence::ALL {
        let mut session = at.login("alice").await;
        commit(at, &mut session, theft, TheftScope::Session).await;
        let record = at.record(&session).await.unwrap();
        assert_eq!(record.state, SessionState::Revoked(RevocationReason::Reused), "{theft:?}");
        assert_eq!(at.decide(&session, &session.token).await, REVOKED, "{theft:?}");
    }
}

pub async fn theft_revokes_its_session_only(at: &Fixture) {
    let (mut stolen, mut other) = (at.login("alice").await, at.login("alice").await);
    commit(at, &mut stolen, ReuseEvidence::Fork, TheftScope::Session).await;
    assert!(!at.is_live(&stolen).await);
    at.refresh(&mut other).await;
}

pub async fn theft_revokes_all_sessions_of_the_user(at: &Fixture) {
    let mut stolen = at.login("alice").await;
    let (ended, other, mut bob) =
        (at.login("alice").await, at.login("alice").await, at.login("bob").await);
    let logout = RevocationReason::Logout;
    assert_eq!(at.revoke(&ended, logout).await, RevocationOutcome::Revoked);
    commit(at, &mut stolen, ReuseEvidence::OlderToken, TheftScope::Subject).await;
    assert_eq!(at.decide(&stolen, &stolen.token).await, REVOKED);
    assert_eq!(at.decide(&other, &other.token).await, REVOKED);
    assert_eq!(at.decide(&ended, &ended.token).await, Decision::Revoked(logout));
    at.refresh(&mut bob).await;
}

pub async fn a_denied_use_revokes_all_sessions_of_the_user(at: &Fixture) {
    let (stolen, other) = (at.login("alice").await, at.login("alice").await);
    let token_use = AccessTokenUse { family_position: FamilyPosition::default(), denied: true };
    let scope = TheftScope::Subject;
    let answer = at.store.record_use(&stolen.subject, &stolen.id, &token_use, scope).await;
    assert_eq!(answer.unwrap(), Some(UseOutcome::Reuse));
    assert_eq!(at.decide(&stolen, &stolen.token).await, REVOKED);
    assert_eq!(at.decide(&other, &other.token).await, REVOKED);
}
