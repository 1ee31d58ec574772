//! The health problems and warnings that Redis stores report to operators.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use regrant::Error;
use regrant::store::{Eviction, StoreHealth, StoreWarningCode as Code};
use regrant_session_tests::device::{Device, redis_at, until, user};
use regrant_test_support::{
    RedisCluster, RedisOptions, RedisServer, SentinelOptions, in_own_process,
};

/// The log output, as text.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// The output of all tests of this process.
    fn of_the_process() -> Self {
        static WRITTEN: OnceLock<Written> = OnceLock::new();
        WRITTEN
            .get_or_init(|| {
                let written = Self::default();
                let writer = written.clone();
                let log = tracing_subscriber::fmt().with_ansi(false);
                log.with_writer(move || writer.clone()).init();
                written
            })
            .clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn codes(health: &StoreHealth) -> Vec<Code> {
    health.warnings.iter().map(|warning| warning.code).collect()
}

#[tokio::test]
async fn a_healthy_server_has_no_problems() {
    let server = RedisOptions::new().append_only().start().unwrap();
    let health = redis_at(&server.url(), |_| ()).health().await;
    assert!(health.reachable && health.round_trip.is_some());
    assert_eq!((health.store, health.layout), ("redis", Some("standalone")));
    assert_eq!(codes(&health), []);
    let [one] = &health.servers[..] else { panic!("{health:?}") };
    assert_eq!(one.address, format!("127.0.0.1:{}", server.port()));
    assert_eq!((one.role, one.replicas), (Some("master"), Some(0)));
    assert_eq!(one.persistence, Some("aof"));
    assert_eq!(one.eviction_policy.as_deref(), Some("noeviction"));
    assert!(one.version.as_deref().is_some_and(|version| version.contains('.')));
    let json = serde_json::to_value(&health).unwrap();
    assert!(json["roundTripMs"].is_f64() && json["servers"][0]["roundTripMs"].is_f64(), "{json}");
}

#[tokio::test]
async fn every_health_problem_has_a_code() {
    let server = RedisServer::start().unwrap();
    let health = redis_at(&server.url(), |options| options.replicas = Some(1)).health().await;
    assert!(health.reachable);
    assert_eq!(codes(&health), [Code::NoReplica, Code::NoPersistence]);
    server.command::<()>(&["CONFIG", "SET", "save", "900 1"]).unwrap();
    let health = redis_at(&server.url(), |_| ()).health().await;
    assert_eq!((health.servers[0].persistence, codes(&health)), (Some("rdb"), vec![]));

    let rules = ["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-info", "-config"];
    server.command::<()>(&rules).unwrap();
    let store = redis_at(&server.url().replace("//", "//app:pw@"), |_| ());
    Device::login(&store, user(0)).await.unwrap();
    let health = store.health().await;
    assert!(health.reachable);
    assert_eq!(codes(&health), [Code::NotAllowed]);
    assert_eq!(health.servers[0].persistence, None);

    let store = redis_at("redis://:planted@127.0.0.1:1", |_| ());
    let health = store.health().await;
    assert!(!health.reachable && !health.servers[0].reachable);
    assert_eq!(codes(&health), [Code::Unreachable]);
    assert!(!serde_json::to_string(&health).unwrap().contains("planted"));
    assert_eq!(serde_json::to_value(&health).unwrap()["warnings"][0]["code"], "unreachable");
}

#[tokio::test]
async fn an_evicting_server_is_warned_about_once() {
    if !in_own_process("redis_health::an_evicting_server_is_warned_about_once") {
        return;
    }
    let policy = ("maxmemory-policy", "allkeys-lru");
    let mut server = RedisOptions::new().setting(policy.0, policy.1).start().unwrap();
    let written = Written::of_the_process();
    let port = format!("127.0.0.1:{}", server.port());
    let warnings = || {
        let lines = written.text();
        let found = lines.lines().filter(|line| line.contains("evict") && line.contains(&port));
        found.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let store = redis_at(&server.url(), |_| ());
    for number in 0..5 {
        Device::login(&store, user(number)).await.unwrap();
    }
    let lines = warnings();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("ERROR") && line.contains("allkeys-lru"), "{line}");
    assert!(line.contains("noeviction"), "{line}");
    assert!(codes(&store.health().await).contains(&Code::EvictingPolicy));

    // Again after a restart.
    server.restart().unwrap();
    until("the store answers", || async { Device::login(&store, user(0)).await.is_ok() }).await;
    assert_eq!(warnings().len(), 2);

    // Not after the setting is fixed.
    server.command::<()>(&["CONFIG", "SET", policy.0, "noeviction"]).unwrap();
    assert!(!codes(&store.health().await).contains(&Code::EvictingPolicy));
}

#[tokio::test]
async fn an_evicting_server_is_rejected_if_configured() {
    let policy = "maxmemory-policy";
    let server = RedisOptions::new().setting(policy, "volatile-ttl").start().unwrap();
    let store = redis_at(&server.url(), |options| options.eviction = Eviction::Refuse);
    for _ in 0..3 {
        let error = Device::login(&store, user(0)).await.unwrap_err();
        assert!(matches!(error, Error::StoreUnavailable { .. }), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("maxmemory-policy"), "{source}");
    }
    let health = store.health().await;
    assert!(!health.reachable);
    assert_eq!(codes(&health), [Code::Unreachable, Code::EvictingPolicy]);
    server.command::<()>(&["CONFIG", "SET", policy, "noeviction"]).unwrap();
    until("the store is available", || async { Device::login(&store, user(0)).await.is_ok() })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_checks_every_primary() {
    let setup = SentinelOptions::new().replicas(1).append_only().start().unwrap();
    let health = redis_at(&setup.url(), |_| ()).health().await;
    assert_eq!((health.layout, codes(&health)), (Some("sentinel"), vec![]));
    assert_eq!(health.servers[0].replicas, Some(1));

    let cluster = RedisCluster::start().unwrap();
    let health = redis_at(&cluster.url(), |_| ()).health().await;
    assert_eq!(health.layout, Some("cluster"));
    assert_eq!(health.servers.len(), 3);
    assert!(health.reachable && health.servers.iter().all(|one| one.replicas == Some(1)));
}

/// The ACLs in the documentation page "Running on Redis".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_acls_are_sufficient() {
    let page = include_str!("../../../../bindings-node/docs/redis.md");
    let rules: Vec<&str> = page.split('`').filter(|part| part.starts_with("+@read")).collect();
    let [data] = rules[..] else { panic!("{rules:?}") };
    let rules: Vec<&str> = page.split('`').filter(|part| part.starts_with("+cluster|")).collect();
    let [cluster] = rules[..] else { panic!("{rules:?}") };
    let rules: Vec<&str> = page.split('`').filter(|part| part.starts_with("+sentinel|")).collect();
    let [sentinel] = rules[..] else { panic!("{rules:?}") };
    let allow = |server: &RedisServer, rules: &str| {
        let mut words = vec!["ACL", "SETUSER", "app", "reset", "on", ">pw", "~regrant:*"];
        words.extend(rules.split(' '));
        server.command::<()>(&words).unwrap();
    };
    let works = async |store: regrant_session_tests::device::Store| {
        let mut device = Device::login(&store, user(0)).await.unwrap();
        device.refresh(&store).await.unwrap();
        let reason = regrant::types::RevocationReason::Logout;
        let answer = store.revoke(&device.subject, &device.session, reason).await.unwrap();
        assert_ne!(answer.replicated, regrant::store::Replicated::No);
        let feed = store.feed().unwrap();
        let moment = Duration::from_millis(20);
        feed.read(&Default::default(), moment).await.unwrap();
        assert!(!codes(&store.health().await).contains(&Code::NotAllowed));
        assert!(store.health().await.servers[0].persistence.is_some());
    };

    let server = RedisServer::start().unwrap();
    allow(&server, data);
    works(redis_at(&server.url().replace("//", "//app:pw@"), |_| ())).await;

    let nodes = RedisCluster::start().unwrap();
    for node in nodes.nodes() {
        allow(node, &format!("{data} {cluster}"));
    }
    // A replica on a busy machine takes its time.
    let patient = Duration::from_secs(1);
    let url = nodes.url().replace("//", "//app:pw@");
    works(redis_at(&url, |options| options.replica_timeout = patient)).await;

    let setup = SentinelOptions::new().replicas(1).start().unwrap();
    for server in setup.servers() {
        allow(server, data);
    }
    for one in setup.sentinels() {
        allow(one, sentinel);
    }
    let store = redis_at(&setup.url().replace("//", "//app:pw@"), |options| {
        options.replica_timeout = patient;
        options.sentinel = Some(regrant::store::RedisCredentials {
            username: Some("app".to_owned()),
            password: Some(regrant::types::SecretBytes::new("pw")),
        });
    });
    works(Arc::clone(&store)).await;
    let listens = |one: &RedisServer| {
        let clients: String = one.command(&["CLIENT", "LIST"]).unwrap();
        clients.lines().any(|client| client.contains("user=app") && !client.contains(" sub=0 "))
    };
    until("every Sentinel has a subscription", || async { setup.sentinels().iter().all(listens) })
        .await;
}
