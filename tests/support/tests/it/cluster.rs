//! A real cluster.

use std::sync::Arc;

use regrant_test_support::{Certificates, ClusterOptions, RedisCluster, Takeover};

fn get(cluster: &RedisCluster, node: usize, key: &str) -> anyhow::Result<Option<String>> {
    cluster.nodes()[node].command(&["GET", key])
}

#[test]
fn a_replica_is_promoted_when_its_master_is_killed() {
    let mut cluster = RedisCluster::start().unwrap();
    assert_eq!(cluster.masters().unwrap().len(), 3);
    let slot = cluster.slot_of("k").unwrap();
    let mut master = cluster.master_of(slot).unwrap();
    cluster.nodes()[master].command::<()>(&["SET", "k", "v"]).unwrap();

    for how in [Takeover::Agreed, Takeover::Force, Takeover::Alone] {
        let replica = cluster.replica_of(master).unwrap();
        assert_eq!(cluster.failover(master, how).unwrap(), replica, "{how:?}");
        assert_eq!(cluster.master_of(slot).unwrap(), replica, "{how:?}");
        cluster.wait_until_settled().unwrap();
        assert_eq!(cluster.replica_of(replica).unwrap(), master, "{how:?}");
        assert_eq!(get(&cluster, replica, "k").unwrap().as_deref(), Some("v"), "{how:?}");
        master = replica;
    }

    let replica = cluster.replica_of(master).unwrap();
    cluster.node_mut(master).kill();
    cluster.wait_for_master(replica).unwrap();
    assert_eq!(get(&cluster, replica, "k").unwrap().as_deref(), Some("v"));
    cluster.node_mut(master).restart().unwrap();
    cluster.wait_until_settled().unwrap();
    assert_eq!(cluster.replica_of(replica).unwrap(), master);
}

#[test]
fn a_slot_moves_with_its_keys() {
    let cluster = ClusterOptions::new().password("sesame").start().unwrap();
    let slot = cluster.slot_of("{tag}1").unwrap();
    let from = cluster.master_of(slot).unwrap();
    let to = cluster.masters().unwrap().into_iter().find(|&node| node != from).unwrap();
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
    assert_eq!(cluster.master_of(slot).unwrap(), to);
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
    let master = cluster.masters().unwrap()[0];
    cluster.failover(master, Takeover::Agreed).unwrap();
}

#[test]
fn behind_proxies_clients_are_sent_to_the_proxies() {
    let cluster = ClusterOptions::new().proxied().start().unwrap();
    let slot = cluster.slot_of("k").unwrap();
    let master = cluster.master_of(slot).unwrap();
    let other = cluster.masters().unwrap().into_iter().find(|&node| node != master).unwrap();
    let error = format!("{:#}", get(&cluster, other, "k").unwrap_err());
    let proxy = cluster.proxy(master).unwrap().port();
    assert!(error.contains(&proxy.to_string()), "{error}");
    assert!(cluster.url().contains(&format!("127.0.0.1:{proxy}")));
}
