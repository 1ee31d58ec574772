//! Concurrent calls over several expiries, with and without lost responses.

use std::collections::HashSet;
use std::time::Duration;

use regrant::client::SessionError;
use regrant_clients::{App, FaultProxy, expiries, report};
use serde_json::json;

const AT_ONCE: usize = 100;

async fn signed_in(proxy: &FaultProxy, app: &App, name: &str) {
    app.session.sign_in(proxy.sign_up(name).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn each_expiry_causes_one_refresh() {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let app = App::start(&proxy, folder.path());
    signed_in(&proxy, &app, "calls").await;
    let mut tokens = HashSet::new();
    for _ in 0..expiries() {
        app.calls_at_once(AT_ONCE).await;
        tokens.insert(app.session.access_token().await.unwrap());
        proxy.until_expired().await;
    }
    app.calls_at_once(AT_ONCE).await;
    let counts = proxy.counts().await;
    let (arrived, presented) = (counts.refreshes("arrived"), counts.refreshes("presented"));
    assert_eq!((arrived, counts.refreshes("granted")), (presented, presented), "{counts:?}");
    assert!(arrived >= u64::from(expiries()) && tokens.len() == expiries() as usize, "{counts:?}");
    report(format!(
        "expiries: {} calls, 0 failed; {} expiries, {arrived} refreshes, each asked for once",
        counts.calls(200),
        expiries(),
    ));
}

/// Many users, each with a separate app; a third of the refreshes get no response.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn lost_responses_do_not_sign_the_user_out() {
    const USERS: usize = 20;
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    proxy.faults(json!({ "lose": 0.3 })).await;
    let mut apps = Vec::new();
    for user in 0..USERS {
        let folder = folder.path().join(user.to_string());
        std::fs::create_dir(&folder).unwrap();
        let app = App::start(&proxy, &folder);
        signed_in(&proxy, &app, &format!("lossy{user}")).await;
        apps.push(app);
    }
    let mut retries = 0;
    for _ in 0..expiries() {
        proxy.until_expired().await;
        let calls: Vec<_> = apps
            .iter()
            .cloned()
            .map(|app| tokio::spawn(async move { app.call_until_answered().await }))
            .collect();
        for call in calls {
            let (status, again) = call.await.unwrap().expect("still signed in");
            assert_eq!(status, 200);
            retries += again;
        }
    }
    let counts = proxy.counts().await;
    let (arrived, lost) = (counts.refreshes("arrived"), counts.refreshes("lost"));
    assert_eq!(counts.granted_or_put_off(), arrived, "{counts:?}");
    assert!(lost > 0 && arrived >= (USERS as u64) * u64::from(expiries()) + lost, "{counts:?}");
    report(format!(
        "losses: {USERS} users, {} expiries, {arrived} refreshes, {lost} answers lost; \
         {retries} retries, 0 signed out",
        expiries(),
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn a_clock_ten_minutes_off_has_no_effect() {
    const OFF: Duration = Duration::from_secs(600);
    let (ahead, behind) = tokio::join!(at_wrong_time(OFF, true), at_wrong_time(OFF, false));
    report(format!("clocks: {} refreshes 10 minutes ahead, {} behind, 0 failed", ahead, behind));
}

async fn at_wrong_time(by: Duration, is_ahead: bool) -> u64 {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let mut app = App::start_at_wrong_time(&proxy, folder.path(), by, is_ahead);
    signed_in(&proxy, &app, "wrong").await;
    for _ in 0..expiries() {
        app.calls_at_once(10).await;
        // The next run of the app knows the server's time too.
        app = App::start_at_wrong_time(&proxy, folder.path(), by, is_ahead);
        app.calls_at_once(10).await;
        proxy.until_expired().await;
    }
    app.calls_at_once(10).await;
    let counts = proxy.counts().await;
    let (arrived, presented) = (counts.refreshes("arrived"), counts.refreshes("presented"));
    assert_eq!((arrived, counts.refreshes("granted")), (presented, presented), "{counts:?}");
    assert!(arrived >= u64::from(expiries()), "{counts:?}");
    arrived
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn a_network_outage_does_not_sign_the_user_out() {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let app = App::start(&proxy, folder.path());
    signed_in(&proxy, &app, "offline").await;
    proxy.faults(json!({ "cut": true })).await;
    proxy.until_expired().await;
    for _ in 0..20 {
        let refused = app.session.access_token().await;
        assert!(matches!(refused, Err(SessionError::Retry { .. })), "{refused:?}");
    }
    proxy.faults(json!({})).await;
    assert_eq!(app.call_until_answered().await.map(|(status, _)| status), Ok(200));
}
