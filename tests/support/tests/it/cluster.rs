//! A real cluster.

use std::sync::Arc;

use regrant_test_support::{Certificates, ClusterOptions, RedisCluster, Takeover};

fn get(cluster: &RedisCluster, node: usize, key: &str) -> anyhow::Result<Option<String>> {
    cluster.nodes()[node].command(&["GET", key])
}

#[test]
fn a_replica_is_promoted_when_its_primary_is_killed() {
    let mut cluster = RedisCluster::start().unwrap();
    assert_eq!(cluster.primaries().unwrap().len(), 3);
    let slot = cluster.slot_of("k").unwrap();
    let mut primary = cluster.primary_of(slot).unwrap();
    cluster.nodes()[primary].command::<()>(&["SET", "k", "v"]).unwrap();

    for how in [Takeover::Agreed, Takeover::Force, Takeover::Alone] {
        let replica = cluster.replica_of(primary).unwrap();
        assert_eq!(cluster.failover(primary, how).unwrap(), replica, "{how:?}");
        assert_eq!(cluster.primary_of(slot).unwrap(), replica, "{how:?}");
        cluster.wait_until_settled().unwrap();
        assert_eq!(cluster.replica_of(replica).unwrap(), primary, "{how:?}");
        assert_eq!(get(&cluster, replica, "k").unwrap().as_deref(), Some("v"), "{how:?}");
        primary = replica;
    }

    let replica = cluster.replica_of(primary).unwrap();
    cluster.node_mut(primary).kill();
    cluster.wait_for_primary(replica).unwrap();
    assert_eq!(get(&cluster, replica, "k").unwrap().as_deref(), Some("v"));
    cluster.node_mut(primary).restart().unwrap();
    cluster.wait_until_settled().unwrap();
    assert_eq!(cluster.replica_of(replica).unwrap(), primary);
}

#[test]
fn a_slot_moves_with_its_keys() {
    let cluster = ClusterOptions::new().password("sesame").start().unwrap();
    let slot = cluster.slot_of("{tag}1").unwrap();
    let from = cluster.primary_of(slot).unwrap();
    let to = cluster.primaries().unwrap().into_iter().find(|&node| node != from).unwrap();
    for number in 0..25 {
        let key = format!("{{tag}}{number}");
        cluster.nodes()[from].command::<()>(&["SET", &key, "v"]).unwrap();
    }

    let migration = cluster.begin_migration(slot, to).unwrap();
    assert!(migration.move_some().unwrap());
    let answers = (0..25).map(|number| get(&cluster, from, &format!("{{tag}}{number}")));
    let (here, asked): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    assert_eq!((here.len(), asked.len()), (15, 10));
    let error = format!("{:#}", asked.into_iter().next().unwrap().unwrap_err());
    assert!(error.to_lowercase().contains("ask"), "{error}");
    migration.finish().unwrap();

    cluster.wait_until_settled().unwrap();
    assert_eq!(cluster.primary_of(slot).unwrap(), to);
    for number in 0..25 {
        let key = format!("{{tag}}{number}");
        assert_eq!(get(&cluster, to, &key).unwrap().as_deref(), Some("v"));
    }
}

#[test]
fn a_password_and_tls_are_required() {
    let certificates = Arc::new(Certificates::new().unwrap());
    let cluster = ClusterOptions::new().password("sesame").tls(&certificates).start().unwrap();
    assert!(cluster.url().starts_with("rediss+cluster://:sesame@127.0.0.1:"));
    assert_eq!(cluster.url().matches("127.0.0.1:").count(), 6);
    let primary = cluster.primaries().unwrap()[0];
    cluster.failover(primary, Takeover::Agreed).unwrap();
}

#[test]
fn behind_proxies_clients_are_sent_to_the_proxies() {
    let cluster = ClusterOptions::new().proxied().start().unwrap();
    let slot = cluster.slot_of("k").unwrap();
    let primary = cluster.primary_of(slot).unwrap();
    let other = cluster.primaries().unwrap().into_iter().find(|&node| node != primary).unwrap();
    let error = format!("{:#}", get(&cluster, other, "k").unwrap_err());
    let proxy = cluster.proxy(primary).unwrap().port();
    assert!(error.contains(&proxy.to_string()), "{error}");
    assert!(cluster.url().contains(&format!("127.0.0.1:{proxy}")));
}
