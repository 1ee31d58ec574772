//! The same vectors through axum: the layer, the extractors and the routes.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use axum::routing::any;
use axum::{Json, Router};
use regrant::auth::RefreshIdentity;
use regrant::config::AuthConfig;
use regrant::http::tower::{Access, AuthLayer, ClientInfo, auth_router};
use regrant::http::{Endpoints, Guard, RequestHead, Requirement, WebPolicy};
use regrant::session::ClientDetails;
use regrant::{AuditKind, Auth, Login};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service as _;

use super::run_all;
use super::world::{Reply, World};
use crate::support::sessions::{EventLog, SECRET, alice};

/// The app of a case, on the guarded route or the routes of a session.
fn app(auth: &Auth, web: &WebPolicy, route: &str, mount: &str) -> Router {
    let guard = Guard::new(auth.clone(), web.clone());
    let guarded = |guard| Router::new().fallback(any(me)).layer(AuthLayer::new(guard));
    match route {
        "guard" => guarded(guard),
        "guard-scope" => guarded(guard.require(Requirement::default().scopes(["read"]))),
        "guard-optional" => {
            Router::new().fallback(any(me_or_nobody)).layer(AuthLayer::new(guard.optional()))
        }
        _ => Router::new().nest(mount, auth_router(auth.clone(), web.clone()).build()),
    }
}

async fn me(Access(access): Access) -> Json<Value> {
    Json(json!({ "subject": access.subject().as_str() }))
}

async fn me_or_nobody(access: Option<Access>) -> Json<Value> {
    let subject = access.map(|Access(access)| access.subject().as_str().to_owned());
    Json(json!({ "subject": subject }))
}

fn request_of(case: &Value) -> Request<Body> {
    let request = &case["request"];
    let headers = request["headers"].as_array().unwrap();
    let header = |index: usize, item: &Value| item[index].as_str().unwrap().to_owned();
    let authority = headers.iter().find(|item| item[0] == ":authority");
    let target = request["target"].as_str().unwrap();
    let uri = match authority {
        // As hyper gives a request of HTTP/2.
        Some(item) => format!("https://{}{target}", header(1, item)),
        None => target.to_owned(),
    };
    let mut built = Request::builder().method(request["method"].as_str().unwrap()).uri(uri);
    for item in headers.iter().filter(|item| item[0] != ":authority") {
        built = built.header(header(0, item), header(1, item));
    }
    let body = &request["body"];
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let mut built = built.body(body).unwrap();
    if let Some(https) = request["https"].as_bool() {
        built.extensions_mut().insert(ClientInfo { https: Some(https), address: None });
    }
    built
}

async fn reply_of(response: Response) -> Reply {
    let (parts, body) = response.into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    Reply {
        status: parts.status.as_u16(),
        headers: parts
            .headers
            .iter()
            .filter(|(name, _)| *name != "set-cookie")
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect(),
        cookies: parts.headers.get_all("set-cookie").iter().map(text).collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

#[tokio::test]
async fn axum_responds_as_the_vectors_say() {
    let passed = run_all(async |world: &World, web: &WebPolicy, case: &Value| {
        // The routes read the body themselves.
        if case["parsed"] == false {
            return None;
        }
        let mount = case["mount"].as_str().unwrap_or("/auth");
        let mut app = app(&world.auth, web, case["route"].as_str().unwrap(), mount);
        Some(reply_of(app.call(request_of(case)).await.unwrap()).await)
    });
    assert!(passed.await > 150);
}

#[tokio::test]
async fn a_header_that_is_no_text_is_malformed() {
    let world = World::new(true, true).await;
    let mut app = app(&world.auth, &WebPolicy::default(), "guard-optional", "");
    for value in [&b"\xff"[..], b"Bearer \xff", b"Basic \xff"] {
        let value = HeaderValue::from_bytes(value).unwrap();
        let request = Request::builder().header("authorization", value).body(Body::empty());
        let reply = reply_of(app.call(request.unwrap()).await.unwrap()).await;
        assert_eq!(reply.body["error"]["code"], "ERR_TOKEN_MALFORMED");
    }
}

#[tokio::test]
async fn access_without_a_layer_is_an_error_of_the_program() {
    let mut app: Router = Router::new().fallback(any(me_or_nobody));
    let reply = reply_of(app.call(Request::new(Body::empty())).await.unwrap()).await;
    assert_eq!((reply.status, &reply.body["error"]["advice"]), (500, &json!("fix")));
}

#[tokio::test]
async fn a_refresh_has_the_claims_of_the_hook_and_its_errors() {
    let world = World::new(true, true).await;
    let web = WebPolicy::default();
    let case = json!({ "cookie": "refreshToken=${alice.refresh}" });
    let cookie = world.fill(&case)["cookie"].as_str().unwrap().to_owned();
    let request = || {
        let request = Request::builder().method("POST").uri("/auth/refresh");
        request.header("cookie", &cookie).body(Body::empty()).unwrap()
    };
    let router = || auth_router(world.auth.clone(), web.clone());
    let banned = router().claims(async |_| Err(regrant::Error::SessionUnknown));
    let mut app: Router = Router::new().nest("/auth", banned.build());
    let reply = reply_of(app.call(request()).await.unwrap()).await;
    assert_eq!((reply.status, &reply.body["error"]["advice"]), (401, &json!("sign_in")));
    assert!(world.sessions_over().await.is_empty());

    let with_role = router().claims(async |session: RefreshIdentity| {
        let role = format!("of {}", session.subject);
        Ok(Map::from_iter([("role".to_owned(), role.into())]))
    });
    let mut app: Router = Router::new().nest("/auth", with_role.build());
    let reply = reply_of(app.call(request()).await.unwrap()).await;
    let access = world.auth.verify(reply.body["accessToken"].as_str().unwrap()).unwrap();
    assert_eq!(access.claim("role").unwrap(), "of alice");
}

#[tokio::test]
async fn events_name_the_client_of_a_revocation() {
    let events = EventLog::default();
    let config = json!({ "secret": SECRET, "store": "memory:", "web": { "refreshCookie": false } });
    let config = AuthConfig::from_json(&config.to_string()).unwrap();
    let web = config.web_policy().unwrap();
    let auth = config.builder().unwrap().on_event(events.listener()).build().unwrap();
    let mut app: Router =
        Router::new().nest("/auth", auth_router(auth.clone(), web.clone()).build());
    let client = ClientInfo { address: Some("192.0.2.7".to_owned()), ..ClientInfo::default() };
    let phone = ClientDetails::default().address("192.0.2.7").user_agent("Phone/1");
    for way in 0..5 {
        let pair = auth.login(Login::new(alice())).await.unwrap();
        let other = auth.login(Login::new(alice())).await.unwrap();
        let refresh = pair.refresh_token.expose();
        let request = match way {
            0 => ("POST", "/auth/logout".to_owned()),
            1 => ("DELETE", "/auth/sessions".to_owned()),
            2 => ("DELETE", "/auth/sessions/others".to_owned()),
            _ => ("DELETE", format!("/auth/sessions/{}", other.session)),
        };
        if way < 4 {
            let authorization = format!("Bearer {}", pair.access_token.expose());
            let body = Body::from(json!({ "refreshToken": refresh }).to_string());
            let request = Request::builder().method(request.0).uri(request.1);
            let request = request.header("authorization", authorization);
            let request = request.header("user-agent", "Phone/1").extension(client.clone());
            let reply = reply_of(app.call(request.body(body).unwrap()).await.unwrap()).await;
            assert!(matches!(reply.status, 200 | 204), "{way}: {}", reply.status);
        } else {
            let head = RequestHead::new("POST", "/oauth/revoke").address("192.0.2.7");
            let head = head.header("user-agent", "Phone/1");
            for token in [refresh, other.access_token.expose()] {
                let form = format!("token={token}");
                let response = Endpoints::new(&auth, &web).revoke(&head, &form).await;
                assert_eq!(response.status, 200);
            }
        }
        let event = events.events().pop().unwrap();
        assert!(matches!(event.kind, AuditKind::Revoked { .. }), "{way}: {event:?}");
        assert_eq!(event.client.as_ref(), Some(&phone), "{way}");
    }
}

#[tokio::test]
async fn over_a_socket() {
    let world = World::new(true, true).await;
    let app = app(&world.auth, &WebPolicy::default(), "refresh", "/auth");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let cookie = world.fill(&json!("refreshToken=${alice.refresh}"));
    let head = format!(
        "POST /auth/refresh HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
        cookie.as_str().unwrap()
    );
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{}", text.lines().next().unwrap_or_default());
    assert!(text.to_ascii_lowercase().contains("\r\nset-cookie: refreshtoken="));
    server.abort();
}
