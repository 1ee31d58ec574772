//! The app changes the claims of a session, without a token of it.

use regrant::types::{SessionId, Subject};
use regrant::{Login, RefreshRequest, SessionUpdate};
use serde_json::{Map, Value, json};

use super::feed::processes;
use super::{World, alice, assert_code, next, settle};

fn claims(claims: Value) -> Map<String, Value> {
    match claims {
        Value::Object(claims) => claims,
        other => panic!("{other} is no object"),
    }
}

fn role(world: &World, access_token: &str) -> Value {
    let access = world.auth.verify(access_token).unwrap();
    access.claim("role").cloned().unwrap_or_default()
}

fn update(session: SessionId, role: &str) -> SessionUpdate {
    SessionUpdate::claims(alice(), session, claims(json!({ "role": role })))
}

#[tokio::test]
async fn new_claims_come_with_the_next_refresh_and_stay() {
    for rotation in [true, false] {
        let world = World::new(json!({ "refresh": { "rotation": rotation } }));
        let login = Login::new(alice()).claims(claims(json!({ "role": "admin" })));
        let (pair, other) = (world.auth.login(login).await.unwrap(), world.login().await);
        assert!(world.auth.update_session(update(pair.session, "editor")).await.unwrap());
        assert_eq!(role(&world, pair.access_token.expose()), "admin", "until it is refreshed");
        let token = pair.refresh_token.expose();
        let identity = world.auth.refresh_identity(token).await.unwrap();
        assert_eq!(identity.claims, claims(json!({ "role": "editor" })));
        let mut token = token.to_owned();
        for expected in ["editor", "editor", "reader", "reader"] {
            if expected == "reader" {
                let updated = world.auth.update_session(update(pair.session, expected)).await;
                assert!(updated.unwrap());
            }
            let response = world.refresh(&token).await.unwrap();
            assert_eq!(role(&world, response.access_token.expose()), expected);
            if rotation {
                next(&response).clone_into(&mut token);
            }
            world.advance(3600);
        }
        let response = world.refresh(other.refresh_token.expose()).await.unwrap();
        assert_eq!(role(&world, response.access_token.expose()), Value::Null);
        let updates = world.events().iter().filter(|event| *event == "updated").count();
        assert_eq!(updates, 3);
    }
}

#[tokio::test]
async fn claims_of_a_refresh_replace_those_of_an_update() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    assert!(world.auth.update_session(update(pair.session, "editor")).await.unwrap());
    let request = RefreshRequest::new(pair.refresh_token.expose());
    let request = request.claims(claims(json!({ "role": "admin" })));
    let response = world.auth.refresh(request).await.unwrap();
    assert_eq!(role(&world, response.access_token.expose()), "admin");
    let identity = world.auth.refresh_identity(next(&response)).await.unwrap();
    assert_eq!(identity.claims, claims(json!({ "role": "admin" })));
    let response = world.refresh(next(&response)).await.unwrap();
    assert_eq!(role(&world, response.access_token.expose()), "admin");
}

#[tokio::test]
async fn at_once_the_access_tokens_of_before_must_be_refreshed_in_every_process() {
    let (here, there, _) = processes();
    let pair = here.login().await;
    let token = pair.access_token.expose();
    assert!(there.auth.verify(token).is_ok());
    let at_once = update(pair.session, "reader").at_once();
    assert!(here.auth.update_session(at_once).await.unwrap());
    settle().await;
    for world in [&here, &there] {
        assert_code(world.auth.verify(token), "ERR_TOKEN_EXPIRED");
    }
    // Within the same second.
    let response = there.refresh(pair.refresh_token.expose()).await.unwrap();
    for world in [&here, &there] {
        assert_eq!(role(world, response.access_token.expose()), "reader");
    }
}

/// The refresh has read the session before the update, and answers after it.
#[tokio::test]
async fn a_refresh_in_flight_has_no_old_claims_after_an_update_at_once() {
    let (here, there, common) = processes();
    let pair = here.login().await;
    common.silence(true);
    let refresh = here.refresh(pair.refresh_token.expose());
    tokio::pin!(refresh);
    tokio::select! {
        biased;
        _ = &mut refresh => panic!("it was answered"),
        () = settle() => {}
    }
    here.advance(2);
    let updating = there.auth.update_session(update(pair.session, "reader").at_once());
    common.silence(false);
    assert!(updating.await.unwrap());
    settle().await;
    let stale = refresh.await.unwrap();
    for world in [&here, &there] {
        assert_code(world.auth.verify(stale.access_token.expose()), "ERR_TOKEN_EXPIRED");
    }
    let response = here.refresh(next(&stale)).await.unwrap();
    for world in [&here, &there] {
        assert_eq!(role(world, response.access_token.expose()), "reader");
    }
}

#[tokio::test]
async fn an_update_that_no_refresh_could_issue_is_refused() {
    let world = World::new(json!({ "access": { "maxTokenBytes": 1024 } }));
    let pair = world.login().await;
    for bad in [
        json!({ "sub": "bob" }),
        json!({ "text": "x".repeat(1024) }),
        json!({ "text": "x".repeat(2048) }),
    ] {
        let update = SessionUpdate::claims(alice(), pair.session, claims(bad));
        assert_code(world.auth.update_session(update).await, "ERR_ARGUMENT_INVALID");
    }
    assert!(world.refresh(pair.refresh_token.expose()).await.is_ok());
    assert_eq!(world.events(), ["login", "refreshed"]);
}

#[tokio::test]
async fn sessions_of_others_and_those_that_are_over_are_not_updated() {
    let world = World::new(json!({}));
    let (pair, over) = (world.login().await, world.login().await);
    world.auth.logout(over.refresh_token.expose()).await.unwrap();
    assert!(!world.auth.update_session(update(over.session, "admin")).await.unwrap());
    let bob = Subject::new("bob").unwrap();
    let of_bob = SessionUpdate::claims(bob, pair.session, claims(json!({ "role": "admin" })));
    assert!(!world.auth.update_session(of_bob.at_once()).await.unwrap());
    let response = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(role(&world, response.access_token.expose()), Value::Null);
}

#[tokio::test]
async fn the_longest_updated_claims_fit_into_a_cookie() {
    let world = World::new(json!({}));
    let subject = Subject::new("\"".repeat(255)).unwrap();
    let pair = world.auth.login(Login::new(subject.clone())).await.unwrap();
    let longest = claims(json!({ "text": "\"".repeat((2048 - 11) / 2) }));
    let update = SessionUpdate::claims(subject, pair.session, longest);
    assert!(world.auth.update_session(update).await.unwrap());
    let response = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert!(next(&response).len() < 4000, "{}", next(&response).len());
}
