//! The endpoints of OAuth 2.0. What they have in common with those of JSON is tested there.

use regrant::Login;
use regrant::http::{EndpointResponse, Endpoints, RefreshInput, RequestHead, WebPolicy};
use regrant::types::Subject;
use serde_json::{Value, json};

use super::world::World;

/// The answers of the endpoints to a form.
struct OAuth<'a> {
    world: &'a World,
    web: WebPolicy,
}

impl<'a> OAuth<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, web: WebPolicy::default() }
    }

    fn endpoints(&self) -> Endpoints<'_> {
        Endpoints::new(&self.world.auth, &self.web)
    }

    async fn token(&self, form: &str) -> EndpointResponse {
        let head = RequestHead::new("POST", "/oauth/token");
        self.endpoints().token(&head, form, RefreshInput::default()).await
    }

    async fn refresh(&self, token: &str) -> EndpointResponse {
        self.token(&format!("grant_type=refresh_token&refresh_token={token}")).await
    }

    async fn revoke(&self, token: &str) -> EndpointResponse {
        let head = RequestHead::new("POST", "/oauth/revoke");
        self.endpoints().revoke(&head, &format!("token={token}")).await
    }

    async fn introspect(&self, token: &str) -> EndpointResponse {
        self.endpoints().introspect(&format!("token={token}")).await
    }
}

fn error(response: &EndpointResponse) -> (u16, Value) {
    let body = response.body.clone().unwrap_or_default();
    (response.status, body["error"].clone())
}

fn header<'a>(response: &'a EndpointResponse, name: &str) -> Option<&'a str> {
    let header = response.headers.iter().find(|(known, _)| *known == name);
    header.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_form_with_a_refresh_token_gets_the_next_pair() {
    let world = World::new(false, true).await;
    let oauth = OAuth::new(&world);
    let login = Login::new(Subject::new("erin").unwrap());
    let pair = world.auth.login(login).await.unwrap();
    let response = oauth.refresh(pair.refresh_token.expose()).await;
    let body = response.body.unwrap();
    assert_eq!((response.status, &body["token_type"]), (200, &json!("Bearer")));
    assert!(world.auth.verify(body["access_token"].as_str().unwrap()).is_ok());
    let next = body["refresh_token"].as_str().unwrap();
    assert_eq!(oauth.refresh(next).await.status, 200);
}

#[tokio::test]
async fn a_store_that_is_unavailable_signs_nobody_out() {
    let world = World::new(false, true).await;
    let oauth = OAuth::new(&world);
    let pair = world.auth.login(Login::new(Subject::new("erin").unwrap())).await.unwrap();
    world.cut_off(true);
    let token = pair.refresh_token.expose();
    let response = oauth.refresh(token).await;
    assert_eq!(error(&response), (503, json!("temporarily_unavailable")));
    assert_eq!(header(&response, "Retry-After"), Some("1"));
    assert_eq!(error(&oauth.introspect(token).await).0, 503);
    world.cut_off(false);
    let next = oauth.refresh(token).await.body.unwrap()["refresh_token"].clone();
    world.cut_off(true);
    let response = oauth.revoke(next.as_str().unwrap()).await;
    assert_eq!(error(&response), (503, json!("temporarily_unavailable")));
}

#[tokio::test]
async fn a_bound_session_needs_its_proof_to_be_revoked() {
    let world = World::new(true, true).await;
    let oauth = OAuth::new(&world);
    let filled = world.fill(&json!({ "refresh": "${dpop.refresh}", "access": "${dpop.access}" }));
    for name in ["refresh", "access"] {
        let response = oauth.revoke(filled[name].as_str().unwrap()).await;
        assert_eq!(error(&response), (400, json!("invalid_dpop_proof")), "{name}");
    }
    let response = oauth.refresh(filled["refresh"].as_str().unwrap()).await;
    assert_eq!(error(&response), (400, json!("invalid_dpop_proof")));
    // A service that asks checks the proof of its request itself.
    let response = oauth.introspect(filled["access"].as_str().unwrap()).await;
    let body = response.body.unwrap();
    assert_eq!((&body["active"], &body["token_type"]), (&json!(true), &json!("DPoP")));
    assert!(body["cnf"]["jkt"].is_string());
    assert!(world.sessions_over().await.is_empty());
}

#[tokio::test]
async fn forms_that_are_none_change_nothing() {
    let world = World::new(false, true).await;
    let oauth = OAuth::new(&world);
    let pair = world.auth.login(Login::new(Subject::new("erin").unwrap())).await.unwrap();
    let token = pair.refresh_token.expose();
    let long = "x".repeat(100_000);
    for form in [
        String::new(),
        format!("refresh_token={token}"),
        "grant_type=refresh_token".to_owned(),
        format!("grant_type=refresh_token&grant_type=refresh_token&refresh_token={token}"),
        format!("grant_type=refresh_token&refresh_token={token}&x={long}"),
    ] {
        assert_eq!(error(&oauth.token(&form).await), (400, json!("invalid_request")));
    }
    let form = format!("grant_type=client_credentials&refresh_token={token}");
    assert_eq!(error(&oauth.token(&form).await), (400, json!("unsupported_grant_type")));
    assert_eq!(oauth.refresh(token).await.status, 200);
}

#[tokio::test]
async fn a_token_that_another_tab_has_just_replaced_is_tried_again() {
    let world = World::new(false, true).await;
    let oauth = OAuth::new(&world);
    let pair = world.auth.login(Login::new(Subject::new("erin").unwrap())).await.unwrap();
    let first = oauth.refresh(pair.refresh_token.expose()).await.body.unwrap();
    oauth.refresh(first["refresh_token"].as_str().unwrap()).await;
    let response = oauth.refresh(pair.refresh_token.expose()).await;
    assert_eq!(error(&response), (503, json!("temporarily_unavailable")));
    let inactive = oauth.introspect(pair.refresh_token.expose()).await;
    assert_eq!((inactive.status, inactive.body.unwrap()), (200, json!({ "active": false })));
}
