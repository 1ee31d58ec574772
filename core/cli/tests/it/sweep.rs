//! `regrant sweep`, on a real Redis with the tokens of a legacy app.

use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use regrant::types::{Clock as _, SystemClock};
use regrant_test_support::RedisServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sha2::Sha256;

use crate::{Program, SECRET};

/// The Redis of a legacy app, and a directory with the configuration of the new one.
struct LegacyApp {
    server: RedisServer,
    redis: MultiplexedConnection,
    program: Program,
}

impl LegacyApp {
    async fn new() -> Self {
        let server = RedisServer::start().unwrap();
        let client = redis::Client::open(server.url()).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        let config = json!({ "secret": SECRET, "store": server.url(), "migrate": {} });
        Self { server, redis, program: Program::configured(&config) }
    }

    async fn login(&mut self, n: usize, value: &str, lifetime: i64) -> String {
        let token = signed(n, lifetime);
        let () = self.redis.set(&token, value).await.unwrap();
        token
    }

    async fn keys(&mut self, pattern: &str) -> usize {
        let keys: Vec<String> = self.redis.keys(pattern).await.unwrap();
        keys.len()
    }
}

/// As `jsonwebtoken.sign({ n }, SECRET_KEY, { expiresIn })` of npm does.
fn signed(n: usize, lifetime: i64) -> String {
    let iat = SystemClock.now().as_seconds() - 3600;
    let claims = json!({ "n": n, "iat": iat, "exp": iat + lifetime }).to_string();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let input = format!("{header}.{}", encode(claims.as_bytes()));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let signature = mac.chain_update(&input).finalize().into_bytes();
    format!("{input}.{}", encode(&signature))
}

const LONG: i64 = 30 * 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_migrated_and_their_keys_removed() {
    let mut legacy = LegacyApp::new().await;
    let token = legacy.login(1, "user-1", LONG).await;
    legacy.login(2, "user-2", 60).await;
    let () = legacy.redis.set("somebody else's", "1").await.unwrap();

    let counted = legacy.program.run(&["sweep", "--dry-run", "--remove-dead"]).ended(0);
    counted.says(&["nothing was changed", "would be migrated"]);
    assert_eq!(legacy.keys("*").await, 3);

    let swept = legacy.program.run(&["sweep", "--remove-dead", "--json"]).ended(0);
    assert!(swept.stderr.contains("3 keys scanned, 1 migrated"), "{}", swept.stderr);
    let expected = json!({
        "dryRun": false, "interrupted": false, "scanned": 3, "converted": 1, "loggedOut": 0,
        "expired": 1, "unknownUsers": 0, "foreign": 1, "removed": 1,
    });
    assert_eq!(swept.json(), expected);
    assert_eq!(legacy.keys("ey*").await, 0);
    assert_eq!(legacy.keys("somebody else's").await, 1);

    // The token is still good for a refresh.
    let checked = legacy.program.run(&["token", "check", "--as", "refresh", &token]).fine();
    checked.says(&["accepted as a refresh token", "user-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_check_predicts_a_migration() {
    let mut legacy = LegacyApp::new().await;
    let token = legacy.login(1, "user-1", LONG).await;
    let check = ["token", "check", "--as", "refresh", "--json", &token];
    let json = legacy.program.run(&check).fine().json();
    assert_eq!((&json["kind"], &json["adopts"]), (&"untyped".into(), &true.into()));
    assert_eq!(legacy.keys("*").await, 1);
    let () = legacy.redis.del(&token).await.unwrap();
    let json = legacy.program.run(&check).ended(1).json();
    assert_eq!(json["code"], "ERR_SESSION_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_not_mistaken_for_ids() {
    let mut legacy = LegacyApp::new().await;
    legacy.login(1, "one@mail.example", LONG).await;
    legacy.login(2, "two@mail.example", LONG).await;
    let refused = legacy.program.run(&["sweep"]).ended(2);
    assert!(refused.stderr.contains("--users FILE"), "{}", refused.stderr);
    assert_eq!(legacy.keys("*").await, 2);

    legacy.program.write("users.json", r#"{ "one@mail.example": "user-1" }"#);
    let swept = legacy.program.run(&["sweep", "--users", "users.json", "--json"]).ended(0).json();
    assert_eq!((&swept["converted"], &swept["unknownUsers"]), (&1.into(), &1.into()));
    assert_eq!(legacy.keys("regrant:u:user-1").await, 1);

    let swept = legacy.program.run(&["sweep", "--values-are-ids", "--json"]).ended(0).json();
    assert_eq!(swept["converted"], 1);
    assert_eq!(legacy.keys("regrant:u:two@mail.example").await, 1);

    legacy.program.write("users.json", r#"["one@mail.example"]"#);
    let wrong = legacy.program.run(&["sweep", "--users", "users.json"]).ended(2);
    wrong.complains(&["users.json: expected a JSON object"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_sweep_can_be_continued() {
    const TOKENS: usize = 1_000;
    let mut legacy = LegacyApp::new().await;
    // One user per token: the store limits the sessions of a user.
    let pairs: Vec<_> = (0..TOKENS).map(|n| (signed(n, LONG), format!("user-{n}"))).collect();
    let deadline = Instant::now() + Duration::from_secs(120);
    let (output, left) = loop {
        let () = legacy.redis.mset(&pairs).await.unwrap();
        let mut sweep = legacy.program.command(&["sweep", "--json"]);
        let sweep = sweep.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while legacy.keys("regrant:adopted:*").await == 0 {
            assert!(Instant::now() < deadline, "the sweep did not start");
        }
        // Pause Redis, so that the sweep cannot finish before the signal.
        legacy.server.pause().unwrap();
        kill_process(Pid::from_child(&sweep), Signal::INT).unwrap();
        let output = sweep.wait_with_output().unwrap();
        legacy.server.resume().unwrap();
        // Once it answers, Redis has executed all commands from before the pause.
        let () = legacy.redis.ping().await.unwrap();
        let left = legacy.keys("ey*").await;
        if left > 0 {
            break (output, left);
        }
        // On a busy machine the sweep may be over before it is seen to have begun.
        assert!(Instant::now() < deadline, "every sweep was over before the signal");
        let () = redis::cmd("FLUSHALL").query_async(&mut legacy.redis).await.unwrap();
    };
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("run it again"));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert!(left < TOKENS, "{left} of {TOKENS} keys are left");
    let swept = legacy.program.run(&["sweep", "--json"]).ended(0).json();
    assert_eq!((&swept["interrupted"], &swept["converted"]), (&false.into(), &left.into()));
    assert_eq!(legacy.keys("regrant:adopted:*").await, TOKENS);
}

#[test]
fn a_sweep_needs_migrate_and_a_reachable_store() {
    let program =
        Program::configured(&json!({ "secret": SECRET, "store": "redis://127.0.0.1:1/" }));
    let failed = program.run(&["sweep"]).ended(2);
    assert!(failed.stderr.contains("migrate: is required"), "{}", failed.stderr);
    program.write("regrant.json", &json!({ "secret": SECRET, "migrate": {} }).to_string());
    program.run(&["sweep", "--store", "memory:"]).ended(2).complains(&["store: is required"]);
    let away = program.run(&["sweep", "--store", "redis://127.0.0.1:1/"]).ended(3);
    assert!(away.stderr.contains("error: "), "{}", away.stderr);
}
