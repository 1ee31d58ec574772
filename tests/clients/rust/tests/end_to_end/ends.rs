//! Thefts that the server detects, and cancelled callers.

use std::time::{Duration, Instant};

use regrant::client::{SessionError, SessionState, SignOutReason};
use regrant_clients::{App, FaultProxy, report};
use serde_json::json;

/// The error that the app gets if the thief refreshes before it or after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn reuse_revokes_the_session_and_the_app_receives_the_reason() {
    let expected = SignOutReason::Reused;
    for how in ["steal", "replay"] {
        let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
        let file = folder.path().join("session");
        let app = App::start(&proxy, folder.path());
        app.session.sign_in(proxy.sign_up("victim").await).await.unwrap();
        for _ in 0..2 {
            // Restart the app each time: one run does not accept two rejections in a row.
            App::start(&proxy, folder.path()).renew().await.unwrap();
        }
        assert!(file.exists());
        proxy.theft(how).await;
        proxy.until_expired().await;
        let rejected = app.call().await;
        assert_eq!(rejected, Err(SessionError::SignIn(expected)), "{how}");
        assert_eq!(app.session.state(), SessionState::SignedOut(expected), "{how}");
        let signed_out = Instant::now();
        while file.exists() {
            assert!(
                signed_out.elapsed() < Duration::from_secs(60),
                "{how}: the tokens are still stored"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        report(format!("theft by {how}: the app gets {expected}, its storage is cleared"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn a_cancelled_call_keeps_the_pair() {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let app = App::start(&proxy, folder.path());
    app.session.sign_in(proxy.sign_up("cancelled").await).await.unwrap();
    let before = std::fs::read(folder.path().join("session")).unwrap();
    proxy.until_expired().await;
    proxy.faults(json!({ "hold": true })).await;
    let caller = tokio::spawn({
        let app = app.clone();
        async move { app.call().await }
    });
    proxy.until_held(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(app);
    proxy.faults(json!({})).await;
    let stored = || std::fs::read(folder.path().join("session")).unwrap();
    let released = Instant::now();
    while stored() == before {
        assert!(released.elapsed() < Duration::from_secs(60), "the pair was dropped");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(proxy.counts().await.refreshes("arrived"), 1);
    assert_eq!(App::start(&proxy, folder.path()).call().await, Ok(200));
    report("cancelled: the pair of a refresh whose caller was cancelled is stored");
}
