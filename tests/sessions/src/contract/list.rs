//! The list of a user's sessions.

use std::collections::BTreeMap;

use regrant::session::SessionState;
use regrant::store::{RevocationOutcome, SessionFilter};
use regrant::types::{Clock, RevocationReason, Subject};

use super::fixture::{Fixture, HOUR, MINUTE};

pub async fn sessions_are_listed_with_their_records(at: &Fixture) {
    let nobody = Subject::new("nobody").unwrap();
    assert_eq!(at.store.list(&nobody).await.unwrap(), []);
    let ended = at.login("alice").await;
    let begun = at.clock.now();
    at.wait(MINUTE);
    let mut refreshed = at.login("alice").await;
    at.wait(MINUTE);
    at.refresh(&mut refreshed).await;
    let reason = RevocationReason::Logout;
    assert_eq!(at.revoke(&ended, reason).await, RevocationOutcome::Revoked);
    let all: BTreeMap<_, _> = at
        .store
        .list(&ended.subject)
        .await
        .unwrap()
        .into_iter()
        .map(|stored| (stored.id, stored.record))
        .collect();
    assert_eq!(all.len(), 2);
    assert_eq!(all[&ended.id].state, SessionState::Revoked(reason));
    assert_eq!(all[&ended.id].created_at, begun);
    assert_eq!(all[&refreshed.id].created_at, begun.plus(MINUTE));
    assert_eq!(all[&refreshed.id].last_refreshed(), at.clock.now());
    assert_eq!(all[&refreshed.id].expires_at, begun.plus(MINUTE).plus(HOUR * 10));
    assert!(all[&refreshed.id].is_live(at.clock.now()));
}

pub async fn expired_sessions_are_left_out(at: &Fixture) {
    let old = at.login("alice").await;
    at.wait(HOUR);
    let young = at.login("alice").await;
    at.wait(HOUR * 9);
    let listed = at.store.list(&old.subject).await.unwrap();
    assert_eq!(listed.iter().map(|stored| stored.id).collect::<Vec<_>>(), [young.id]);
    let reason = RevocationReason::Logout;
    let [revoked, already] = at.revoke_all(&old.subject, SessionFilter::ALL, reason).await;
    // It has not expired, and was idle for too long.
    assert_eq!((revoked, already), ([].into(), [young.id].into()));
    at.wait(HOUR);
    assert_eq!(at.store.list(&old.subject).await.unwrap(), []);
}
