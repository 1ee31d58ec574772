//! The endpoints of OAuth 2.0. What they have in common with those of JSON is tested there.

use std::sync::Arc;
use std::time::Duration;

use regrant::dpop::{PresentedProof, SoftwareKey, UnsignedProof};
use regrant::http::{EndpointResponse, Endpoints, RefreshInput, RequestHead, WebPolicy};
use regrant::types::{Clock, ManualClock, Subject, Timestamp};
use regrant::{Auth, Login, LogoutEverywhere, RefreshRequest};
use serde_json::{Value, json};

use super::world::World;

/// The answers of the endpoints to a form.
struct OAuth<'a> {
    auth: &'a Auth,
    web: WebPolicy,
}

impl<'a> OAuth<'a> {
    fn new(world: &'a World) -> Self {
        Self::of(&world.auth)
    }

    fn of(auth: &'a Auth) -> Self {
        Self { auth, web: WebPolicy::default() }
    }

    fn endpoints(&self) -> Endpoints<'_> {
        Endpoints::new(self.auth, &self.web)
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

/// An app of its own configuration, in memory.
fn app(mut config: Value) -> (Auth, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
    config["secret"] = json!("an access secret of at least 32 bytes");
    config["store"] = json!("memory:");
    let builder = Auth::from_json(&config.to_string()).unwrap();
    (builder.clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap(), clock)
}

fn erin() -> Subject {
    Subject::new("erin").unwrap()
}

#[tokio::test]
async fn an_access_token_that_a_cut_off_time_denies_ends_its_session() {
    let (auth, _) = app(json!({ "refresh": { "maxSessions": 600 } }));
    for _ in 0..501 {
        auth.login(Login::new(erin())).await.unwrap();
    }
    let kept = auth.login(Login::new(erin())).await.unwrap();
    // So many at once are denied by a cut-off time, which covers the session that is kept.
    let others = LogoutEverywhere::new(erin()).except(kept.session);
    assert_eq!(auth.logout_everywhere(others).await.unwrap(), 501);
    let token = kept.access_token.expose();
    // In another process, where the feed tells the cut-off time alone.
    assert_eq!(OAuth::of(&auth).revoke(token).await.status, 200);
    let refreshed = auth.refresh(RefreshRequest::new(kept.refresh_token.expose())).await;
    assert_eq!(refreshed.unwrap_err().code().as_str(), "ERR_SESSION_REVOKED");
}

#[tokio::test]
async fn the_access_token_of_a_bound_session_does_not_end_it_without_a_proof() {
    let (auth, clock) = app(json!({ "dpop": { "origin": "https://a.example", "access": false } }));
    let key = SoftwareKey::generate().unwrap();
    let proof = |path: &str| {
        let (url, now) = (format!("https://a.example{path}"), clock.now());
        let proof =
            UnsignedProof { method: "POST", url: &url, now, nonce: None, access_token: None };
        PresentedProof::new(proof.sign(&key).unwrap(), "POST", path)
    };
    let pair = auth.login(Login::new(erin()).proof(proof("/login"))).await.unwrap();
    let token = pair.access_token.expose();
    auth.verify(token).unwrap();
    let response = OAuth::of(&auth).revoke(token).await;
    assert_eq!(error(&response), (400, json!("unsupported_token_type")));
    let request = RefreshRequest::new(pair.refresh_token.expose()).proof(proof("/refresh"));
    auth.refresh(request).await.unwrap();
}

#[tokio::test]
async fn introspection_of_a_refresh_token_tells_when_the_session_idles_out() {
    let (auth, clock) = app(json!({ "refresh": { "rotation": false } }));
    let pair = auth.login(Login::new(erin())).await.unwrap();
    let token = pair.refresh_token.expose();
    let day = Duration::from_secs(24 * 3600);
    for _ in 0..2 {
        let body = OAuth::of(&auth).introspect(token).await.body.unwrap();
        assert_eq!(body["exp"], json!(clock.now().plus(14 * day).as_seconds()));
        clock.advance(10 * day);
        auth.refresh(RefreshRequest::new(token)).await.unwrap();
    }
}
