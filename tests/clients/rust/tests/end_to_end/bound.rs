//! Apps whose tokens are bound to a key (DPoP, RFC 9449).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regrant::client::{FileStorage, SessionError, SignOutReason};
use regrant::dpop::{ProofKey, SoftwareKey};
use regrant_clients::{App, FaultProxy, expiries, report};

const OFF: Duration = Duration::from_secs(600);

async fn key(folder: &Path) -> Arc<dyn ProofKey> {
    let storage = FileStorage::new(folder.join("key"));
    Arc::new(SoftwareKey::load_or_create(&storage).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn bound_sessions_survive_expiries_even_with_a_wrong_clock() {
    let devices = [None, Some((OFF, true)), Some((OFF, false))];
    let devices = devices.map(|off| tokio::spawn(over_expiries(off)));
    let mut rejected = Vec::new();
    for device in devices {
        rejected.push(device.await.unwrap());
    }
    assert_eq!(rejected, [0, 1, 1]);
    let expiries = expiries();
    report(format!(
        "bound: {expiries} expiries each, proofs rejected at the login: {rejected:?}; none later"
    ));
}

async fn over_expiries(off: Option<(Duration, bool)>) -> usize {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let key = key(folder.path()).await;
    let start = || App::start_bound(&proxy, folder.path(), Arc::clone(&key), off);
    let rejected = proxy.sign_up_bound("bound", &start().session).await;
    for _ in 0..expiries() {
        // A new run of the app each time.
        let app = start();
        for _ in 0..2 {
            app.calls_at_once(20).await;
            proxy.until_expired().await;
        }
    }
    let counts = proxy.counts().await;
    let arrived = counts.refreshes("arrived");
    assert_eq!(arrived, counts.refreshes("granted"), "{counts:?}");
    assert!(arrived >= u64::from(expiries()), "{counts:?}");
    assert_eq!(counts.calls(401), 0, "{counts:?}");
    rejected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn a_thief_without_the_key_is_rejected_and_the_app_continues() {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let start = |key| App::start_bound(&proxy, folder.path(), key, None);
    let app = start(key(folder.path()).await);
    proxy.sign_up_bound("robbed", &app.session).await;
    let error = proxy.failed_theft("steal").await;
    assert!(error.contains("ERR_DPOP_PROOF_MISSING"), "{error}");
    proxy.until_expired().await;
    assert_eq!(app.call().await, Ok(200));
    let another = start(Arc::new(SoftwareKey::generate().unwrap()));
    assert_eq!(another.call().await, Err(SessionError::SignIn(SignOutReason::OtherKey)));
    // The next run of the app loads the same key.
    assert_eq!(start(key(folder.path()).await).call().await, Ok(200));
    report("stolen: the thief of bound tokens is rejected, the app continues");
}
