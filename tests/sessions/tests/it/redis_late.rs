//! A refresh that reaches Redis after its caller has timed out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use regrant::error::ErrorCode;
use regrant::store::StoreAddress;
use regrant::types::Subject;
use regrant::{Auth, Login, RefreshRequest};
use regrant_test_support::{RedisServer, TcpProxy};

/// The timeout of the disconnected process.
const IMPATIENT: Duration = Duration::from_millis(300);
/// The timeout of the other process, for a busy machine.
const PATIENT: Duration = Duration::from_secs(30);

fn auth_at(url: String, timeout: Duration) -> Auth {
    Auth::from_json(r#"{ "secret": "an access secret of at least 32 bytes" }"#)
        .unwrap()
        .store_at(StoreAddress::new(url).timeout(timeout))
        .build()
        .unwrap()
}

/// How many script calls the server has rejected with `LATE`.
fn refused(server: &RedisServer) -> u32 {
    let stats: String = server.command(&["INFO", "errorstats"]).unwrap();
    let counts: HashMap<_, _> = stats.lines().filter_map(|line| line.split_once(':')).collect();
    let count = counts.get("errorstat_LATE").and_then(|count| count.trim().strip_prefix("count="));
    count.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_command_has_no_effect() {
    it_does_nothing_after(Duration::ZERO).await;
}

/// The client reads the server's clock when it connects, here with a request that was delayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_command_has_no_effect_after_a_slow_connect() {
    it_does_nothing_after(Duration::from_millis(120)).await;
}

/// The disconnected connection was opened while each request was delayed by this.
async fn it_does_nothing_after(delay: Duration) {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let cut_off = auth_at(server.url_through(&proxy), IMPATIENT);
    let other = auth_at(server.url(), PATIENT);
    proxy.delay(delay, Duration::ZERO);
    let pair = other.login(Login::new(Subject::new("bob").unwrap())).await.unwrap();
    while cut_off.refresh(RefreshRequest::new(pair.refresh_token.expose())).await.is_err() {}
    proxy.heal();
    // On a busy machine the request may time out before it was sent, and then never arrives.
    let begun = Instant::now();
    while !a_held_refresh_is_refused(&server, &proxy, &cut_off, &other).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "no held request has arrived");
    }
}

/// Whether the request of the disconnected process reached the server; if so, checks that it had no
/// effect.
async fn a_held_refresh_is_refused(
    server: &RedisServer,
    proxy: &TcpProxy,
    cut_off: &Auth,
    other: &Auth,
) -> bool {
    let pair = other.login(Login::new(Subject::new("alice").unwrap())).await.unwrap();
    let mut token = pair.refresh_token.expose().to_owned();
    // The disconnected connection was already open before.
    let again = cut_off.refresh(RefreshRequest::new(&token)).await;
    let Ok(next) = again else { return false };
    token = next.refresh_token.unwrap().expose().to_owned();

    // One process is disconnected during its request; the client retries at the other one.
    proxy.hold();
    let error = cut_off.refresh(RefreshRequest::new(&token)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::StoreUnavailable);
    for _ in 0..3 {
        let next = other.refresh(RefreshRequest::new(&token)).await.unwrap();
        token = next.refresh_token.unwrap().expose().to_owned();
    }
    let before = refused(server);
    proxy.heal();
    let healed = Instant::now();
    let has_arrived = loop {
        if refused(server) > before {
            break true;
        }
        if healed.elapsed() > Duration::from_secs(3) {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    // Treated as reuse, the late request would have revoked the session.
    other.refresh(RefreshRequest::new(&token)).await.unwrap();
    has_arrived
}
