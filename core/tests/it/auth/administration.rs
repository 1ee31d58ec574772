//! `SessionAdmin` lists and revokes sessions without a signing key, alongside the servers.

use std::sync::Arc;
use std::time::Duration;

use regrant::LogoutEverywhere;
use regrant::auth::SessionAdmin;
use regrant::types::{Clock, RevocationReason, SessionId, Subject};

use super::feed::{Common, processes};
use super::{World, alice, assert_code, settle};

const REASON: RevocationReason = RevocationReason::Administrative;

fn admin(common: &Arc<Common>, world: &World) -> SessionAdmin {
    SessionAdmin::new(Arc::new(common.process()), Duration::from_secs(900))
        .clock(Arc::clone(&world.clock) as Arc<dyn Clock>)
}

#[tokio::test]
async fn sessions_revoked_by_the_admin_are_denied_by_the_servers() {
    let (here, there, common) = processes();
    let admin = admin(&common, &here);
    let (one, two) = (here.login().await, there.login().await);
    assert_eq!(admin.sessions(&alice(), Some(&one.session)).await.unwrap().len(), 2);

    let ended = admin.revoke_session(&alice(), &one.session, REASON).await.unwrap();
    assert!(ended.published.is_ok() && ended.already_revoked.is_empty());
    assert_eq!(ended.revoked, [one.session]);
    settle().await;
    for world in [&here, &there] {
        assert_code(world.auth.verify(one.access_token.expose()), "ERR_ACCESS_REVOKED");
        world.auth.verify(two.access_token.expose()).unwrap();
    }
    assert_code(there.refresh(one.refresh_token.expose()).await, "ERR_SESSION_REVOKED");

    let request = LogoutEverywhere::new(alice()).except(two.session);
    let ended = admin.logout_everywhere(request).await.unwrap();
    assert_eq!((ended.revoked, ended.already_revoked), (vec![], vec![one.session]));
    let ended = admin.logout_everywhere(&alice()).await.unwrap();
    assert_eq!(ended.revoked, [two.session]);
}

#[tokio::test]
async fn revoking_an_unknown_session_denies_nothing() {
    let (here, _, common) = processes();
    let pair = here.login().await;
    let admin = admin(&common, &here);
    let bob = Subject::new("bob").unwrap();
    for (subject, session) in [(bob, pair.session), (alice(), SessionId::from_bytes([1; 16]))] {
        let ended = admin.revoke_session(&subject, &session, REASON).await.unwrap();
        assert!(ended.revoked.is_empty() && ended.already_revoked.is_empty());
    }
    settle().await;
    here.auth.verify(pair.access_token.expose()).unwrap();
}

/// The session is revoked nevertheless, and the event would not be emitted again.
#[tokio::test]
async fn a_failure_to_publish_is_reported_and_the_event_is_still_emitted() {
    let (here, _, common) = processes();
    let (one, two) = (here.login().await, here.login().await);
    common.cut(true);
    let ended = admin(&common, &here).revoke_session(&alice(), &one.session, REASON).await.unwrap();
    assert_eq!(ended.revoked, [one.session]);
    assert_code(ended.published, "ERR_STORE_UNAVAILABLE");
    assert_code(here.refresh(one.refresh_token.expose()).await, "ERR_SESSION_REVOKED");

    let outcome = here.auth.revoke_session(&alice(), &two.session, REASON).await;
    assert_code(outcome, "ERR_STORE_UNAVAILABLE");
    assert_eq!(here.events().last().map(String::as_str), Some("revoked"));
}

/// A deny entry that expires before the access token does would let the token pass again.
#[tokio::test]
async fn revocations_are_published_until_access_tokens_expire() {
    let (here, _, common) = processes();
    let short = SessionAdmin::new(Arc::new(common.process()), Duration::from_secs(1))
        .clock(Arc::clone(&here.clock) as Arc<dyn Clock>);
    let long = short.clone().publish_for_at_least(Duration::from_secs(3600));
    let (one, two) = (here.login().await, here.login().await);
    drop(short.revoke_session(&alice(), &one.session, REASON).await.unwrap());
    drop(long.revoke_session(&alice(), &two.session, REASON).await.unwrap());
    here.advance(10);
    let clock = Arc::clone(&here.clock) as Arc<dyn Clock>;
    let later = World::with(serde_json::json!({}), |b| b.store(common.process()).clock(clock));
    settle().await;
    later.auth.verify(one.access_token.expose()).unwrap();
    assert_code(later.auth.verify(two.access_token.expose()), "ERR_ACCESS_REVOKED");
}
