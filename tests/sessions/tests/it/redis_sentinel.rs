//! A store behind Sentinels: the client discovers the primary and follows failovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use regrant::Error;
use regrant::store::{RedisCredentials, Replicated, RevocationOutcome};
use regrant::types::RevocationReason;
use regrant_session_tests::device::{
    Device, LONG_ENOUGH, Store, patient_redis_at, redis_at, until, user,
};
use regrant_test_support::{RedisSentinels, RedisServer, SentinelOptions};

const REASON: RevocationReason = RevocationReason::Logout;
/// Far more than a failure takes while the primary is down, far less than a failover.
const QUICKLY: Duration = Duration::from_secs(10);

fn holds(server: &RedisServer, device: &Device) -> bool {
    server.command(&["EXISTS", &format!("regrant:u:{}", device.subject)]).unwrap()
}

fn role(server: &RedisServer) -> String {
    let answer: Vec<redis::Value> = server.command(&["ROLE"]).unwrap();
    redis::from_redis_value(answer.into_iter().next().unwrap()).unwrap()
}

/// The number of `WAIT` commands that the server has executed.
fn waits(server: &RedisServer) -> u64 {
    let stats: String = server.command(&["INFO", "commandstats"]).unwrap();
    let calls =
        stats.split_once("cmdstat_wait:calls=").and_then(|(_, rest)| rest.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

async fn login_at_last(store: &Store, number: usize) -> Device {
    let since = Instant::now();
    loop {
        match Device::login(store, user(number)).await {
            Ok(device) => return device,
            Err(error) => assert!(since.elapsed() < LONG_ENOUGH, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_followed_while_the_old_primary_accepts_writes() {
    // If the old primary was demoted before the end of the test, the test is inconclusive.
    for _ in 0..5 {
        if a_switch_is_followed().await {
            return;
        }
    }
    panic!("the old primary was always demoted too soon");
}

/// Whether the old primary was a primary to the end.
async fn a_switch_is_followed() -> bool {
    let setup = RedisSentinels::start().unwrap();
    let store = patient_redis_at(&setup.url(), |_| ());
    let mut device = Device::login(&store, user(0)).await.unwrap();
    let old = setup.primary().unwrap();
    assert!(holds(&setup.servers()[old], &device));

    let new = setup.failover().unwrap();
    // All Sentinels have announced the new primary; the notification may be delayed.
    let since = Instant::now();
    let mut number = 1;
    while !holds(&setup.servers()[new], &login_at_last(&store, number).await) {
        assert!(since.elapsed() < LONG_ENOUGH, "the client still uses the old primary");
        number += 1;
    }
    for number in 1_000..1_050 {
        let device = login_at_last(&store, number).await;
        assert!(holds(&setup.servers()[new], &device), "a login went to the old primary");
    }
    let shown = role(&setup.servers()[old]) == "master";
    device.refresh_at_last(&store).await;
    shown
}

/// The old primary still accepts logins for a short time, without any replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_during_a_failover_are_not_lost() {
    let setup = Arc::new(SentinelOptions::new().replicas(1).start().unwrap());
    let store = patient_redis_at(&setup.url(), |_| ());
    login_at_last(&store, 0).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 1..=8 {
        let (store, over) = (Arc::clone(&store), Arc::clone(&over));
        tasks.spawn(async move {
            let mut devices = Vec::new();
            while !over.load(Ordering::Relaxed) {
                devices.push(login_at_last(&store, task * 1_000_000 + devices.len()).await);
            }
            devices
        });
    }
    let ordered = Arc::clone(&setup);
    let new = tokio::task::spawn_blocking(move || ordered.failover().unwrap()).await.unwrap();
    over.store(true, Ordering::Relaxed);
    let devices = tasks.join_all().await.concat();
    let lost = devices.iter().filter(|device| !holds(&setup.servers()[new], device)).count();
    assert_eq!(lost, 0, "of {} logins", devices.len());
    assert!(devices.len() > 8, "{}", devices.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced_and_nobody_is_signed_out() {
    let mut setup = RedisSentinels::start().unwrap();
    let store = patient_redis_at(&setup.url(), |_| ());
    let mut devices = Vec::new();
    for number in 0..5 {
        devices.push(Device::login(&store, user(number)).await.unwrap());
    }
    setup.wait_until_settled().unwrap();
    let old = setup.primary().unwrap();
    setup.server_mut(old).kill();
    for device in &mut devices {
        let since = Instant::now();
        // The first request may have been in flight.
        match device.clone().refresh(&store).await {
            Ok(()) => {}
            Err(error) => assert!(matches!(error, Error::StoreUnavailable { .. }), "{error:?}"),
        }
        assert!(since.elapsed() < QUICKLY, "{:?}", since.elapsed());
    }
    for device in &mut devices {
        device.refresh_at_last(&store).await;
        device.refresh(&store).await.unwrap();
    }
    setup.wait_for_another_primary(old).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_reports_whether_it_was_replicated() {
    let setup = SentinelOptions::new().replicas(1).start().unwrap();
    // A replica on a busy machine takes its time.
    let store = patient_redis_at(&setup.url(), |options| {
        options.timeout = Duration::from_secs(30);
        options.replica_timeout = Duration::from_secs(1);
    });
    let not_asking = patient_redis_at(&setup.url(), |options| options.replicas = Some(0));
    let demanding = patient_redis_at(&setup.url(), |options| options.replicas = Some(2));
    let mut devices = Vec::new();
    for number in 0..24 {
        devices.push(Device::login(&store, user(number)).await.unwrap());
    }
    let mut revoke = async |store: &Store| {
        let device = devices.pop().unwrap();
        let answer = store.revoke(&device.subject, &device.session, REASON).await.unwrap();
        assert_eq!(answer.outcome, RevocationOutcome::Revoked);
        answer.replicated
    };
    assert_eq!(revoke(&store).await, Replicated::Yes);
    assert_eq!(revoke(&not_asking).await, Replicated::NotAsked);
    assert_eq!(revoke(&demanding).await, Replicated::No);

    let primary = setup.primary().unwrap();
    let replica = &setup.servers()[1 - primary];
    replica.pause().unwrap();
    // The revocation is effective nevertheless.
    assert_eq!(revoke(&store).await, Replicated::No);
    let at_once = devices.split_off(4);
    let answers = at_once.iter().map(|device| {
        let store = &store;
        async move { store.revoke(&device.subject, &device.session, REASON).await.unwrap() }
    });
    let waits_before = waits(&setup.servers()[primary]);
    for answer in futures_util::future::join_all(answers).await {
        assert_eq!(
            (answer.outcome, answer.replicated),
            (RevocationOutcome::Revoked, Replicated::No)
        );
    }
    // Concurrent revocations share one or two waits of 1 s; in sequence each would have its own.
    let waited = waits(&setup.servers()[primary]) - waits_before;
    assert!(waited < 10, "{waited} waits for 20 revocations");
    replica.resume().unwrap();
    let last = devices.pop().unwrap();
    until("the replica has it", || async {
        let answer = store.revoke_all(&last.subject, &Default::default(), REASON).await.unwrap();
        answer.replicated == Replicated::Yes
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sentinels_the_known_primary_stays_in_use() {
    let mut setup = SentinelOptions::new().replicas(1).start().unwrap();
    let store = patient_redis_at(&setup.url(), |_| ());
    let mut device = Device::login(&store, user(0)).await.unwrap();
    for number in 0..3 {
        setup.sentinel_mut(number).kill();
    }
    for _ in 0..20 {
        device.refresh(&store).await.unwrap();
    }
    // Even when the connection is lost.
    let primary = &setup.servers()[0];
    let _: u32 = primary.command(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    device.refresh_at_last(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reachable_sentinel_is_enough() {
    let mut setup = SentinelOptions::new().replicas(1).start().unwrap();
    setup.sentinel_mut(0).kill();
    setup.sentinel_mut(2).kill();
    let store = patient_redis_at(&setup.url(), |_| ());
    Device::login(&store, user(0)).await.unwrap().refresh(&store).await.unwrap();
}

/// An address of one server that is that of a Sentinel: the error says which address is needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_is_not_taken_for_a_server() {
    let setup = SentinelOptions::new().replicas(1).start().unwrap();
    let store = redis_at(&setup.sentinels()[0].url(), |_| ());
    let error = format!("{:?}", Device::login(&store, user(0)).await.unwrap_err());
    assert!(error.contains("is a Sentinel") && error.contains("redis+sentinel://"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_and_sentinels_have_separate_passwords() {
    let options =
        SentinelOptions::new().replicas(1).password("primary1").sentinel_password("watch1");
    let setup = options.start().unwrap();
    let sentinel = |password: &str| {
        let password = Some(regrant::types::SecretBytes::new(password));
        Some(RedisCredentials { username: None, password })
    };
    let store = patient_redis_at(&setup.url(), |options| options.sentinel = sentinel("watch1"));
    Device::login(&store, user(0)).await.unwrap().refresh(&store).await.unwrap();
    for wrong in [None, sentinel("other")] {
        let store = patient_redis_at(&setup.url(), |options| options.sentinel = wrong);
        let error = Device::login(&store, user(0)).await.unwrap_err();
        assert!(matches!(error, Error::StoreUnavailable { .. }), "{error:?}");
    }
    let url = setup.url().replace("primary1", "other");
    let store = patient_redis_at(&url, |options| options.sentinel = sentinel("watch1"));
    assert!(Device::login(&store, user(0)).await.is_err());
    let url = setup.url().replace("/mymaster/", "/another/");
    let store = patient_redis_at(&url, |options| options.sentinel = sentinel("watch1"));
    assert!(Device::login(&store, user(0)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_failover_watch_stops_with_the_store() {
    let setup = SentinelOptions::new().replicas(1).start().unwrap();
    let listeners = || {
        let lists = setup.sentinels().iter().map(|sentinel| {
            let clients: String = sentinel.command(&["CLIENT", "LIST"]).unwrap();
            clients.lines().filter(|client| client.contains(" sub=3 ")).count()
        });
        lists.sum::<usize>()
    };
    assert_eq!(listeners(), 0);
    let store = patient_redis_at(&setup.url(), |_| ());
    assert_eq!(listeners(), 0, "construction does no I/O");
    Device::login(&store, user(0)).await.unwrap();
    until("every Sentinel has a subscription", || async { listeners() == 3 }).await;
    drop(store);
    until("no Sentinel has a subscription", || async { listeners() == 0 }).await;
}
