//! Where logins and refreshes come from: in the list of sessions and in audit events.

use regrant::session::ClientDetails;
use regrant::{AuditEvent, AuditKind, Login, RefreshRequest, TokenPair};
use serde_json::{Value, json};

use super::{World, alice, assert_code, next};

const LAPTOP: (&str, &str) = ("192.0.2.1", "Mozilla/5.0 (X11)");
const PHONE: (&str, &str) = ("2001:db8::7", "Mozilla/5.0 (iPhone)");
const THIEF: (&str, &str) = ("203.0.113.66", "curl/8");

fn details((address, user_agent): (&str, &str)) -> ClientDetails {
    ClientDetails::default().address(address).user_agent(user_agent)
}

async fn login(world: &World) -> TokenPair {
    world.auth.login(Login::new(alice()).client(details(LAPTOP))).await.unwrap()
}

fn refresh<'a>(token: &'a str, (address, user_agent): (&str, &str)) -> RefreshRequest<'a> {
    RefreshRequest::new(token).address(address).user_agent(user_agent)
}

fn last(world: &World) -> AuditEvent {
    world.events.events().pop().unwrap()
}

#[tokio::test]
async fn sessions_are_listed_with_the_clients_of_login_and_latest_refresh() {
    let world = World::new(json!({}));
    let pair = login(&world).await;
    let listed =
        async || serde_json::to_value(&world.auth.sessions(&alice(), None).await.unwrap()[0]);
    let laptop = json!({ "address": LAPTOP.0, "userAgent": LAPTOP.1 });
    let before = listed().await.unwrap();
    assert_eq!((&before["createdFrom"], &before["lastRefreshedFrom"]), (&laptop, &Value::Null));
    world.auth.refresh(refresh(pair.refresh_token.expose(), PHONE)).await.unwrap();
    let after = listed().await.unwrap();
    let phone = json!({ "address": PHONE.0, "userAgent": PHONE.1 });
    assert_eq!((&after["createdFrom"], &after["lastRefreshedFrom"]), (&laptop, &phone));
}

#[tokio::test]
async fn events_name_the_client_of_their_request_and_a_theft_those_before_it() {
    let world = World::new(json!({}));
    let pair = login(&world).await;
    let stolen = pair.refresh_token.expose();
    assert_eq!(last(&world).client, Some(details(LAPTOP)));
    let first = world.auth.refresh(refresh(stolen, PHONE)).await.unwrap();
    assert_eq!(last(&world).client, Some(details(PHONE)));
    let second = world.auth.refresh(refresh(next(&first), PHONE)).await.unwrap();
    let superseded = world.auth.refresh(refresh(stolen, THIEF)).await;
    assert_code(superseded, "ERR_REFRESH_SUPERSEDED");
    assert_eq!(last(&world).client, Some(details(THIEF)));
    world.advance(120);
    assert_code(world.auth.refresh(refresh(stolen, THIEF)).await, "ERR_REFRESH_REUSED");
    let theft = last(&world);
    assert_eq!(theft.client, Some(details(THIEF)));
    let AuditKind::Theft { created_from, last_refreshed_from, .. } = &theft.kind else {
        panic!("{theft:?}");
    };
    assert_eq!(created_from.as_deref(), Some(&details(LAPTOP)));
    assert_eq!(last_refreshed_from.as_deref(), Some(&details(PHONE)));
    let written = serde_json::to_value(&theft).unwrap();
    assert_eq!((&written["address"], &written["userAgent"]), (&json!(THIEF.0), &json!(THIEF.1)));
    assert_eq!(written["lastRefreshedFrom"]["address"], PHONE.0);
    assert_code(world.auth.refresh(refresh(next(&second), PHONE)).await, "ERR_SESSION_REVOKED");
    assert_eq!(last(&world).client, Some(details(PHONE)));
}

#[tokio::test]
async fn nothing_of_clients_is_recorded_where_that_is_off() {
    let world = World::new(json!({ "refresh": { "recordClients": false } }));
    let pair = login(&world).await;
    let stolen = pair.refresh_token.expose();
    let first = world.auth.refresh(refresh(stolen, PHONE)).await.unwrap();
    world.auth.refresh(refresh(next(&first), PHONE)).await.unwrap();
    world.advance(120);
    assert_code(world.auth.refresh(refresh(stolen, THIEF)).await, "ERR_REFRESH_REUSED");
    let recorded = serde_json::to_string(&(
        world.events.events(),
        world.auth.sessions(&alice(), None).await.unwrap(),
    ));
    let recorded = recorded.unwrap();
    for (address, user_agent) in [LAPTOP, PHONE, THIEF] {
        assert!(!recorded.contains(address) && !recorded.contains(user_agent), "{recorded}");
    }
}
