//! `regrant health`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrant::types::{Clock, ManualClock, Subject, SystemClock};
use regrant::{Auth, Login};
use regrant_test_support::RedisOptions;
use serde_json::json;

use crate::{Program, SECRET};

const PATIENCE: Duration = Duration::from_secs(60);

/// A file store with two users and three sessions, one of them revoked.
async fn file_of_sessions() -> Program {
    let program = Program::configured(&json!({ "store": "file:sessions.db" }));
    let store = format!("file:{}", program.path("sessions.db").display());
    let clock = Arc::new(ManualClock::new(SystemClock.now().minus(Duration::from_secs(86_400))));
    let config = json!({ "secret": SECRET, "store": store, "refresh": { "idleTtl": "2h" } });
    let auth = Auth::from_json(&config.to_string()).unwrap();
    let auth = auth.clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap();
    let login =
        async |name: &str| auth.login(Login::new(Subject::new(name).unwrap())).await.unwrap();
    login("ann").await;
    clock.advance(Duration::from_secs(86_400));
    login("ann").await;
    auth.logout(login("bob").await.refresh_token.expose()).await.unwrap();
    // Closing the database checkpoints and removes the write-ahead log.
    drop(auth);
    let (log, deadline) = (program.path("sessions.db-wal"), Instant::now() + PATIENCE);
    while log.exists() {
        assert!(Instant::now() < deadline, "the file was not closed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    program
}

#[tokio::test]
async fn a_file_is_inspected_without_writing_to_it() {
    let program = file_of_sessions().await;
    let before = std::fs::read(program.path("sessions.db")).unwrap();
    let healthy =
        program.run(&["health"]).fine().says(&["healthy (file)", "sessions.db", "intact"]);
    assert!(healthy.stdout.contains("live sessions"), "{healthy:#?}");
    let report = program.run(&["health", "--json"]).fine().json();
    let file = &report["file"];
    let count = |name: &str| file[name].as_u64().unwrap();
    let counts = [count("users"), count("live"), count("ended"), count("expired")];
    assert_eq!((counts, &file["damage"]), ([2, 1, 1, 1], &json!(null)));
    assert!(count("bytes") > 0 && count("schemaVersion") > 0, "{report:#}");
    assert_eq!((&report["store"], &report["reachable"]), (&"file".into(), &true.into()));
    assert_eq!(std::fs::read(program.path("sessions.db")).unwrap(), before);
}

#[tokio::test]
async fn damage_is_reported_and_a_foreign_file_rejected() {
    let program = file_of_sessions().await;
    let path = program.path("sessions.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // All pages but the first, so that it is still recognised.
    bytes[4096..].fill(0xAB);
    std::fs::write(&path, &bytes).unwrap();
    let damaged = program.run(&["health", "--json"]).ended(1).json();
    assert_eq!(damaged["warnings"][0]["code"], "damaged", "{damaged:#}");
    program.run(&["health"]).ended(1).says(&["warnings", "restore a backup"]);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);

    std::fs::write(&path, "not a database, but long enough to be taken for one".repeat(50))
        .unwrap();
    program.run(&["health"]).ended(2).complains(&["store: the file is not a store of regrant"]);
    std::fs::remove_file(&path).unwrap();
    program.run(&["health"]).ended(2).complains(&["no such file: sessions.db"]);
    assert!(!path.exists());
}

#[test]
fn a_healthy_redis_and_one_that_may_evict_sessions() {
    let healthy = RedisOptions::new().append_only().start().unwrap();
    let program = Program::new().env("REGRANT_STORE", &healthy.url());
    program.run(&["health"]).fine().says(&["healthy (redis, standalone)", "round trip", "aof"]);
    let report = program.run(&["health", "--json"]).fine().json();
    assert_eq!((&report["layout"], &report["warnings"]), (&"standalone".into(), &json!([])));
    assert_eq!(report.get("file"), None);

    let evicting = RedisOptions::new().append_only().setting("maxmemory-policy", "allkeys-lru");
    let evicting = evicting.start().unwrap();
    let program = Program::new().env("REGRANT_STORE", &evicting.url());
    program.run(&["health"]).ended(1).says(&["warning", "allkeys-lru"]);
    let report = program.run(&["health", "--json"]).ended(1).json();
    assert_eq!(report["warnings"][0]["code"], "evicting_policy", "{report:#}");
}

#[test]
fn an_unreachable_redis_is_reported() {
    let program = Program::new().env("REGRANT_STORE", "redis://me:hunter2@127.0.0.1:1/");
    let away = program.run(&["health"]).ended(3).says(&["unreachable"]);
    assert!(!away.stdout.contains("hunter2") && !away.stderr.contains("hunter2"));
    assert_eq!(program.run(&["health", "--json"]).ended(3).json()["reachable"], false);
}
