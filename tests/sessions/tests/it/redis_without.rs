//! Servers without diagnostic commands, as proxies and providers have them: only `EVAL`, `EVALSHA`,
//! `TIME` and the commands about data are required.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use regrant::store::StoreWarningCode as Code;
use regrant::types::Clock;
use regrant_session_tests::backends::clock;
use regrant_session_tests::contract;
use regrant_session_tests::contract::Fixture;
use regrant_session_tests::device::{Device, patient_redis_at, user};
use regrant_test_support::{RedisOptions, RedisServer};

const DIAGNOSTICS: [&str; 8] =
    ["CONFIG", "INFO", "WAIT", "CLIENT", "HELLO", "SCRIPT", "ROLE", "PING"];

/// A server that notices within 2 ms that a `WAIT` timed out. By default it looks every 100 ms, and
/// each write of the contract would take as long.
fn server() -> RedisOptions {
    RedisOptions::new().setting("hz", "500")
}

fn renamed(commands: &[&str]) -> RedisServer {
    let without = |options: RedisOptions, command: &&str| options.without(command);
    commands.iter().fold(server(), without).start().unwrap()
}

/// Forbids the user `app` these commands.
fn forbid(server: &RedisServer, commands: &[&str]) {
    let denied: Vec<_> = commands.iter().map(|command| format!("-{command}")).collect();
    let mut words = vec!["ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "&*", "+@all"];
    words.extend(denied.iter().map(String::as_str));
    server.command::<()>(&words).unwrap();
}

fn as_app(server: &RedisServer) -> String {
    server.url().replace("//", "//app:pw@")
}

/// An empty store in the server at `url`.
fn fixture(url: &str) -> Fixture {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let clock = clock();
    let store = patient_redis_at(url, |options| {
        options.prefix = format!("without {}:", NUMBER.fetch_add(1, Ordering::SeqCst));
        // So that `WAIT` is used.
        options.replicas = Some(1);
        options.replica_timeout = Duration::from_millis(1);
        options.clock = Some(Arc::clone(&clock) as Arc<dyn Clock>);
    });
    Fixture::new(store, clock, ())
}

/// Runs the contract over a server without these commands, and over one that forbids them.
async fn the_contract_holds(commands: &[&str]) {
    let (without, forbidding) = (renamed(commands), server().start().unwrap());
    forbid(&forbidding, commands);
    // To fill the feed takes ten times longer than all else, and none of these commands: once is enough.
    let skipped = (commands != DIAGNOSTICS).then_some("feed");
    for url in [without.url(), as_app(&forbidding)] {
        eprintln!("without {commands:?} at {url}");
        contract::run_all(&|| fixture(&url), skipped).await;
    }
}

/// One command each; all of them are missing in the last test.
macro_rules! without {
    ($($name:ident: $command:literal,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                the_contract_holds(&[$command]).await;
            }
        )+
    };
}

without! {
    without_config: "CONFIG",
    without_info: "INFO",
    without_wait: "WAIT",
    without_client: "CLIENT",
    without_hello: "HELLO",
    without_script: "SCRIPT",
    without_role: "ROLE",
    without_ping: "PING",
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_diagnostics() {
    the_contract_holds(&DIAGNOSTICS).await;
}

#[tokio::test]
async fn what_is_lost_is_a_warning() {
    for (commands, words) in [
        (&["PING", "CLIENT", "HELLO", "SCRIPT", "ROLE"][..], &[][..]),
        (&["INFO"], &["INFO"]),
        (&["INFO", "ROLE"], &["INFO"]),
        (&["CONFIG"], &["CONFIG GET"]),
        (&["WAIT"], &["WAIT"]),
        (&DIAGNOSTICS, &["INFO", "WAIT"]),
    ] {
        let (without, forbidding) = (renamed(commands), server().start().unwrap());
        forbid(&forbidding, commands);
        for url in [without.url(), as_app(&forbidding)] {
            let store = patient_redis_at(&url, |options| options.replicas = Some(1));
            let mut device = Device::login(&store, user(0)).await.unwrap();
            device.refresh(&store).await.unwrap();
            let health = store.health().await;
            assert!(health.ready && health.reachable, "{commands:?}: {health:?}");
            let mut warnings =
                health.warnings.iter().filter(|warning| warning.code == Code::NotAllowed);
            match warnings.next() {
                None => assert!(words.is_empty(), "{commands:?}: {health:?}"),
                Some(warning) => {
                    assert!(!words.is_empty(), "{commands:?}: {health:?}");
                    for word in words {
                        assert!(warning.text.contains(word), "{commands:?}: {}", warning.text);
                    }
                }
            }
            assert_eq!(warnings.next(), None);
        }
    }
}
