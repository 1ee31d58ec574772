//! A refresh that reaches Redis after its caller has given it up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use regrant::error::ErrorCode;
use regrant::store::StoreAddress;
use regrant::types::Subject;
use regrant::{Auth, Login, RefreshRequest};
use regrant_test_support::{RedisServer, TcpProxy};

/// How long the process that is cut off waits for an answer.
const IMPATIENT: Duration = Duration::from_millis(300);
/// How long the other one does, on a busy machine.
const PATIENT: Duration = Duration::from_secs(30);

fn facade(url: String, timeout: Duration) -> Auth {
    Auth::from_json(r#"{ "secret": "an access secret of at least 32 bytes" }"#)
        .unwrap()
        .store_at(StoreAddress::new(url).timeout(timeout))
        .build()
        .unwrap()
}

/// How many scripts the server has refused with `LATE`.
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

/// What the server's clock shows is learnt when it is connected to, here by a question that took long to arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_command_has_no_effect_after_a_slow_connect() {
    it_does_nothing_after(Duration::from_millis(120)).await;
}

/// The connection that is cut off was made while each question took so long to arrive.
async fn it_does_nothing_after(delay: Duration) {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let cut_off = facade(server.url_through(&proxy), IMPATIENT);
    let other = facade(server.url(), PATIENT);
    proxy.delay(delay, Duration::ZERO);
    let pair = other.login(Login::new(Subject::new("bob").unwrap())).await.unwrap();
    while cut_off.refresh(RefreshRequest::new(pair.refresh_token.expose())).await.is_err() {}
    proxy.heal();
    // On a busy machine the question may be given up before it was sent, and then never arrives.
    let begun = Instant::now();
    while !a_held_refresh_is_refused(&server, &proxy, &cut_off, &other).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing that was held has arrived");
    }
}

/// Whether what one process asked while it was cut off came to the server; if so, that it did
/// nothing there.
async fn a_held_refresh_is_refused(
    server: &RedisServer,
    proxy: &TcpProxy,
    cut_off: &Auth,
    other: &Auth,
) -> bool {
    let pair = other.login(Login::new(Subject::new("alice").unwrap())).await.unwrap();
    let mut token = pair.refresh_token.expose().to_owned();
    // The connection that is cut off is one that was there before.
    let again = cut_off.refresh(RefreshRequest::new(&token)).await;
    let Ok(next) = again else { return false };
    token = next.refresh_token.unwrap().expose().to_owned();

    // One process is cut off while it asks; the client tries another one and goes on there.
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
    // Taken for a second holder, it would have ended the session.
    other.refresh(RefreshRequest::new(&token)).await.unwrap();
    has_arrived
}
