//! Processes killed between the server's response and the completed write of the pair.
//! `REGRANT_E2E_KILLS=100` sets the number of kills.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use regrant_clients::{App, FaultProxy, Moment, number, report};

const SIGKILL: i32 = 9;
/// After this many kills the grace of the server passes before the app is restarted.
const LATE: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the testbed: cargo xtask test --only clients"]
async fn an_app_that_is_killed_before_its_pair_is_stored_stays_signed_in() {
    let (proxy, folder) = (FaultProxy::open().await, tempfile::tempdir().unwrap());
    let kills = number("REGRANT_E2E_KILLS", 8);
    let app = App::start(&proxy, folder.path());
    app.session.sign_in(proxy.sign_up("killed").await).await.unwrap();
    drop(app);
    for round in 0..kills {
        let moment = Moment::ALL[round as usize % Moment::ALL.len()];
        let before = proxy.counts().await.refreshes("granted");
        let status = Command::new(env!("CARGO_BIN_EXE_killed-app"))
            .arg(format!("{}/mobile/refresh", proxy.url))
            .arg(folder.path().join("session"))
            .arg(format!("{moment:?}"))
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(SIGKILL), "round {round}, {moment:?}: {status}");
        assert!(proxy.counts().await.refreshes("granted") > before, "the server had answered");
        if round % LATE == LATE - 1 {
            tokio::time::sleep(proxy.grace).await;
        }
        // The user restarts the app and uses it until the next refresh.
        let app = App::start(&proxy, folder.path());
        app.renew().await.unwrap_or_else(|error| panic!("round {round}, {moment:?}: {error}"));
        assert_eq!(app.call().await, Ok(200), "round {round}, {moment:?}");
    }
    let counts = proxy.counts().await;
    assert_eq!(counts.refreshes("arrived"), counts.granted_or_put_off(), "{counts:?}");
    report(format!(
        "kills: {kills} processes killed after the server's response, {} refreshes, 0 signed out",
        counts.refreshes("granted")
    ));
}
