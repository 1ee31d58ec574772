//! Signing in and out, and sessions that the server revokes.

use std::sync::Arc;
use std::time::Duration;

use regrant::client::{
    MemoryStorage, RefreshEndpoint, ReqwestTransport, Session, SessionError, SessionState,
    SignOutOutcome, SignOutReason, TransientError,
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
async fn a_sign_out_revokes_the_session_at_the_server() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = signed_in(&server, folder.path()).await;
    assert!(server.all_live().await);
    assert_eq!(session.sign_out().await.unwrap(), SignOutOutcome::Revoked);
    assert!(!server.all_live().await);
    until("the file is gone", async || !folder.path().join("session").exists()).await;
    assert_eq!(session.sign_out().await.unwrap(), SignOutOutcome::Local, "there is no token");
    // Also if its key is needed for that, and the session was not used in this run.
    let key: Arc<dyn regrant::dpop::ProofKey> =
        Arc::new(regrant::dpop::SoftwareKey::generate().unwrap());
    let bound =
        || builder(&server, folder.path(), &server.clock).proof_key(Arc::clone(&key)).start();
    crate::client_session::bound::log_in(&bound().unwrap(), &server).await;
    assert!(server.live().await == 1);
    assert_eq!(bound().unwrap().sign_out().await.unwrap(), SignOutOutcome::Revoked);
    assert!(server.live().await == 0);
}

#[tokio::test]
async fn an_offline_sign_out_is_told_by_the_next_run() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = signed_in(&server, folder.path()).await;
    server.logouts_fail.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(session.sign_out().await.unwrap(), SignOutOutcome::Pending);
    let by_user = SessionError::SignIn(SignOutReason::ByUser);
    assert_eq!(session.access_token().await.unwrap_err(), by_user);
    drop(session);
    assert!(server.all_live().await);
    server.logouts_fail.store(false, std::sync::atomic::Ordering::SeqCst);
    let next = builder(&server, folder.path(), &server.clock).start().unwrap();
    until("the session is revoked", async || !server.all_live().await).await;
    until("the file is gone", async || !folder.path().join("session").exists()).await;
    assert_eq!(next.state(), SessionState::SignedOut(SignOutReason::NotSignedIn));
}

#[tokio::test]
async fn the_state_is_known_without_a_call() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    drop(signed_in(&server, folder.path()).await);
    server.clock.advance(LIFETIME);
    let session = builder(&server, folder.path(), &server.clock).start().unwrap();
    let mut states = session.states();
    states.wait_for(|state| *state == SessionState::SignedIn).await.unwrap();
    assert_eq!(server.refreshes(), 0);
}

#[test]
fn a_session_whose_runtime_ended_says_so() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime();
    let session = app.block_on(async {
        Session::builder(RefreshEndpoint::json("http://127.0.0.1:1/auth/refresh"))
            .transport(Arc::new(ReqwestTransport::new().unwrap()))
            .storage(Arc::new(MemoryStorage::default()))
            .start()
            .unwrap()
    });
    drop(app);
    let error = runtime().block_on(session.access_token()).unwrap_err();
    assert!(matches!(error, SessionError::Retry { cause: TransientError::Stopped, .. }), "{error}");
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
