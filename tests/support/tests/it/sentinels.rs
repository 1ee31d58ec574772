//! Real Sentinels over real servers.

use std::sync::Arc;
use std::time::Duration;

use super::run_id;
use regrant_test_support::{Certificates, RedisSentinels, SentinelOptions};

fn value_on(sentinels: &RedisSentinels, number: usize) -> Option<String> {
    sentinels.servers()[number].command(&["GET", "k"]).unwrap()
}

#[test]
fn a_killed_or_failed_over_primary_is_replaced() {
    let mut sentinels = RedisSentinels::start().unwrap();
    assert_eq!(sentinels.primary().unwrap(), 0);
    sentinels.servers()[0].command::<()>(&["SET", "k", "v"]).unwrap();
    for replica in [1, 2] {
        let replicated = (0..6000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            value_on(&sentinels, replica).is_some()
        });
        assert!(replicated, "server {replica} has no copy");
    }

    let second = sentinels.failover().unwrap();
    assert_ne!(second, 0);
    assert_eq!(value_on(&sentinels, second).as_deref(), Some("v"));
    sentinels.wait_until_settled().unwrap();

    sentinels.server_mut(second).kill();
    let third = sentinels.wait_for_another_primary(second).unwrap();
    assert_ne!(third, second);
    assert_eq!(value_on(&sentinels, third).as_deref(), Some("v"));
    // It restarts with its previous role, and is reconfigured. (A busy machine may
    // cause one more failover meanwhile.)
    sentinels.server_mut(second).restart().unwrap();
    let (role, ..): (String, i64, Vec<redis::Value>) =
        sentinels.servers()[second].command(&["ROLE"]).unwrap();
    assert_eq!(role, "master");
    sentinels.wait_until_settled().unwrap();
    assert_eq!(value_on(&sentinels, second).as_deref(), Some("v"));
}

#[test]
fn two_sentinels_are_a_quorum_and_a_restarted_one_keeps_its_state() {
    let mut sentinels = SentinelOptions::new().replicas(1).start().unwrap();
    sentinels.sentinel_mut(0).kill();
    let now = sentinels.failover().unwrap();
    assert_eq!(now, 1);
    sentinels.sentinel_mut(0).restart().unwrap();
    sentinels.wait_until_settled().unwrap();
}

#[test]
fn passwords_and_tls_are_required() {
    let certificates = Arc::new(Certificates::new().unwrap());
    let sentinels = SentinelOptions::new()
        .replicas(1)
        .password("sesame")
        .sentinel_password("guardian")
        .tls(&certificates)
        .start()
        .unwrap();
    let url = sentinels.url();
    assert!(url.starts_with("rediss+sentinel://:sesame@127.0.0.1:"), "{url}");
    assert!(url.ends_with("/mymaster/0"), "{url}");
    assert!(sentinels.servers()[0].plain_url().starts_with("redis://:sesame@"));
    assert!(sentinels.sentinels()[0].plain_url().starts_with("redis://:guardian@"));
    let address: (String, u16) = sentinels.sentinels()[0]
        .command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"])
        .unwrap();
    assert!(sentinels.servers()[0].url().ends_with(&format!("{}:{}/0", address.0, address.1)));
    sentinels.failover().unwrap();
}

#[test]
fn a_partition_behind_proxies_causes_a_failover() {
    let sentinels = SentinelOptions::new().proxied().start().unwrap();
    let proxy = sentinels.proxy(0).unwrap();
    proxy.hold();
    let now = sentinels.wait_for_another_primary(0).unwrap();
    // No Sentinel has reconfigured the old one yet.
    let (role, ..): (String, i64, Vec<redis::Value>) =
        sentinels.servers()[0].command(&["ROLE"]).unwrap();
    assert_eq!(role, "master");
    assert_ne!(now, 0);
    proxy.heal();
    sentinels.wait_until_settled().unwrap();
}

#[test]
fn dropping_the_sentinels_ends_all_processes() {
    let sentinels = SentinelOptions::new().replicas(1).proxied().start().unwrap();
    let mut ports: Vec<u16> = sentinels.servers().iter().map(|server| server.port()).collect();
    ports.extend(sentinels.sentinels().iter().map(|sentinel| sentinel.port()));
    ports.extend((0..2).map(|number| sentinels.proxy(number).unwrap().port()));
    assert_eq!(ports.len(), 7);
    // The proxies' ports lead to a server as well.
    let before: Vec<_> = ports.iter().map(|&port| run_id(port).unwrap()).collect();
    drop(sentinels);
    for (port, before) in ports.into_iter().zip(before) {
        assert_ne!(run_id(port), Some(before), "{port}");
    }
}
