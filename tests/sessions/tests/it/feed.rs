//! Revocations reach another `Auth` through the feed: real stores, real time.

use regrant_model::report::report;
use regrant_session_tests::backends::PATIENCE;
use std::time::{Duration, Instant};

use regrant::auth::StalePolicy;
use regrant::revocation::{FeedCursor, Revocation, RevocationTarget};
use regrant::store::StoreAddress;
use regrant::types::{Clock, SessionId, Subject, SystemClock, Timestamp};
use regrant::{Auth, ErrorCode, Login};
use regrant_test_support::{RedisCluster, RedisOptions, RedisServer, SentinelOptions};

/// A generous timeout: a feed that needs this long is broken.
const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// A separate `Auth`, as another process would have.
fn auth_at(address: &StoreAddress) -> Auth {
    Auth::from_json(r#"{ "secret": "an access secret of at least 32 bytes" }"#)
        .unwrap()
        .store_at(address.clone())
        .max_staleness(Duration::from_secs(2))
        .build()
        .unwrap()
}

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

/// Waits until `condition` holds.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONG_ENOUGH, "timed out: {what}");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

fn is_refused(auth: &Auth, token: &str) -> bool {
    match auth.verify(token) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::AccessRevoked);
            true
        }
    }
}

/// Logs out everywhere in one `Auth`, `trials` times, and reports how long after the
/// acknowledgement the other one rejects the token.
async fn revocation_reaches_the_other(name: &str, address: &StoreAddress, trials: usize) {
    let (here, there) = (auth_at(address), auth_at(address));
    until("the feed is read", || there.feed_lag().is_some()).await;
    let mut delays = Vec::with_capacity(trials);
    for _ in 0..trials {
        let pair = here.login(Login::new(alice())).await.unwrap();
        let token = pair.access_token.expose();
        assert!(!is_refused(&there, token));
        // Lets the report of the use arrive first, so that only the feed can cause the rejection.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(here.logout_everywhere(&alice()).await.unwrap(), 1);
        let acknowledged = Instant::now();
        until("the revocation arrives", || is_refused(&there, token)).await;
        delays.push(acknowledged.elapsed());
    }
    delays.sort_unstable();
    let (median, worst) = (delays[trials / 2], delays[trials - 1]);
    report(format!("feed over {name}: {trials} revocations, median {median:?}, slowest {worst:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_redis() {
    let server = RedisServer::start().unwrap();
    let address = StoreAddress::new(server.url()).timeout(PATIENCE);
    revocation_reaches_the_other("Redis", &address, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sentinels() {
    let sentinels = SentinelOptions::new().replicas(1).start().unwrap();
    let address = StoreAddress::new(sentinels.url()).timeout(PATIENCE);
    revocation_reaches_the_other("Sentinels", &address, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_cluster() {
    let cluster = RedisCluster::start().unwrap();
    let address = StoreAddress::new(cluster.url()).timeout(PATIENCE);
    revocation_reaches_the_other("a cluster", &address, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let address = StoreAddress::new(format!("file:{}", path.display()));
    revocation_reaches_the_other("a file", &address, 10).await;
}

/// The publication time comes from the clock that the store also reports later.
async fn the_store_dates_what_it_is_told(address: &StoreAddress) {
    let store = address.open(None).unwrap();
    let feed = store.feed().unwrap();
    let before = feed.now().await.unwrap().unwrap();
    let target = RevocationTarget::Session { session: SessionId::from_bytes([7; 16]) };
    let revocation = Revocation::new(target, before.plus(Duration::from_secs(60)));
    feed.publish(&[revocation.clone(), revocation]).await.unwrap();
    let page = feed.read(&FeedCursor::default(), Duration::ZERO).await.unwrap();
    let after = feed.now().await.unwrap().unwrap();
    assert_eq!((page.revocations.len(), page.published_at.len()), (2, 2));
    for published_at in page.published_at {
        assert!(
            before <= published_at && published_at <= after,
            "{before:?} {published_at:?} {after:?}"
        );
    }
}

#[tokio::test]
async fn redis_sets_the_publication_time() {
    let server = RedisServer::start().unwrap();
    the_store_dates_what_it_is_told(&StoreAddress::new(server.url())).await;
}

#[tokio::test]
async fn the_file_store_sets_the_publication_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    the_store_dates_what_it_is_told(&StoreAddress::new(format!("file:{}", path.display()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_redis_makes_the_feed_stale_and_loses_no_revocation() {
    let mut server = RedisOptions::new().append_only().start().unwrap();
    let address = StoreAddress::new(server.url()).timeout(PATIENCE);
    let (here, there) = (auth_at(&address), auth_at(&address));
    let (kept, ended) = (
        here.login(Login::new(alice())).await.unwrap(),
        here.login(Login::new(alice())).await.unwrap(),
    );
    until("the feed is read", || there.feed_lag().is_some()).await;
    here.logout(ended.refresh_token.expose()).await.unwrap();

    server.kill();
    until("the feed is stale", || there.feed_lag() > Some(Duration::from_secs(2))).await;
    let kept = kept.access_token.expose();
    there.verify_checked(kept, StalePolicy::Accept).await.unwrap();
    for when in [StalePolicy::Reject, StalePolicy::CheckStore] {
        let error = there.verify_checked(kept, when).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::StoreUnavailable);
    }

    server.restart().unwrap();
    // On a busy machine a feed that was just read may be stale again when it is asked about.
    let restarted = Instant::now();
    while there.verify_checked(kept, StalePolicy::Reject).await.is_err() {
        assert!(restarted.elapsed() < LONG_ENOUGH, "the feed stays stale");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(is_refused(&auth_that_has_read(&address).await, ended.access_token.expose()));
}

/// An `Auth` that starts now.
async fn auth_that_has_read(address: &StoreAddress) -> Auth {
    let auth = auth_at(address);
    until("the feed is read", || auth.feed_lag().is_some()).await;
    auth
}

/// Apps with other lifetimes of access tokens publish to the same feed.
#[tokio::test]
async fn redis_drops_what_has_expired_and_nothing_else() {
    let server = RedisServer::start().unwrap();
    let store = StoreAddress::new(server.url()).open(None).unwrap();
    let feed = store.feed().unwrap();
    let now = SystemClock.now().as_millis();
    let entry = |number: u8, seconds: i64| {
        let target = RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) };
        Revocation::new(target, Timestamp::from_millis(now + seconds * 1_000))
    };
    // As they were published 40 minutes ago: some for an hour, some for half of it.
    let (long, expired): (Vec<_>, Vec<_>) =
        (0..60).map(|number| (entry(number, 1_200), entry(100 + number, -600))).unzip();
    for (index, revocation) in long.iter().chain(&expired).enumerate() {
        let json = serde_json::to_string(revocation).unwrap();
        let id = format!("{}-0", now - 2_400_000 + index as i64);
        server.command::<String>(&["XADD", "regrant:feed", &id, "e", &json]).unwrap();
    }
    let new: Vec<_> = (0..3).map(|number| entry(200 + number, 1)).collect();
    for revocation in &new {
        feed.publish(std::slice::from_ref(revocation)).await.unwrap();
    }
    let read = feed.read(&FeedCursor::default(), Duration::from_millis(50)).await.unwrap();
    let still = |revocation: &&Revocation| read.revocations.contains(revocation);
    assert_eq!(long.iter().filter(still).count(), long.len());
    assert_eq!(new.iter().filter(still).count(), new.len());
    let left = expired.iter().filter(still).count();
    assert!(left < expired.len(), "nothing of what has expired is dropped");
}

/// A failover that loses writes sets the stream ids back: entries published afterwards have lower ids
/// than entries that were read before.
#[tokio::test]
async fn revocations_published_after_a_lossy_failover_are_read() {
    let server = RedisServer::start().unwrap();
    let store = StoreAddress::new(server.url()).open(None).unwrap();
    let feed = store.feed().unwrap();
    let revocation = |number: u8| {
        Revocation::new(
            RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) },
            SystemClock.now().plus(Duration::from_secs(900)),
        )
    };
    let moment = Duration::from_millis(50);
    feed.publish(&[revocation(1)]).await.unwrap();
    let ahead = SystemClock.now().plus(Duration::from_secs(30)).as_millis();
    let entry = serde_json::to_string(&revocation(2)).unwrap();
    let id = format!("{ahead}-0");
    server.command::<String>(&["XADD", "regrant:feed", &id, "e", &entry]).unwrap();
    let read = feed.read(&FeedCursor::default(), moment).await.unwrap();
    assert_eq!(read.revocations.len(), 2);
    let nothing = feed.read(&read.next, moment).await.unwrap();
    assert!(nothing.revocations.is_empty());

    // The new primary does not have the second entry, and its clock is behind.
    let first: Vec<(String, (String, String))> =
        server.command(&["XRANGE", "regrant:feed", "-", "+", "COUNT", "1"]).unwrap();
    let (id, (_, entry)) = &first[0];
    server.command::<()>(&["DEL", "regrant:feed"]).unwrap();
    server.command::<String>(&["XADD", "regrant:feed", id, "e", entry]).unwrap();
    feed.publish(&[revocation(3)]).await.unwrap();
    server.command::<u32>(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    let mut cursor = nothing.next;
    let (mut found, since) = (Vec::new(), Instant::now());
    while !found.contains(&revocation(3).target) {
        assert!(since.elapsed() < LONG_ENOUGH, "the entry is not read: {found:?}");
        if let Ok(page) = feed.read(&cursor, moment).await {
            found.extend(page.revocations.into_iter().map(|revocation| revocation.target));
            cursor = page.next;
        }
    }
    // Reading continues from there: no entry is delivered twice.
    assert!(feed.read(&cursor, moment).await.unwrap().revocations.is_empty());
    feed.publish(&[revocation(4)]).await.unwrap();
    assert_eq!(feed.read(&cursor, moment).await.unwrap().revocations.len(), 1);
}
