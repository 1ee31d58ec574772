//! What a login fixes for its session: the app's claims, lifetimes of its own, and "remember me".

use std::time::Duration;

use regrant::{Login, RefreshRequest, TokenPair};
use serde_json::{Map, Value, json};

use super::{World, alice, assert_code, next};

const DAY: u64 = 24 * 3600;

fn object(claims: Value) -> Map<String, Value> {
    match claims {
        Value::Object(claims) => claims,
        other => panic!("{other} is no object"),
    }
}

async fn login(world: &World, change: impl FnOnce(Login) -> Login) -> TokenPair {
    world.auth.login(change(Login::new(alice()))).await.unwrap()
}

fn role(world: &World, access_token: &str) -> Value {
    let access = world.auth.verify(access_token).unwrap();
    access.claim("role").cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_claims_of_a_login_come_back_with_every_refresh() {
    let world = World::new(json!({}));
    let pair = login(&world, |it| it.claims(object(json!({ "role": "editor" })))).await;
    let mut token = pair.refresh_token.expose().to_owned();
    for _ in 0..3 {
        world.advance(3600);
        let response = world.refresh(&token).await.unwrap();
        assert_eq!(role(&world, response.access_token.expose()), "editor");
        next(&response).clone_into(&mut token);
    }
}

#[tokio::test]
async fn claims_of_a_refresh_replace_those_of_the_session() {
    let world = World::new(json!({}));
    let pair = login(&world, |it| it.claims(object(json!({ "role": "editor" })))).await;
    let presented = pair.refresh_token.expose();
    let request = RefreshRequest::new(presented).claims(object(json!({ "role": "admin" })));
    let changed = world.auth.refresh(request).await.unwrap();
    assert_eq!(role(&world, changed.access_token.expose()), "admin");
    let identity = world.auth.refresh_identity(next(&changed)).await.unwrap();
    assert_eq!(identity.claims, object(json!({ "role": "admin" })));
    assert_eq!((identity.subject, identity.session), (alice(), pair.session));
    world.advance(3600);
    let later = world.refresh(next(&changed)).await.unwrap();
    assert_eq!(role(&world, later.access_token.expose()), "admin");
    world.advance(3600);
    let none = RefreshRequest::new(next(&later)).claims(Map::new());
    let none = world.auth.refresh(none).await.unwrap();
    assert_eq!(role(&world, none.access_token.expose()), Value::Null);
}

#[tokio::test]
async fn without_rotation_the_claims_of_the_login_stay() {
    let world = World::new(json!({ "refresh": { "rotation": false } }));
    let pair = login(&world, |it| it.claims(object(json!({ "role": "editor" })))).await;
    let token = pair.refresh_token.expose();
    let request = RefreshRequest::new(token).claims(object(json!({ "role": "admin" })));
    let once = world.auth.refresh(request).await.unwrap();
    assert_eq!(role(&world, once.access_token.expose()), "admin");
    let again = world.refresh(token).await.unwrap();
    assert_eq!(role(&world, again.access_token.expose()), "editor");
}

#[tokio::test]
async fn claims_that_are_too_long_change_nothing() {
    let world = World::new(json!({}));
    let long = object(json!({ "text": "x".repeat(2048) }));
    let refused = world.auth.login(Login::new(alice()).claims(long.clone())).await;
    assert_code(refused, "ERR_ARGUMENT_INVALID");
    assert!(world.auth.sessions(&alice(), None).await.unwrap().is_empty());
    let pair = world.login().await;
    let request = RefreshRequest::new(pair.refresh_token.expose()).claims(long);
    assert_code(world.auth.refresh(request).await, "ERR_ARGUMENT_INVALID");
    assert!(world.refresh(pair.refresh_token.expose()).await.is_ok());
    let fits = object(json!({ "text": "x".repeat(2048 - r#"{"text":""}"#.len()) }));
    login(&world, |it| it.claims(fits)).await;
}

#[tokio::test]
async fn the_longest_subject_and_claims_fit_into_a_cookie() {
    let world = World::new(json!({}));
    let subject = regrant::types::Subject::new("\"".repeat(255)).unwrap();
    let claims = object(json!({ "text": "\"".repeat((2048 - 11) / 2) }));
    let login = Login::new(subject).claims(claims).idle_ttl(Duration::from_secs(30 * DAY));
    let pair = world.auth.login(login.persistent(false)).await.unwrap();
    let mut token = pair.refresh_token.expose().to_owned();
    for _ in 0..2 {
        token = next(&world.refresh(&token).await.unwrap()).to_owned();
        assert!(token.len() < 4000, "{}", token.len());
    }
}

#[tokio::test]
async fn a_session_keeps_its_own_idle_lifetime() {
    let world = World::new(json!({}));
    let long = Duration::from_secs(30 * DAY);
    let pair = login(&world, |it| it.idle_ttl(long)).await;
    world.advance(29 * DAY);
    let response = world.refresh(pair.refresh_token.expose()).await.unwrap();
    world.advance(29 * DAY);
    let response = world.refresh(next(&response)).await.unwrap();
    world.advance(30 * DAY);
    assert_code(world.refresh(next(&response)).await, "ERR_REFRESH_EXPIRED");

    let short = login(&world, |it| it.idle_ttl(Duration::from_secs(3600))).await;
    world.advance(3500);
    let response = world.refresh(short.refresh_token.expose()).await.unwrap();
    world.advance(3600);
    assert_code(world.refresh(next(&response)).await, "ERR_REFRESH_EXPIRED");
}

#[tokio::test]
async fn a_session_keeps_its_own_absolute_lifetime() {
    let world = World::new(json!({}));
    let pair = login(&world, |it| it.absolute_ttl(Duration::from_secs(2 * 3600))).await;
    let end = pair.refresh_expires_at;
    assert_eq!(end.since(world.auth_now()), Duration::from_secs(2 * 3600));
    world.advance(3600);
    let response = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(response.refresh_expires_at, end);
    world.advance(3600);
    assert_code(world.refresh(next(&response)).await, "ERR_REFRESH_EXPIRED");

    // An idle lifetime beyond the absolute one of the policy: both are as long.
    let pair = login(&world, |it| it.idle_ttl(Duration::from_secs(200 * DAY))).await;
    world.advance(199 * DAY);
    assert!(world.refresh(pair.refresh_token.expose()).await.is_ok());
}

#[tokio::test]
async fn lifetimes_that_cannot_be_kept_are_refused() {
    let world = World::new(json!({ "access": { "ttl": "15m" } }));
    let minute = Duration::from_secs(60);
    for login in [
        Login::new(alice()).idle_ttl(minute),
        Login::new(alice()).absolute_ttl(minute),
        Login::new(alice()).idle_ttl(Duration::ZERO),
        Login::new(alice()).idle_ttl(minute * 120).absolute_ttl(minute * 60),
    ] {
        assert_code(world.auth.login(login).await, "ERR_ARGUMENT_INVALID");
    }
    assert!(world.auth.sessions(&alice(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_says_whether_browsers_keep_it() {
    let world = World::new(json!({}));
    for persistent in [true, false] {
        let pair = login(&world, |it| it.persistent(persistent)).await;
        assert_eq!(pair.persistent, persistent);
        let response = world.refresh(pair.refresh_token.expose()).await.unwrap();
        assert_eq!(response.persistent, persistent);
        let response = world.refresh(next(&response)).await.unwrap();
        assert_eq!(response.persistent, persistent);
    }
}
