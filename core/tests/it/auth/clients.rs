//! Where logins and refreshes come from: in the list of sessions and in audit events.

use regrant::session::ClientDetails;
use regrant::types::RevocationReason;
use regrant::{
    AuditEvent, AuditKind, Login, Logout, LogoutEverywhere, RefreshRequest, SessionUpdate,
    TokenPair,
};
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

/// Ends sessions in every way, and updates one, from the phone.
async fn revoke_from_the_phone(world: &World) {
    let (one, other) = (login(world).await, login(world).await);
    let update = SessionUpdate::claims(alice(), one.session, serde_json::Map::new());
    assert!(world.auth.update_session(update.client(details(PHONE))).await.unwrap());
    let logout = Logout::new(one.refresh_token.expose()).client(details(PHONE));
    assert!(world.auth.logout(logout).await.unwrap());
    let (auth, reason) = (&world.auth, RevocationReason::Administrative);
    let revoked = auth.revoke_session_from(&alice(), &other.session, reason, details(PHONE)).await;
    assert!(revoked.unwrap());
    login(world).await;
    let everywhere = LogoutEverywhere::new(alice()).client(details(PHONE));
    assert_eq!(world.auth.logout_everywhere(everywhere).await.unwrap(), 1);
}

#[tokio::test]
async fn revocations_and_updates_name_the_client_of_their_request() {
    let world = World::new(json!({ "refresh": { "maxSessions": 2 } }));
    revoke_from_the_phone(&world).await;
    let events: Vec<_> = world.events.events().into_iter().map(|it| (it.kind, it.client)).collect();
    let from_phone =
        |kind: &AuditKind| matches!(kind, AuditKind::Revoked { .. } | AuditKind::ClaimsUpdated);
    let (phone, laptop): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|(kind, _)| from_phone(kind));
    assert_eq!((phone.len(), laptop.len()), (4, 3));
    assert!(phone.iter().all(|(_, client)| *client == Some(details(PHONE))), "{phone:?}");
    // A login revokes the sessions that it displaces.
    for _ in 0..2 {
        login(&world).await;
    }
    world.auth.login(Login::new(alice()).client(details(PHONE))).await.unwrap();
    let AuditEvent { kind, client, .. } = last(&world);
    assert!(matches!(kind, AuditKind::Revoked { .. }), "{kind:?}");
    assert_eq!(client, Some(details(PHONE)));
    // Without a request there is no client.
    world.auth.logout_everywhere(&alice()).await.unwrap();
    assert_eq!(last(&world).client, None);
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
    revoke_from_the_phone(&world).await;
    let recorded = serde_json::to_string(&(
        world.events.events(),
        world.auth.sessions(&alice(), None).await.unwrap(),
    ));
    let recorded = recorded.unwrap();
    for (address, user_agent) in [LAPTOP, PHONE, THIEF] {
        assert!(!recorded.contains(address) && !recorded.contains(user_agent), "{recorded}");
    }
}
