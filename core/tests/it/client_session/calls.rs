//! Concurrent calls over several expiries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use regrant::client::Session;
use regrant::types::{Clock, ManualClock};

use crate::client_session::server::{LIFETIME, Server};
use crate::client_session::{builder, call, signed_in, until};

const EXPIRIES: u32 = 5;

/// A hundred concurrent calls, distributed over the sessions. All must succeed.
async fn hundred_calls(server: &Arc<Server>, sessions: &[Session]) {
    let http = reqwest::Client::new();
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let (session, http) = (sessions[number % sessions.len()].clone(), http.clone());
            let url = server.me();
            tokio::spawn(async move { call(&session, &http, &url).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
}

/// The server counts one refresh per expiry, and no session is signed out.
async fn one_refresh_each_time(server: &Arc<Server>, session: &Session) {
    for expiry in 0..EXPIRIES {
        hundred_calls(server, std::slice::from_ref(session)).await;
        assert_eq!(server.refreshes(), expiry);
        server.clock.advance(LIFETIME);
    }
    assert!(server.all_live().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refresh_per_expiry() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = signed_in(&server, folder.path()).await;
    one_refresh_each_time(&server, &session).await;
}

/// The device's clock stands still, so the session learns of the expiry only from a hundred 401
/// responses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refresh_for_a_hundred_rejected_calls() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let clock = Arc::new(ManualClock::new(server.clock.now()));
    let session = builder(&server, folder.path(), &clock).start().unwrap();
    session.sign_in(server.login().await).await.unwrap();
    one_refresh_each_time(&server, &session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_ten_minutes_off_changes_nothing() {
    const OFF: Duration = Duration::from_secs(600);
    for ahead in [true, false] {
        let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
        let now = server.clock.now();
        let wrong = if ahead { now.plus(OFF) } else { now.minus(OFF) };
        let clock = Arc::new(ManualClock::new(wrong));
        let mut session = builder(&server, folder.path(), &clock).start().unwrap();
        session.sign_in(server.login().await).await.unwrap();
        for expiry in 0..EXPIRIES {
            hundred_calls(&server, std::slice::from_ref(&session)).await;
            assert_eq!(server.refreshes(), expiry, "ahead: {ahead}");
            // The next run of the app knows the server's time too.
            session = builder(&server, folder.path(), &clock).start().unwrap();
            hundred_calls(&server, std::slice::from_ref(&session)).await;
            assert_eq!(server.refreshes(), expiry, "ahead: {ahead}, after a start");
            server.clock.advance(LIFETIME);
            clock.advance(LIFETIME);
        }
    }
}

/// Two sessions over one file share only the file, like two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_over_one_file_share_a_refresh() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let first = signed_in(&server, folder.path()).await;
    let second = builder(&server, folder.path(), &server.clock).start().unwrap();
    for expiry in 0..EXPIRIES {
        hundred_calls(&server, &[first.clone(), second.clone()]).await;
        assert_eq!(server.refreshes(), expiry);
        server.clock.advance(LIFETIME);
    }
    assert!(server.all_live().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_responses_sign_nobody_out() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let pair = server.login().await;
    let session = builder(&server, folder.path(), &server.clock)
        .request_timeout(Duration::from_secs(3))
        .start()
        .unwrap();
    session.sign_in(pair).await.unwrap();
    for round in 1..=3 {
        server.clock.advance(LIFETIME);
        server.lose.store(1, Ordering::SeqCst);
        hundred_calls(&server, std::slice::from_ref(&session)).await;
        assert_eq!(server.refreshes(), 2 * round, "the lost one and its retry");
    }
    assert!(server.all_live().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_does_not_cancel_the_refresh() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = signed_in(&server, folder.path()).await;
    server.clock.advance(LIFETIME);
    let before = std::fs::read(folder.path().join("session")).unwrap();
    let all = server.gate.available_permits();
    server.gate.acquire_many(u32::try_from(all).unwrap()).await.unwrap().forget();
    let caller = tokio::spawn({
        let session = session.clone();
        async move { session.access_token().await }
    });
    until("the request is at the server", async || server.refreshes() == 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    // Even if every session handle is dropped.
    drop(session);
    server.gate.add_permits(all);
    let stored = || std::fs::read(folder.path().join("session")).unwrap();
    until("the pair is stored", async || stored() != before).await;
    let session = builder(&server, folder.path(), &server.clock).start().unwrap();
    assert_eq!(call(&session, &reqwest::Client::new(), &server.me()).await, 200);
    assert_eq!(server.refreshes(), 1);
}

/// The app's runtime is shut down at an arbitrary moment of a refresh, and the app is restarted.
#[test]
fn an_app_killed_during_a_refresh_stays_signed_in() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, folder) = (runtime.block_on(Server::start()), tempfile::tempdir().unwrap());
    drop(runtime.block_on(signed_in(&server, folder.path())));
    for round in 0..40 {
        server.clock.advance(LIFETIME);
        let before = server.refreshes();
        let app = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let session =
            app.block_on(async { builder(&server, folder.path(), &server.clock).start().unwrap() });
        let (task, polls) = (session.clone(), Arc::clone(&server));
        app.spawn(async move { task.access_token().await });
        runtime
            .block_on(until("the request is at the server", async || polls.refreshes() > before));
        // From here on the response, the read, the write and the unlock race with the shutdown.
        std::thread::yield_now();
        app.shutdown_background();
        let again = runtime.block_on(async {
            let session = builder(&server, folder.path(), &server.clock).start().unwrap();
            call(&session, &reqwest::Client::new(), &server.me()).await
        });
        assert_eq!(again, 200, "round {round}");
    }
    assert!(runtime.block_on(server.all_live()));
}
