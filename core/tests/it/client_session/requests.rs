//! Requests of the app over `reqwest`: redirects, a refresh that the server wants later, and tokens that
//! live for a short time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::client::{
    CallError, RefreshEndpoint, Session, SessionError, SessionSettings, TransientError,
    same_origin_redirects,
};
use regrant::types::{Clock, ManualClock, SystemClock};
use reqwest::Client;
use reqwest::redirect::Policy;

use crate::client_session::PATIENCE;
use crate::client_session::shapes::{answer, serve, session_builder, signed_in};

/// The refreshes of a server that accepts the token `a2` only.
const REFRESHED: &str = r#"{"accessToken":"a2","refreshToken":"r2"}"#;

fn moved(status: u16, to: &str) -> Response {
    ([("location", to)], answer(status, "")).into_response()
}

fn guarded(headers: &HeaderMap) -> Response {
    let is_new = headers.get("authorization").is_some_and(|value| value == "Bearer a2");
    answer(if is_new { 200 } else { 401 }, "")
}

fn client(redirects: Policy) -> Client {
    Client::builder().redirect(redirects).build().unwrap()
}

async fn session_at(url: &str) -> Session {
    signed_in(session_builder(RefreshEndpoint::json(format!("{url}/auth/refresh")))).await
}

/// Neither the token nor the body arrives there, and an answer of another server renews nothing.
#[tokio::test]
async fn a_redirect_to_another_server_carries_nothing() {
    let (other, seen_there) = serve(|_, _| answer(401, "")).await;
    // The same machine under another name, and the same name with another port.
    for there in [other.replace("127.0.0.1", "localhost"), other.clone()] {
        let to = format!("{there}/in");
        let (url, seen) = serve(move |path, _| match path {
            "/found" => moved(302, &to),
            _ => moved(307, &to),
        })
        .await;
        let session = session_at(&url).await;
        let own = client(same_origin_redirects());
        for (path, status) in [("found", 302), ("kept", 307)] {
            let request = own.post(format!("{url}/{path}")).body("text").build().unwrap();
            assert_eq!(session.execute(&own, request).await.unwrap().status(), status);
        }
        assert_eq!(*seen.lock().unwrap(), ["/found - Bearer a1 text", "/kept - Bearer a1 text"]);
        assert!(seen_there.lock().unwrap().is_empty());

        // A client with the default of `reqwest` goes there, without the token.
        let any = Client::new();
        let request = any.get(format!("{url}/found")).build().unwrap();
        assert_eq!(session.execute(&any, request).await.unwrap().status(), 401);
        assert_eq!(std::mem::take(&mut *seen_there.lock().unwrap()), ["/in - - "]);
        assert_eq!(seen.lock().unwrap().len(), 3, "a refresh");
    }
}

/// A request that may have been processed before it was redirected is not sent again. The next one has a
/// new token.
#[tokio::test]
async fn a_redirected_request_is_repeated_only_if_it_is_safe() {
    let (url, seen) = serve(|path, headers| match path {
        "/auth/refresh" => answer(200, REFRESHED),
        "/moved" => moved(307, "/here"),
        _ => guarded(headers),
    })
    .await;
    let own = client(same_origin_redirects());
    let from_there = ["/moved - Bearer a1 text", "/here - Bearer a1 text"];
    let refresh = r#"/auth/refresh - - {"refreshToken":"r1"}"#;
    let again = ["/moved - Bearer a2 text", "/here - Bearer a2 text"];

    let session = session_at(&url).await;
    let post = || own.post(format!("{url}/moved")).body("text").build().unwrap();
    assert_eq!(session.execute(&own, post()).await.unwrap().status(), 401);
    assert_eq!(session.execute(&own, post()).await.unwrap().status(), 200);
    let expected = [&from_there[..], &[refresh], &again[..]].concat();
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);

    let session = session_at(&url).await;
    let get = own.get(format!("{url}/moved")).build().unwrap();
    assert_eq!(session.execute(&own, get).await.unwrap().status(), 200);
    assert_eq!(seen.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn redirects_end() {
    let (url, seen) = serve(|_, _| moved(302, "/round")).await;
    let (session, own) = (session_at(&url).await, client(same_origin_redirects()));
    let request = own.get(format!("{url}/round")).build().unwrap();
    assert_eq!(session.execute(&own, request).await.unwrap().status(), 302);
    assert_eq!(seen.lock().unwrap().len(), 11, "the request and ten redirects");
}

/// Waiting for the next attempt would only end in a timeout.
#[tokio::test]
async fn a_retry_after_beyond_the_patience_is_answered_at_once() {
    let (url, _) = serve(|path, headers| match path {
        "/auth/refresh" => ([("retry-after", "250")], answer(503, "")).into_response(),
        _ => guarded(headers),
    })
    .await;
    let mut settings = SessionSettings::default();
    settings.wait_timeout = 3 * PATIENCE;
    let builder = session_builder(RefreshEndpoint::json(format!("{url}/auth/refresh")));
    let (session, http) = (signed_in(builder.settings(settings)).await, Client::new());
    for _ in 0..2 {
        let request = http.get(format!("{url}/me")).build().unwrap();
        let called = tokio::time::timeout(PATIENCE, session.execute(&http, request)).await;
        let Err(CallError::Session(SessionError::Retry { cause, retry_after })) = called.unwrap()
        else {
            panic!("the server wants no refresh now");
        };
        assert_eq!(cause, TransientError::Server { status: 503, code: None });
        assert!(retry_after > 3 * PATIENCE, "{retry_after:?}");
    }
}

/// The tokens have no `iat`, live shorter than the margin in which they are refreshed, and the device's clock
/// is wrong: the header `Date` of the refresh tells when they were issued.
#[tokio::test]
async fn short_lived_tokens_without_iat_are_not_refreshed_at_every_call() {
    const LIFETIME: Duration = Duration::from_secs(1_200);
    const CALLS: usize = 20;
    let (url, seen) = serve(|path, headers| match path {
        "/auth/refresh" => {
            let exp = SystemClock.now().plus(LIFETIME).as_seconds();
            let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#));
            let access = format!("{}.{claims}.AA", URL_SAFE_NO_PAD.encode("{}"));
            axum::Json(serde_json::json!({ "accessToken": access })).into_response()
        }
        _ => answer(if headers["authorization"] == "Bearer a1" { 401 } else { 200 }, ""),
    })
    .await;
    let ahead = SystemClock.now().plus(Duration::from_secs(86_400));
    let clock = Arc::new(ManualClock::new(ahead));
    let mut settings = SessionSettings::default();
    settings.min_ttl = 2 * LIFETIME;
    let builder = session_builder(RefreshEndpoint::json(format!("{url}/auth/refresh")));
    let builder = builder.settings(settings).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let (session, http) = (signed_in(builder).await, Client::new());
    for refreshes in 1..=3 {
        for _ in 0..CALLS {
            let request = http.get(format!("{url}/me")).build().unwrap();
            assert_eq!(session.execute(&http, request).await.unwrap().status(), 200);
        }
        let refreshed = |line: &&String| line.starts_with("/auth/refresh");
        assert_eq!(seen.lock().unwrap().iter().filter(refreshed).count(), refreshes);
        // Three quarters of the lifetime: within the margin.
        clock.advance(LIFETIME * 3 / 4);
    }
}
