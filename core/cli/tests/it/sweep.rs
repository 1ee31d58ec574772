//! `regrant sweep`, on a real Redis that an old app has filled.

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

/// The Redis of an old app, and a folder with the configuration of the new one.
struct OldApp {
    server: RedisServer,
    redis: MultiplexedConnection,
    program: Program,
}

impl OldApp {
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
async fn tokens_become_sessions_and_their_keys_go() {
    let mut old = OldApp::new().await;
    let token = old.login(1, "user-1", LONG).await;
    old.login(2, "user-2", 60).await;
    let () = old.redis.set("somebody else's", "1").await.unwrap();

    let counted = old.program.run(&["sweep", "--dry-run", "--remove-dead"]).ended(0);
    counted.says(&["nothing was changed", "to be taken over"]);
    assert_eq!(old.keys("*").await, 3);

    let swept = old.program.run(&["sweep", "--remove-dead", "--json"]).ended(0);
    assert!(swept.stderr.contains("3 keys seen, 1 taken over"), "{}", swept.stderr);
    let expected = json!({
        "dryRun": false, "interrupted": false, "scanned": 3, "converted": 1, "loggedOut": 0,
        "expired": 1, "unknownUsers": 0, "foreign": 1, "removed": 1,
    });
    assert_eq!(swept.json(), expected);
    assert_eq!(old.keys("ey*").await, 0);
    assert_eq!(old.keys("somebody else's").await, 1);

    // Whoever holds the token goes on with it.
    let checked = old.program.run(&["token", "check", "--as", "refresh", &token]).fine();
    checked.says(&["accepted as a refresh token", "user-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_taken_over_yet_is_foretold() {
    let mut old = OldApp::new().await;
    let token = old.login(1, "user-1", LONG).await;
    let check = ["token", "check", "--as", "refresh", "--json", &token];
    let json = old.program.run(&check).fine().json();
    assert_eq!((&json["kind"], &json["adopts"]), (&"untyped".into(), &true.into()));
    assert_eq!(old.keys("*").await, 1);
    let () = old.redis.del(&token).await.unwrap();
    let json = old.program.run(&check).ended(1).json();
    assert_eq!(json["code"], "ERR_SESSION_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_not_taken_for_ids_by_mistake() {
    let mut old = OldApp::new().await;
    old.login(1, "one@mail.example", LONG).await;
    old.login(2, "two@mail.example", LONG).await;
    let refused = old.program.run(&["sweep"]).ended(2);
    assert!(refused.stderr.contains("--users FILE"), "{}", refused.stderr);
    assert_eq!(old.keys("*").await, 2);

    old.program.write("users.json", r#"{ "one@mail.example": "user-1" }"#);
    let swept = old.program.run(&["sweep", "--users", "users.json", "--json"]).ended(0).json();
    assert_eq!((&swept["converted"], &swept["unknownUsers"]), (&1.into(), &1.into()));
    assert_eq!(old.keys("regrant:u:user-1").await, 1);

    let swept = old.program.run(&["sweep", "--values-are-ids", "--json"]).ended(0).json();
    assert_eq!(swept["converted"], 1);
    assert_eq!(old.keys("regrant:u:two@mail.example").await, 1);

    old.program.write("users.json", r#"["one@mail.example"]"#);
    let wrong = old.program.run(&["sweep", "--users", "users.json"]).ended(2);
    wrong.complains(&["users.json: expected a JSON object"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_sweep_says_so_and_is_taken_up_again() {
    const TOKENS: usize = 1_000;
    let mut old = OldApp::new().await;
    // Of as many users: what one user has the store bounds.
    let pairs: Vec<_> = (0..TOKENS).map(|n| (signed(n, LONG), format!("user-{n}"))).collect();
    let () = old.redis.mset(&pairs).await.unwrap();
    let mut sweep = old.program.command(&["sweep", "--json"]);
    let sweep = sweep.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while old.keys("regrant:adopted:*").await == 0 {
        assert!(Instant::now() < deadline, "the sweep does not begin");
    }
    // In the middle of it, and with no way to get to the end first.
    old.server.pause().unwrap();
    kill_process(Pid::from_child(&sweep), Signal::INT).unwrap();
    let output = sweep.wait_with_output().unwrap();
    old.server.resume().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("run it again"));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["interrupted"], true);

    // By its answer the server has done what it was asked before it was paused.
    let () = old.redis.ping().await.unwrap();
    let left = old.keys("ey*").await;
    assert!(0 < left && left < TOKENS, "{left} of {TOKENS} keys are left");
    let swept = old.program.run(&["sweep", "--json"]).ended(0).json();
    assert_eq!((&swept["interrupted"], &swept["converted"]), (&false.into(), &left.into()));
    assert_eq!(old.keys("regrant:adopted:*").await, TOKENS);
}

#[test]
fn a_sweep_needs_an_old_app_and_a_store_that_answers() {
    let program =
        Program::configured(&json!({ "secret": SECRET, "store": "redis://127.0.0.1:1/" }));
    let failed = program.run(&["sweep"]).ended(2);
    assert!(failed.stderr.contains("migrate: is required"), "{}", failed.stderr);
    program.write("regrant.json", &json!({ "secret": SECRET, "migrate": {} }).to_string());
    program.run(&["sweep", "--store", "memory:"]).ended(2).complains(&["store: is required"]);
    let away = program.run(&["sweep", "--store", "redis://127.0.0.1:1/"]).ended(3);
    assert!(away.stderr.contains("error: "), "{}", away.stderr);
}
