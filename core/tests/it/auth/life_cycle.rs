//! Log in, verify, refresh, expire.

use std::sync::atomic::Ordering;
use std::time::Duration;

use regrant::session::DeviceLabel;
use regrant::store::StoreWarningCode;
use regrant::types::{FamilyPosition, Subject};
use regrant::{Login, RefreshRequest, Renewal, SessionStatus};
use serde_json::json;

use super::faults::flaky_world;
use super::{World, alice, assert_code, next, settle};

#[tokio::test]
async fn a_login_issues_a_working_pair() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let access = world.auth.verify(pair.access_token.expose()).unwrap();
    assert_eq!(access.subject(), &alice());
    assert_eq!(access.session(), Some(pair.session));
    assert_eq!(access.family_position(), Some(FamilyPosition { generation: 0, branch: 0 }));
    assert_eq!(access.expires_at(), pair.access_expires_at);
    assert_eq!(pair.access_expires_at.since(world.auth_now()), Duration::from_secs(900));
    assert_eq!(pair.refresh_expires_at.since(world.auth_now()), Duration::from_secs(14 * 86_400));
}

#[tokio::test]
async fn an_expired_access_token_is_refreshed() {
    let world = World::new(json!({ "access": { "ttl": "1m" } }));
    let pair = world.login().await;
    world.advance(60);
    let error = assert_code(world.auth.verify(pair.access_token.expose()), "ERR_TOKEN_EXPIRED");
    assert_eq!(error.advice(), regrant::Advice::Refresh);

    let renewed = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(renewed.renewal, Renewal::Rotated);
    assert_eq!(renewed.subject, alice());
    assert_ne!(next(&renewed), pair.refresh_token.expose());
    let access = world.auth.verify(renewed.access_token.expose()).unwrap();
    assert_eq!(access.family_position(), Some(FamilyPosition { generation: 1, branch: 0 }));
    assert_eq!(access.session(), Some(pair.session));
    assert_eq!(world.events(), ["login", "refreshed"]);
}

#[tokio::test]
async fn within_the_grace_period_the_same_child_is_issued_again() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let first = world.refresh(pair.refresh_token.expose()).await.unwrap();
    world.advance(10);
    let again = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(again.renewal, Renewal::Replayed);
    assert_eq!(next(&again), next(&first));
    assert_eq!(again.refresh_expires_at, first.refresh_expires_at);
}

#[tokio::test]
async fn after_the_longer_grace_a_lost_child_gets_another_branch() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let lost = world.refresh(pair.refresh_token.expose()).await.unwrap();
    world.advance(61);
    let second = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(second.renewal, Renewal::Rotated);
    assert_ne!(next(&second), next(&lost));
    let access = world.auth.verify(second.access_token.expose()).unwrap();
    assert_eq!(access.family_position(), Some(FamilyPosition { generation: 1, branch: 1 }));
    world.advance(60);
    world.refresh(next(&second)).await.unwrap();
}

#[tokio::test]
async fn rotation_does_not_extend_the_absolute_lifetime() {
    let world = World::new(json!({ "refresh": { "idleTtl": "2d", "absoluteTtl": "10d" } }));
    let mut token = world.login().await.refresh_token;
    for day in 1..10 {
        world.advance(86_400);
        let renewed = world.refresh(token.expose()).await.unwrap();
        let left = renewed.refresh_expires_at.since(world.auth_now());
        assert_eq!(left, Duration::from_secs(86_400) * 2.min(10 - day));
        token = renewed.refresh_token.unwrap();
    }
    world.advance(86_400);
    assert_code(world.refresh(token.expose()).await, "ERR_REFRESH_EXPIRED");
}

/// Invariant 9: also with rotation off, and also for a token whose own `exp` has passed.
#[tokio::test]
async fn a_session_that_is_refreshed_does_not_idle_out_without_rotation() {
    let world = World::new(json!({ "refresh": { "rotation": false, "idleTtl": "14d" } }));
    let pair = world.login().await;
    for _ in 1..90 {
        world.advance(86_400);
        let renewed = world.refresh(pair.refresh_token.expose()).await.unwrap();
        world.auth.verify(renewed.access_token.expose()).unwrap();
    }
    world.advance(86_400);
    assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_EXPIRED");
    // It does idle out.
    let idle = world.login().await;
    world.advance(14 * 86_400);
    assert_code(world.refresh(idle.refresh_token.expose()).await, "ERR_REFRESH_EXPIRED");

    // The token of a login with rotation, refreshed without.
    let world = World::new(json!({ "refresh": { "idleTtl": "14d" } }));
    let pair = world.login().await;
    for _ in 0..20 {
        world.advance(86_400);
        let request = RefreshRequest::new(pair.refresh_token.expose()).rotate(false);
        let renewed = world.auth.refresh(request).await.unwrap();
        let left = renewed.refresh_expires_at.since(world.auth_now());
        assert_eq!(left, Duration::from_secs(14 * 86_400));
        world.auth.verify(renewed.access_token.expose()).unwrap();
    }
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    for rotation in [true, false] {
        let world = World::new(json!({
            "access": { "ttl": "15m" },
            "refresh": { "idleTtl": "1h", "absoluteTtl": "2h", "rotation": rotation }
        }));
        let pair = world.login().await;
        let end = world.auth_now().plus(Duration::from_secs(7200));
        let mut token = pair.refresh_token.expose().to_owned();
        for wait in [3500, 3000, 600] {
            world.advance(wait);
            let renewed = world.refresh(&token).await.unwrap();
            let ttl = Duration::from_secs(900);
            assert_eq!(renewed.access_expires_at, world.auth_now().plus(ttl).min(end));
            world.auth.verify(renewed.access_token.expose()).unwrap();
            token = renewed.refresh_token.map_or(token, |next| next.expose().to_owned());
        }
    }
}

/// Invariant 8.
#[tokio::test]
async fn a_server_clock_that_was_wrong_signs_nobody_out() {
    const DAY: u64 = 86_400;
    for rotation in [true, false] {
        let world = World::new(json!({ "refresh": { "rotation": rotation } }));
        let pair = world.login().await;
        let mut token = pair.refresh_token.expose().to_owned();
        let refresh = async |token: &mut String| {
            let renewed = world.refresh(token).await.unwrap();
            if let Some(next) = renewed.refresh_token {
                next.expose().clone_into(token);
            }
        };
        world.advance(DAY);
        refresh(&mut token).await;
        let right = world.auth_now();
        // Behind at a refresh.
        world.clock.set(right.minus(Duration::from_secs(20 * DAY)));
        refresh(&mut token).await;
        world.clock.set(right.plus(Duration::from_secs(13 * DAY)));
        refresh(&mut token).await;
        // Ahead, while others log in and list sessions; then corrected.
        let right = world.auth_now();
        world.clock.set(right.plus(Duration::from_secs(100 * DAY)));
        let other = world.login().await;
        assert_eq!(world.auth.sessions(&alice(), None).await.unwrap()[0].id, other.session);
        world.clock.set(right.plus(Duration::from_secs(13 * DAY)));
        refresh(&mut token).await;
    }
}

#[tokio::test]
async fn an_idle_session_expires() {
    let world = World::new(json!({ "refresh": { "idleTtl": "2d" } }));
    let pair = world.login().await;
    world.advance(2 * 86_400);
    assert!(world.auth.sessions(&alice(), None).await.unwrap().is_empty());
    assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_EXPIRED");
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays() {
    let world = World::new(json!({ "refresh": { "rotation": false } }));
    let pair = world.login().await;
    for _ in 0..3 {
        world.advance(3600);
        let renewed = world.refresh(pair.refresh_token.expose()).await.unwrap();
        assert_eq!(renewed.renewal, Renewal::Renewed);
        assert!(renewed.refresh_token.is_none());
        assert_eq!(renewed.refresh_expires_at, pair.refresh_expires_at);
        world.auth.verify(renewed.access_token.expose()).unwrap();
    }
    // A client that can take a new refresh token asks for it.
    let request = RefreshRequest::new(pair.refresh_token.expose()).rotate(true);
    let rotated = world.auth.refresh(request).await.unwrap();
    let mut token = next(&rotated).to_owned();
    // From then on the session rotates, whatever the policy says and the client asks.
    for rotate in [None, Some(false)] {
        world.advance(3600);
        let request = RefreshRequest::new(&token);
        let request = rotate.map_or(request.clone(), |rotate| request.rotate(rotate));
        let renewed = world.auth.refresh(request).await.unwrap();
        assert_eq!(renewed.renewal, Renewal::Rotated);
        token = next(&renewed).to_owned();
    }
}

/// Tab 1 refreshes and its response takes 15 s. Tab 2 refreshes with the same cookie after 12 s and uses
/// its access token. The response to tab 1 arrives last and replaces the cookie.
#[tokio::test]
async fn a_response_slower_than_the_grace_signs_nobody_out() {
    for round in 0..50 {
        let world = World::new(json!({}));
        let pair = world.login().await;
        let slow = world.refresh(pair.refresh_token.expose()).await.unwrap();
        world.advance(12);
        let other_tab = world.refresh(pair.refresh_token.expose()).await.unwrap();
        world.auth.verify(other_tab.access_token.expose()).unwrap();
        settle().await;
        world.advance(3);
        let mut cookie = next(&slow).to_owned();
        for access in [&slow.access_token, &other_tab.access_token] {
            world.auth.verify(access.expose()).unwrap();
            settle().await;
        }
        for _ in 0..3 {
            world.advance(60 + round);
            let renewed = world.refresh(&cookie).await.unwrap();
            world.auth.verify(renewed.access_token.expose()).unwrap();
            settle().await;
            cookie = next(&renewed).to_owned();
        }
    }
}

#[tokio::test]
async fn the_presented_subject_is_compared_and_not_trusted() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let bob = Subject::new("bob").unwrap();
    let request = RefreshRequest::new(pair.refresh_token.expose()).expect_subject(bob);
    assert_code(world.auth.refresh(request).await, "ERR_SUBJECT_MISMATCH");
    let request = RefreshRequest::new(pair.refresh_token.expose()).expect_subject(alice());
    let renewed = world.auth.refresh(request).await.unwrap();
    assert_eq!(renewed.renewal, Renewal::Rotated, "the refused request changed nothing");
}

#[tokio::test]
async fn access_and_refresh_tokens_are_not_interchangeable() {
    let world = World::new(json!({ "access": { "legacy": true, "subjectClaim": "userId" } }));
    let pair = world.login().await;
    assert!(world.auth.verify(pair.refresh_token.expose()).is_err());
    assert_code(world.refresh(pair.access_token.expose()).await, "ERR_TYP_MISMATCH");
    assert_eq!(world.auth.refresh_subject(pair.refresh_token.expose()).await.unwrap(), alice());
}

#[tokio::test]
async fn a_session_lost_by_the_store_is_unknown() {
    let (here, elsewhere) = (World::new(json!({})), World::new(json!({})));
    let pair = elsewhere.login().await;
    assert_code(here.refresh(pair.refresh_token.expose()).await, "ERR_SESSION_UNKNOWN");
}

#[tokio::test]
async fn app_claims_are_carried_and_reserved_claims_are_rejected() {
    let world = World::new(json!({}));
    let claims = json!({ "role": "admin", "__proto__": { "x": 1 } });
    let login = Login::new(alice()).claims(claims.as_object().unwrap().clone());
    let pair = world.auth.login(login).await.unwrap();
    let access = world.auth.verify(pair.access_token.expose()).unwrap();
    assert_eq!(access.claim("role"), Some(&json!("admin")));

    let reserved = json!({ "exp": 1 }).as_object().unwrap().clone();
    let login = Login::new(alice()).claims(reserved.clone());
    assert_code(world.auth.login(login).await, "ERR_ARGUMENT_INVALID");
    assert_eq!(world.auth.sessions(&alice(), None).await.unwrap().len(), 1);
    let request = RefreshRequest::new(pair.refresh_token.expose()).claims(reserved);
    assert_code(world.auth.refresh(request).await, "ERR_ARGUMENT_INVALID");
    let renewed = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(renewed.renewal, Renewal::Rotated, "the refused request changed nothing");
    let access = world.auth.verify(renewed.access_token.expose()).unwrap();
    assert_eq!(access.claim("role"), Some(&json!("admin")), "the session keeps them");
}

#[tokio::test]
async fn sessions_are_listed_newest_first() {
    let world = World::new(json!({}));
    let mut ids = Vec::new();
    for device in ["Chrome on Linux", "아이폰"] {
        let login = Login::new(alice()).device(DeviceLabel::new(device).unwrap());
        let pair = world.auth.login(login).await.unwrap();
        ids.push(pair.session);
        world.advance(60);
        world.refresh(pair.refresh_token.expose()).await.unwrap();
    }
    let sessions = world.auth.sessions(&alice(), Some(&ids[0])).await.unwrap();
    let seen: Vec<_> = sessions.iter().map(|s| (s.id, s.device.as_str(), s.current)).collect();
    assert_eq!(seen, [(ids[1], "아이폰", false), (ids[0], "Chrome on Linux", true)]);
    assert!(sessions.iter().all(|session| session.status == SessionStatus::Live));
    assert!(sessions.iter().all(|session| session.last_refreshed_at > session.created_at));
    let json = serde_json::to_value(&sessions[0]).unwrap();
    assert_eq!(json["state"], "live");
    assert_eq!(json["sessionId"], ids[1].to_string());
}

#[tokio::test]
async fn health_returns_the_report_of_the_store() {
    let world = World::new(json!({}));
    let health = world.auth.health().await;
    assert_eq!((health.store, health.reachable, health.ready), ("memory", true, true));
}

#[tokio::test(start_paused = true)]
async fn health_reports_are_used_for_a_second() {
    let (world, store) = flaky_world();
    assert!(world.auth.health().await.ready);
    store.down.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_millis(999)).await;
    assert!(world.auth.health().await.ready);
    tokio::time::advance(Duration::from_millis(1)).await;
    let health = world.auth.health().await;
    assert!(!health.ready && !health.reachable, "{health:?}");
    assert_eq!(health.warnings[0].code, StoreWarningCode::Unreachable);
}
