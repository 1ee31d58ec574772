//! Servers of other shapes: the preset `rtVerify`, and OAuth 2.0. And which bodies are sent twice.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use regrant::client::{
    MemoryStorage, RefreshEndpoint, ReqwestTransport, Session, SignOutOutcome, TokenPair,
    same_origin_redirects,
};
use regrant::types::{AccessToken, RefreshToken};

/// Path, the interesting headers, and the body.
type Seen = Arc<Mutex<Vec<String>>>;

/// A server whose routes answer by what they receive.
async fn serve(answer: fn(&str, &HeaderMap) -> (u16, &'static str)) -> (String, Seen) {
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
            let (status, body) = answer(uri.path(), &headers);
            (StatusCode::from_u16(status).unwrap(), body)
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

async fn session(endpoint: RefreshEndpoint) -> Session {
    let session = Session::builder(endpoint)
        .transport(Arc::new(ReqwestTransport::new().unwrap()))
        .storage(Arc::new(MemoryStorage::default()))
        .start()
        .unwrap();
    let pair = TokenPair::new(AccessToken::new("a1"), RefreshToken::new("r1")).user("7");
    session.sign_in(pair).await.unwrap();
    session
}

#[tokio::test]
async fn a_server_of_the_shape_rt_verify_needs_no_code_of_the_app() {
    for status in [403, 419] {
        let (url, seen) = match status {
            403 => serve(|path, headers| legacy(path, headers, 403)).await,
            _ => serve(|path, headers| legacy(path, headers, 419)).await,
        };
        let session = session(RefreshEndpoint::rt_verify(format!("{url}/rtVerify"))).await;
        let http = reqwest::Client::builder().redirect(same_origin_redirects()).build().unwrap();
        let request = http.post(format!("{url}/posts")).body("text").build().unwrap();
        assert_eq!(session.execute(&http, request).await.unwrap().status(), 200);
        let expected = ["/posts Bearer a1 - text", "/rtVerify - - ", "/posts Bearer a2 - text"];
        assert_eq!(*seen.lock().unwrap(), expected);
        // A redirect to another server does not carry the token along.
        let request = http.get(format!("{url}/moved")).build().unwrap();
        assert_eq!(session.execute(&http, request).await.unwrap().status(), 302);
    }
}

fn legacy(path: &str, headers: &HeaderMap, rejected: u16) -> (u16, &'static str) {
    match path {
        "/rtVerify" => (200, r#"{"accessToken":"Bearer a2"}"#),
        "/moved" => (302, ""),
        _ if headers["accesstoken"] == "Bearer a2" => (200, ""),
        _ => (rejected, r#"{"message":"expired"}"#),
    }
}

#[tokio::test]
async fn an_oauth2_server_is_asked_in_its_own_format() {
    let (url, seen) = serve(|path, headers| match path {
        "/token" => {
            assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
            (200, r#"{"access_token":"a2","token_type":"Bearer","expires_in":900,"refresh_token":"r2"}"#)
        }
        "/revoke" => (200, ""),
        _ if headers["authorization"] == "Bearer a2" => (200, ""),
        _ => (401, ""),
    })
    .await;
    let endpoint = RefreshEndpoint::oauth2(format!("{url}/token"), Some("my app".to_owned()));
    let session = session(endpoint.logout(format!("{url}/revoke"))).await;
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
        "/auth/refresh" => (200, r#"{"accessToken":"a2","refreshToken":"r2"}"#),
        "/source" => (200, "text"),
        _ if headers["authorization"] == "Bearer a2" => (200, ""),
        _ => (401, ""),
    })
    .await;
    let session = session(RefreshEndpoint::json(format!("{url}/auth/refresh"))).await;
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
