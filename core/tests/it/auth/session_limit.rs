//! Logins over a user's session limit.

use regrant::types::RevocationReason;
use regrant::{Error, SessionStatus};
use serde_json::json;

use super::{World, alice, assert_code};

#[tokio::test]
async fn an_evicted_session_is_revoked_with_its_reason() {
    let world = World::new(json!({ "refresh": { "maxSessions": 2 } }));
    let (first, second) = (world.login().await, world.login().await);
    world.advance(60);
    let second_again = world.refresh(second.refresh_token.expose()).await.unwrap();
    let third = world.login().await;

    let refused = world.refresh(first.refresh_token.expose()).await;
    let error = assert_code(refused, "ERR_SESSION_REVOKED");
    assert!(matches!(error, Error::SessionRevoked { reason: RevocationReason::Displaced }));
    assert_code(world.auth.verify(first.access_token.expose()), "ERR_ACCESS_REVOKED");
    world.auth.verify(second_again.access_token.expose()).unwrap();
    world.auth.verify(third.access_token.expose()).unwrap();

    assert_eq!(world.events(), ["login", "login", "refreshed", "login", "revoked", "refused"]);
    let event = world.events.events().swap_remove(4);
    assert_eq!(event.session, first.session);
    let event = serde_json::to_value(event).unwrap();
    assert_eq!(event["reason"], json!("displaced"));
    assert_eq!(event.get("replicated"), None, "no replica was queried");
    let sessions = world.auth.sessions(&alice(), None).await.unwrap();
    let ended_at = world.auth_now();
    let reason = RevocationReason::Displaced;
    assert_eq!(sessions[2].status, SessionStatus::Revoked { reason, ended_at });
}

#[tokio::test]
async fn many_logins_keep_at_most_twice_the_session_limit() {
    let world = World::new(json!({}));
    let first = world.login().await;
    for _ in 0..300 {
        world.advance(1);
        world.login().await;
    }
    let sessions = world.auth.sessions(&alice(), None).await.unwrap();
    let live = sessions.iter().filter(|session| session.status == SessionStatus::Live).count();
    assert_eq!((live, sessions.len()), (50, 100));
    assert_code(world.refresh(first.refresh_token.expose()).await, "ERR_SESSION_UNKNOWN");
    assert_code(world.auth.verify(first.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn an_unlimited_session_limit_evicts_nothing() {
    let world = World::new(json!({ "refresh": { "maxSessions": false } }));
    for _ in 0..120 {
        world.login().await;
    }
    let sessions = world.auth.sessions(&alice(), None).await.unwrap();
    assert!(sessions.iter().all(|session| session.status == SessionStatus::Live));
    assert_eq!(sessions.len(), 120);
}
