//! Logout of one session or all, and its effect on their access tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use regrant::types::{RevocationReason, Subject};
use regrant::{Error, SessionStatus};
use serde_json::json;
use sha2::Sha256;

use super::{SECRET, World, alice, assert_code};

#[tokio::test]
async fn logout_revokes_the_session_and_its_access_tokens() {
    let world = World::new(json!({}));
    let (pair, other) = (world.login().await, world.login().await);
    assert!(world.auth.logout(pair.refresh_token.expose()).await.unwrap());
    assert!(
        !world.auth.logout(pair.refresh_token.expose()).await.unwrap(),
        "a repeated logout revokes nothing"
    );

    let refused = world.refresh(pair.refresh_token.expose()).await;
    let error = assert_code(refused, "ERR_SESSION_REVOKED");
    assert!(matches!(error, Error::SessionRevoked { reason: RevocationReason::Logout }));
    assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");

    world.auth.verify(other.access_token.expose()).unwrap();
    world.refresh(other.refresh_token.expose()).await.unwrap();
    assert_eq!(world.events(), ["login", "login", "revoked", "refused", "refreshed"]);
}

#[tokio::test]
async fn logout_everywhere_revokes_all_sessions_of_one_user() {
    let world = World::new(json!({}));
    let pairs = [world.login().await, world.login().await];
    let bob = Subject::new("bob").unwrap();
    let bystander = world.auth.login(regrant::Login::new(bob)).await.unwrap();
    assert_eq!(world.auth.logout_everywhere(&alice()).await.unwrap(), 2);
    for pair in &pairs {
        assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
        assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
    }
    world.auth.verify(bystander.access_token.expose()).unwrap();

    let anew = world.login().await;
    world.auth.verify(anew.access_token.expose()).unwrap();
    let sessions = world.auth.sessions(&alice(), None).await.unwrap();
    assert_eq!(sessions[0].id, anew.session, "live ones first");
    let (reason, ended_at) = (RevocationReason::LogoutEverywhere, world.auth_now());
    let ended = SessionStatus::Revoked { reason, ended_at };
    assert!(sessions[1..].iter().all(|session| session.status == ended));
    let json = serde_json::to_value(&sessions[1]).unwrap();
    assert_eq!((&json["state"], &json["reason"]), (&json!("revoked"), &json!("logout_everywhere")));
    assert_eq!(json["endedAt"], json!(ended_at.as_millis()));
}

#[tokio::test]
async fn logout_everywhere_denies_access_tokens_of_a_legacy_app() {
    let world = World::new(json!({ "access": { "legacy": true, "subjectClaim": "userId" } }));
    let before = sign_like_the_old_app(world.auth_now().as_seconds());
    assert_eq!(world.auth.verify(&before).unwrap().subject(), &alice());
    world.auth.logout_everywhere(&alice()).await.unwrap();
    assert_code(world.auth.verify(&before), "ERR_ACCESS_REVOKED");
    world.advance(1);
    world.auth.verify(&sign_like_the_old_app(world.auth_now().as_seconds())).unwrap();
}

/// `jsonwebtoken.sign({ userId }, SECRET_KEY, { expiresIn: '15m' })` of npm.
pub fn sign_like_the_old_app(iat: i64) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = json!({ "userId": "alice", "iat": iat, "exp": iat + 900 }).to_string();
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    // Signed by hand: the crate jsonwebtoken panics if both of its backends are compiled in.
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&input);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn one_session_is_revoked_by_its_id() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let reason = RevocationReason::Administrative;
    let bob = Subject::new("bob").unwrap();
    assert!(!world.auth.revoke_session(&bob, &pair.session, reason).await.unwrap());
    world.auth.verify(pair.access_token.expose()).unwrap();
    assert!(world.auth.revoke_session(&alice(), &pair.session, reason).await.unwrap());
    assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn an_expired_refresh_token_still_logs_out() {
    let world = World::new(json!({ "refresh": { "idleTtl": "1h", "absoluteTtl": "2h" } }));
    let pair = world.login().await;
    world.advance(3601);
    // It was not live any more, so nobody counts it.
    assert!(!world.auth.logout(pair.refresh_token.expose()).await.unwrap());
    let sessions = world.auth.sessions(&alice(), None).await.unwrap();
    assert!(matches!(sessions[0].status, SessionStatus::Revoked { .. }));
}
