//! The Redis store in a cluster, while slots move and primaries fail.

use std::time::{Duration, Instant};

use regrant::auth::StalePolicy;
use regrant::store::{Replicated, StoreAddress};
use regrant::types::RevocationReason;
use regrant::{Auth, Error, ErrorCode, Login, TokenPair};
use regrant_session_tests::device::{Device, LONG_ENOUGH, Store, patient_redis_at, until, user};
use regrant_test_support::{RedisCluster, Takeover};

/// Far more than a failure takes while a primary is down, far less than a failover.
const QUICKLY: Duration = Duration::from_secs(10);
const USERS: usize = 30;

async fn logged_in(store: &Store) -> Vec<Device> {
    let mut devices = Vec::new();
    for number in 0..USERS {
        devices.push(Device::login(store, user(number)).await.unwrap());
    }
    devices
}

fn slot(cluster: &RedisCluster, device: &Device) -> u16 {
    cluster.slot_of(&format!("regrant:u:{}", device.subject)).unwrap()
}

/// For each device, whether this primary owns the slot of its user.
fn users_of(cluster: &RedisCluster, devices: &[Device], primary: usize) -> Vec<bool> {
    devices.iter().map(|it| cluster.primary_of(slot(cluster, it)).unwrap() == primary).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_spread_over_the_primaries() {
    let cluster = RedisCluster::start().unwrap();
    // A replica on a busy machine takes its time.
    let store = patient_redis_at(&cluster.url(), |options| {
        options.timeout = Duration::from_secs(30);
        options.replica_timeout = Duration::from_secs(5);
    });
    let mut devices = logged_in(&store).await;
    for primary in cluster.primaries().unwrap() {
        let keys: i64 = cluster.nodes()[primary].command(&["DBSIZE"]).unwrap();
        assert!(keys > 0, "primary {primary} has no user");
    }
    for device in &mut devices {
        device.refresh(&store).await.unwrap();
        assert_eq!(store.list(&device.subject).await.unwrap().len(), 1);
    }
    let reason = RevocationReason::Logout;
    let last = devices.pop().unwrap();
    let answer = store.revoke(&last.subject, &last.session, reason).await.unwrap();
    assert_eq!(answer.replicated, Replicated::Yes);

    // Any one node is enough to discover the others.
    let all = cluster.url();
    let (scheme, hosts) = all.split_once("://").unwrap();
    let one = format!("{scheme}://{}", hosts.rsplit(',').next().unwrap());
    let store = patient_redis_at(&one, |_| ());
    for device in &mut devices {
        device.refresh(&store).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_slot_is_followed() {
    let cluster = RedisCluster::start().unwrap();
    let store = patient_redis_at(&cluster.url(), |_| ());
    let mut device = Device::login(&store, user(0)).await.unwrap();
    let slot = slot(&cluster, &device);
    let from = cluster.primary_of(slot).unwrap();
    let to = cluster.primaries().unwrap().into_iter().find(|node| *node != from).unwrap();
    let migration = cluster.begin_migration(slot, to).unwrap();
    device.refresh(&store).await.unwrap();
    assert!(migration.move_some().unwrap());
    // The key is on its new node, which has not cached the scripts, and the slot is not moved yet.
    cluster.nodes()[to].command::<()>(&["SCRIPT", "FLUSH"]).unwrap();
    device.refresh(&store).await.unwrap();
    migration.finish().unwrap();
    for _ in 0..3 {
        device.refresh(&store).await.unwrap();
    }
    cluster.migrate(slot, from).unwrap();
    device.refresh(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_sign_nobody_out() {
    let cluster = RedisCluster::start().unwrap();
    let store = patient_redis_at(&cluster.url(), |_| ());
    let mut devices = logged_in(&store).await;
    for how in [Takeover::Agreed, Takeover::Force, Takeover::Alone] {
        cluster.wait_until_settled().unwrap();
        let primary = cluster.primaries().unwrap()[0];
        cluster.failover(primary, how).unwrap();
        for device in &mut devices {
            device.refresh_at_last(&store).await;
        }
    }
    for device in &mut devices {
        device.refresh(&store).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_primary_does_not_delay_users_of_other_primaries() {
    let mut cluster = RedisCluster::start().unwrap();
    let store = patient_redis_at(&cluster.url(), |_| ());
    let mut devices = logged_in(&store).await;
    cluster.wait_until_settled().unwrap();
    let dead = cluster.primary_of(slot(&cluster, &devices[0])).unwrap();
    let concerned = users_of(&cluster, &devices, dead);
    assert!(concerned.contains(&false));
    cluster.node_mut(dead).kill();
    for (device, concerned) in devices.iter_mut().zip(&concerned) {
        let since = Instant::now();
        match device.clone().refresh(&store).await {
            Ok(()) => {}
            Err(Error::StoreUnavailable { .. }) if *concerned => {}
            Err(error) => panic!("{}: {error:?}", device.subject),
        }
        assert!(since.elapsed() < QUICKLY, "{:?}", since.elapsed());
    }
    for device in &mut devices {
        device.refresh_at_last(&store).await;
    }
}

fn auth_at(cluster: &RedisCluster) -> Auth {
    Auth::from_json(r#"{ "secret": "an access secret of at least 32 bytes" }"#)
        .unwrap()
        .store_at(StoreAddress::new(cluster.url()))
        .max_staleness(Duration::from_secs(3))
        .build()
        .unwrap()
}

async fn login_at_last(auth: &Auth, number: usize) -> TokenPair {
    let since = Instant::now();
    loop {
        match auth.login(Login::new(user(number))).await {
            Ok(pair) => return pair,
            Err(error) => assert!(since.elapsed() < LONG_ENOUGH, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_continues_after_its_primary_is_replaced() {
    let mut cluster = RedisCluster::start().unwrap();
    let (here, there) = (auth_at(&cluster), auth_at(&cluster));
    let slot = cluster.slot_of("regrant:feed").unwrap();
    let is_refused = |token: &str| match there.verify(token) {
        Ok(_) => false,
        Err(error) => error.code() == ErrorCode::AccessRevoked,
    };
    until("the feed is read", || async { there.feed_lag().is_some() }).await;
    for round in 0..3 {
        cluster.wait_until_settled().unwrap();
        let primary = cluster.primary_of(slot).unwrap();
        match round {
            0 => drop(cluster.failover(primary, Takeover::Force).unwrap()),
            1 => {
                cluster.node_mut(primary).kill();
                until("another node has the feed", || async {
                    cluster.primary_of(slot).is_ok_and(|now| now != primary)
                })
                .await;
            }
            _ => {}
        }
        let pair = login_at_last(&here, round).await;
        let token = pair.access_token.expose();
        assert!(!is_refused(token));
        until("logged out", || async { here.logout(pair.refresh_token.expose()).await.is_ok() })
            .await;
        until("the revocation arrives", || async { is_refused(token) }).await;
        let other = login_at_last(&here, 99).await;
        until("the feed is fresh", || async {
            there.verify_checked(other.access_token.expose(), StalePolicy::Reject).await.is_ok()
        })
        .await;
        if round == 1 {
            let dead = (0..6).find(|node| !cluster.nodes()[*node].is_running()).unwrap();
            cluster.node_mut(dead).restart().unwrap();
        }
    }
}
