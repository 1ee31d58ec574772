//! `logout_everywhere` and its restrictions.

use regrant::types::{RevocationReason, Timestamp};
use regrant::{Error, LogoutEverywhere, SessionStatus};
use serde_json::json;

use super::revocation::sign_like_the_old_app;
use super::{World, alice, assert_code};

#[tokio::test]
async fn logout_everywhere_except_keeps_this_session() {
    let world = World::new(json!({}));
    let (here, there) = (world.login().await, world.login().await);
    let here_again = world.refresh(here.refresh_token.expose()).await.unwrap();
    let request = || LogoutEverywhere::new(alice()).except(here.session);
    assert_eq!(world.auth.logout_everywhere(request()).await.unwrap(), 1);
    assert_eq!(
        world.auth.logout_everywhere(request()).await.unwrap(),
        0,
        "a repeated logout revokes nothing"
    );

    for token in [&here.access_token, &here_again.access_token] {
        world.auth.verify(token.expose()).unwrap();
    }
    world.refresh(here_again.refresh_token.unwrap().expose()).await.unwrap();
    assert_code(world.auth.verify(there.access_token.expose()), "ERR_ACCESS_REVOKED");
    let error =
        assert_code(world.refresh(there.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
    assert!(matches!(error, Error::SessionRevoked { reason: RevocationReason::LogoutEverywhere }));
    assert_eq!(world.events(), ["login", "login", "refreshed", "revoked", "refreshed", "refused"]);
}

#[tokio::test]
async fn excepting_a_session_of_another_user_has_no_effect() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let bob = regrant::types::Subject::new("bob").unwrap();
    let other = world.auth.login(regrant::Login::new(bob)).await.unwrap();
    let request = LogoutEverywhere::new(alice()).except(other.session);
    assert_eq!(world.auth.logout_everywhere(request).await.unwrap(), 1);
    assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    world.auth.verify(other.access_token.expose()).unwrap();
}

#[tokio::test]
async fn revoking_before_an_instant_revokes_older_sessions() {
    let world = World::new(json!({ "access": { "legacy": true, "subjectClaim": "userId" } }));
    let old = world.login().await;
    let old_nameless = sign_like_the_old_app(world.auth_now().as_seconds());
    world.advance(60);
    let instant = world.auth_now();
    world.advance(60);
    let young = world.login().await;
    let young_nameless = sign_like_the_old_app(world.auth_now().as_seconds());

    let reason = RevocationReason::Administrative;
    let request = LogoutEverywhere::new(alice()).before(instant).reason(reason);
    assert_eq!(world.auth.logout_everywhere(request).await.unwrap(), 1);
    assert_code(world.auth.verify(old.access_token.expose()), "ERR_ACCESS_REVOKED");
    assert_code(world.auth.verify(&old_nameless), "ERR_ACCESS_REVOKED");
    let error = assert_code(world.refresh(old.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
    assert!(matches!(error, Error::SessionRevoked { reason: RevocationReason::Administrative }));
    world.auth.verify(young.access_token.expose()).unwrap();
    world.auth.verify(&young_nameless).unwrap();
    let sessions = world.auth.sessions(&alice(), Some(&young.session)).await.unwrap();
    let ended_at = world.auth_now();
    assert_eq!(sessions[1].status, SessionStatus::Revoked { reason, ended_at });
}

#[tokio::test]
async fn an_instant_in_the_future_revokes_only_existing_sessions() {
    let world = World::new(json!({ "access": { "legacy": true, "subjectClaim": "userId" } }));
    let pair = world.login().await;
    let far = Timestamp::from_seconds(world.auth_now().as_seconds() + 3600);
    let request = LogoutEverywhere::new(alice()).before(far);
    assert_eq!(world.auth.logout_everywhere(request).await.unwrap(), 1);
    assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    world.advance(60);
    world.auth.verify(world.login().await.access_token.expose()).unwrap();
    world.auth.verify(&sign_like_the_old_app(world.auth_now().as_seconds())).unwrap();
}
