//! Signing in and out, and sessions that the server revokes.

use std::sync::Arc;
use std::time::Duration;

use regrant::client::{
    MemoryStorage, RefreshEndpoint, ReqwestTransport, Session, SessionError, SessionState,
    SignOutReason,
};
use regrant::{Error, RefreshRequest};

use crate::client_session::server::{LIFETIME, Server};
use crate::client_session::{builder, signed_in, until};

#[tokio::test]
async fn reuse_by_a_thief_signs_out_and_clears_the_storage() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = builder(&server, folder.path(), &server.clock).start().unwrap();
    let mut states = session.states();
    assert_eq!(session.state(), SessionState::Unknown);
    let pair = server.login().await;
    let stolen = pair.refresh_token().expose().to_owned();
    session.sign_in(pair).await.unwrap();
    assert_eq!(*states.borrow_and_update(), SessionState::SignedIn);
    for _ in 0..2 {
        server.clock.advance(LIFETIME);
        session.access_token().await.unwrap();
    }
    server.clock.advance(LIFETIME);
    let thief = server.auth.refresh(RefreshRequest::new(&stolen)).await;
    assert!(matches!(thief, Err(Error::RefreshReused)));
    let error = session.access_token().await.unwrap_err();
    assert_eq!(error, SessionError::SignIn(SignOutReason::Reused));
    // The state changes before the caller gets its result.
    assert_eq!(*states.borrow_and_update(), SessionState::SignedOut(SignOutReason::Reused));
    until("the file is gone", async || !folder.path().join("session").exists()).await;
}

#[tokio::test]
async fn a_sign_out_applies_to_every_process() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let first = signed_in(&server, folder.path()).await;
    let second = builder(&server, folder.path(), &server.clock).start().unwrap();
    second.access_token().await.unwrap();
    first.sign_out().await.unwrap();
    let by_user = SessionError::SignIn(SignOutReason::ByUser);
    assert_eq!(first.access_token().await.unwrap_err(), by_user);
    assert!(!folder.path().join("session").exists());
    server.clock.advance(LIFETIME);
    let elsewhere = SessionError::SignIn(SignOutReason::Elsewhere);
    assert_eq!(second.access_token().await.unwrap_err(), elsewhere);
    // A new sign-in works.
    second.sign_in(server.login().await).await.unwrap();
    first.access_token().await.unwrap();
    assert_eq!(server.refreshes(), 0);
}

#[tokio::test]
async fn an_unreachable_server_signs_nobody_out() {
    let server = Server::start().await;
    // Nothing listens on port 1.
    let session = Session::builder(RefreshEndpoint::json("http://127.0.0.1:1/auth/refresh"))
        .transport(Arc::new(ReqwestTransport::new().unwrap()))
        .storage(Arc::new(MemoryStorage::default()))
        .clock(server.clock.clone())
        .start()
        .unwrap();
    session.sign_in(server.login().await).await.unwrap();
    server.clock.advance(LIFETIME);
    let error = session.access_token().await.unwrap_err();
    assert!(matches!(error, SessionError::Retry { retry_after, .. } if !retry_after.is_zero()));
    assert_eq!(session.state(), SessionState::SignedIn);
}

#[test]
fn a_missing_builder_argument_is_named() {
    let builder = || Session::builder(RefreshEndpoint::json("http://127.0.0.1:1/"));
    let field = |result: Result<Session, Error>| match result {
        Err(Error::ConfigInvalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(builder().start()), "transport");
    let builder = builder().transport(Arc::new(ReqwestTransport::new().unwrap()));
    assert_eq!(field(builder.start()), "storage");
    let builder = Session::builder(RefreshEndpoint::json("http://127.0.0.1:1/"))
        .transport(Arc::new(ReqwestTransport::new().unwrap()))
        .storage(Arc::new(MemoryStorage::default()))
        .lock_timeout(Duration::from_secs(1));
    assert_eq!(field(builder.start()), "runtime");
}
