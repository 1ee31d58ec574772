//! Servers that respond and refuse writes: out of memory, a broken disk, too few replicas.

use std::time::Duration;

use regrant::revocation::{FeedCursor, Revocation, RevocationTarget};
use regrant::store::{RevocationOutcome, SessionFilter, StoreWarningCode as Code};
use regrant::types::{Clock, RevocationReason, SystemClock};
use regrant_session_tests::device::{Device, Store, redis_at, until, user};
use regrant_test_support::{RedisCluster, RedisOptions, RedisServer};

fn set(server: &RedisServer, name: &str, value: &str) {
    server.command::<()>(&["CONFIG", "SET", name, value]).unwrap();
}

/// The store responds, is not ready, and says why.
async fn is_not_ready(store: &Store, code: Code) {
    let health = store.health().await;
    assert!(health.reachable && !health.ready, "{health:?}");
    assert!(health.warnings.iter().any(|warning| warning.code == code), "{health:?}");
    assert!(health.servers.iter().all(|server| server.version.is_some()), "{health:?}");
    assert!(Device::login(store, user(9)).await.is_err());
}

#[tokio::test]
async fn out_of_memory_stops_logins_only() {
    let server = RedisOptions::new().append_only().start().unwrap();
    let store = redis_at(&server.url(), |_| ());
    let mut devices = Vec::new();
    for number in 0..4 {
        devices.push(Device::login(&store, user(number)).await.unwrap());
    }
    let health = store.health().await;
    assert!(health.ready && health.warnings.is_empty(), "{health:?}");
    set(&server, "maxmemory", "1");
    is_not_ready(&store, Code::OutOfMemory).await;

    // Not even the scripts are known any more.
    server.command::<()>(&["SCRIPT", "FLUSH"]).unwrap();
    let [kept, left, everywhere, _] = &mut devices[..] else { panic!("four devices") };
    for _ in 0..3 {
        kept.refresh(&store).await.unwrap();
    }
    let reason = RevocationReason::Logout;
    let revoked = store.revoke(&left.subject, &left.session, reason).await.unwrap();
    assert_eq!(revoked.outcome, RevocationOutcome::Revoked);
    let all = store.revoke_all(&everywhere.subject, &SessionFilter::ALL, reason).await.unwrap();
    assert_eq!(all.revoked, [everywhere.session]);
    let revocation = Revocation::new(
        RevocationTarget::Session { session: left.session },
        SystemClock.now().plus(Duration::from_secs(900)),
    );
    let feed = store.feed().unwrap();
    feed.publish(std::slice::from_ref(&revocation)).await.unwrap();
    let page = feed.read(&FeedCursor::default(), Duration::from_millis(20)).await.unwrap();
    assert_eq!(page.revocations, [revocation]);

    set(&server, "maxmemory", "0");
    assert!(store.health().await.ready);
    let listed = store.list(&left.subject).await.unwrap();
    assert!(!listed[0].record.is_live(SystemClock.now()));
    kept.refresh(&store).await.unwrap();
}

#[tokio::test]
async fn a_broken_disk_and_missing_replicas_are_told() {
    let server = RedisOptions::new().setting("dbfilename", "occupied").start().unwrap();
    let store = redis_at(&server.url(), |_| ());
    let mut device = Device::login(&store, user(0)).await.unwrap();
    set(&server, "min-replicas-to-write", "1");
    is_not_ready(&store, Code::NotWritable).await;
    set(&server, "min-replicas-to-write", "0");
    assert!(store.health().await.ready);

    // A snapshot cannot be written, because there is a folder of its name.
    let (_, folder): (String, String) = server.command(&["CONFIG", "GET", "dir"]).unwrap();
    std::fs::create_dir(std::path::Path::new(&folder).join("occupied")).unwrap();
    set(&server, "save", "3600 1");
    server.command::<()>(&["BGSAVE"]).unwrap();
    until("the snapshot has failed", || async {
        let info: String = server.command(&["INFO", "persistence"]).unwrap();
        info.contains("rdb_last_bgsave_status:err")
    })
    .await;
    is_not_ready(&store, Code::DiskFull).await;
    set(&server, "stop-writes-on-bgsave-error", "no");
    assert!(store.health().await.ready);
    device.refresh(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_full_server_of_a_cluster_makes_it_unready() {
    let cluster = RedisCluster::start().unwrap();
    let store = redis_at(&cluster.url(), |_| ());
    let health = store.health().await;
    assert!(health.ready && health.servers.len() == 3, "{health:?}");
    let full = cluster.primaries().unwrap()[1];
    set(&cluster.nodes()[full], "maxmemory", "1");
    let health = store.health().await;
    assert!(!health.ready && health.reachable, "{health:?}");
    let codes: Vec<_> =
        health.warnings.iter().filter(|warning| warning.code == Code::OutOfMemory).collect();
    let [warning] = codes[..] else { panic!("{health:?}") };
    let address = format!("127.0.0.1:{}", cluster.nodes()[full].port());
    assert_eq!(warning.server.as_deref(), Some(address.as_str()));
}
