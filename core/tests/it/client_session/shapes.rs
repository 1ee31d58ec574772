//! Servers of other shapes: the preset `rtVerify`, and OAuth 2.0. And which bodies are sent twice.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use regrant::client::{
    MemoryStorage, RefreshEndpoint, ReqwestTransport, Session, SessionBuilder, SignOutOutcome,
    TokenPair,
};
use regrant::types::{AccessToken, RefreshToken};

/// Path, the interesting headers, and the body.
type Seen = Arc<Mutex<Vec<String>>>;

/// A server that answers by the path and the headers of a request.
pub(super) async fn serve(
    answer: impl Fn(&str, &HeaderMap) -> Response + Clone + Send + Sync + 'static,
) -> (String, Seen) {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback({
        let seen = Arc::clone(&seen);
        async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let header = |name: &str| {
                headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or("-").to_owned()
            };
            let body = String::from_utf8_lossy(&body);
            let (access, bearer) = (header("accesstoken"), header("authorization"));
            seen.lock().unwrap().push(format!("{} {access} {bearer} {body}", uri.path()));
            answer(uri.path(), &headers)
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

pub(super) fn answer(status: u16, body: &'static str) -> Response {
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

pub(super) fn session_builder(endpoint: RefreshEndpoint) -> SessionBuilder {
    Session::builder(endpoint)
        .transport(Arc::new(ReqwestTransport::new().unwrap()))
        .storage(Arc::new(MemoryStorage::default()))
}

/// Signs in with the tokens `a1` and `r1`.
pub(super) async fn signed_in(builder: SessionBuilder) -> Session {
    let session = builder.start().unwrap();
    let pair = TokenPair::new(AccessToken::new("a1"), RefreshToken::new("r1")).user("7");
    session.sign_in(pair).await.unwrap();
    session
}

#[tokio::test]
async fn a_server_of_the_shape_rt_verify_needs_no_code_of_the_app() {
    for status in [403, 419] {
        let (url, seen) = serve(move |path, headers| legacy(path, headers, status)).await;
        let endpoint = RefreshEndpoint::rt_verify(format!("{url}/rtVerify"));
        let (session, http) = (signed_in(session_builder(endpoint)).await, reqwest::Client::new());
        let request = http.post(format!("{url}/posts")).body("text").build().unwrap();
        assert_eq!(session.execute(&http, request).await.unwrap().status(), 200);
        let expected = ["/posts Bearer a1 - text", "/rtVerify - - ", "/posts Bearer a2 - text"];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}

fn legacy(path: &str, headers: &HeaderMap, rejected: u16) -> Response {
    match path {
        "/rtVerify" => answer(200, r#"{"accessToken":"Bearer a2"}"#),
        _ if headers["accesstoken"] == "Bearer a2" => answer(200, ""),
        _ => answer(rejected, r#"{"message":"expired"}"#),
    }
}

#[tokio::test]
async fn an_oauth2_server_is_asked_in_its_own_format() {
    let (url, seen) = serve(|path, headers| match path {
        "/token" => {
            assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
            answer(200, r#"{"access_token":"a2","token_type":"Bearer","expires_in":900,"refresh_token":"r2"}"#)
        }
        "/revoke" => answer(200, ""),
        _ if headers["authorization"] == "Bearer a2" => answer(200, ""),
        _ => answer(401, ""),
    })
    .await;
    let endpoint = RefreshEndpoint::oauth2(format!("{url}/token"), Some("my app".to_owned()));
    let session = signed_in(session_builder(endpoint.logout(format!("{url}/revoke")))).await;
    let http = reqwest::Client::new();
    let request = http.get(format!("{url}/me")).build().unwrap();
    assert_eq!(session.execute(&http, request).await.unwrap().status(), 200);
    assert_eq!(session.sign_out().await.unwrap(), SignOutOutcome::Revoked);
    let expected = [
        "/me - Bearer a1 ",
        "/token - - grant_type=refresh_token&refresh_token=r1&client_id=my%20app",
        "/me - Bearer a2 ",
        "/revoke - - token=r2&token_type_hint=refresh_token&client_id=my%20app",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// The body of another response is a stream. It cannot be sent twice, so the 401 is returned. The next call
/// has a new token.
#[tokio::test]
async fn a_body_that_cannot_be_sent_twice_is_not_sent_twice() {
    let (url, seen) = serve(|path, headers| match path {
        "/auth/refresh" => answer(200, r#"{"accessToken":"a2","refreshToken":"r2"}"#),
        "/source" => answer(200, "text"),
        _ if headers["authorization"] == "Bearer a2" => answer(200, ""),
        _ => answer(401, ""),
    })
    .await;
    let endpoint = RefreshEndpoint::json(format!("{url}/auth/refresh"));
    let session = signed_in(session_builder(endpoint)).await;
    let http = reqwest::Client::new();
    for expected in [401, 200] {
        let source = http.get(format!("{url}/source")).send().await.unwrap();
        let request = http.post(format!("{url}/files")).body(source).build().unwrap();
        assert_eq!(session.execute(&http, request).await.unwrap().status(), expected);
    }
    let seen = seen.lock().unwrap();
    let sent: Vec<_> = seen.iter().filter(|line| line.starts_with("/files")).collect();
    assert_eq!(sent, ["/files - Bearer a1 text", "/files - Bearer a2 text"]);
}
