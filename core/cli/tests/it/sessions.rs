//! `regrant sessions`, with a server on the same store. The command has no secret.

use std::time::{Duration, Instant};

use regrant::session::DeviceLabel;
use regrant::types::Subject;
use regrant::{Auth, Login, RefreshRequest, TokenPair};
use regrant_test_support::RedisServer;
use serde_json::{Value, json};

use crate::{Program, SECRET};

/// How long the server may take to read the revocation.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    auth: Auth,
    program: Program,
    /// Kept running.
    _redis: Option<RedisServer>,
}

impl World {
    fn in_a_file() -> Self {
        let program = Program::new().env("REGRANT_STORE", "file:sessions.db");
        let store = format!("file:{}", program.path("sessions.db").display());
        Self { auth: server(&store), program, _redis: None }
    }

    fn in_redis() -> Self {
        let redis = RedisServer::start().unwrap();
        let program = Program::new().env("REGRANT_STORE", &redis.url());
        Self { auth: server(&redis.url()), program, _redis: Some(redis) }
    }

    async fn login(&self, device: &str) -> TokenPair {
        let device = DeviceLabel::new(device).unwrap();
        self.auth.login(Login::new(subject()).device(device)).await.unwrap()
    }

    /// Waits until the server rejects the pair.
    async fn is_rejected_by_the_server(&self, pair: &TokenPair) {
        let deadline = Instant::now() + PATIENCE;
        while self.auth.verify(pair.access_token.expose()).is_ok() {
            assert!(Instant::now() < deadline, "the server did not read the revocation");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let refresh = RefreshRequest::new(pair.refresh_token.expose());
        let error = self.auth.refresh(refresh).await.unwrap_err();
        assert_eq!(error.code().as_str(), "ERR_SESSION_REVOKED");
    }

    fn run(&self, arguments: &[&str]) -> Value {
        self.program.run(&[arguments, &["--json"]].concat()).fine().json()
    }
}

fn server(store: &str) -> Auth {
    let config = json!({ "secret": SECRET, "store": store }).to_string();
    Auth::from_json(&config).unwrap().build().unwrap()
}

fn subject() -> Subject {
    Subject::new("user-1").unwrap()
}

#[tokio::test]
async fn sessions_are_listed_without_any_secret() {
    let world = World::in_a_file();
    let (phone, laptop) = (world.login("phone").await, world.login("laptop").await);
    world.auth.logout(phone.refresh_token.expose()).await.unwrap();
    let listed = world.program.run(&["sessions", "list", "user-1"]).fine();
    let (phone, laptop) = (phone.session.to_string(), laptop.session.to_string());
    listed.says(&[
        "user-1: 1 live, 1 revoked",
        &phone,
        &laptop,
        "laptop",
        "(logout)",
        "in 13 days",
    ]);

    let listed = world.run(&["sessions", "list", "user-1"]);
    let [first, second] = [0, 1].map(|place| &listed["sessions"][place]);
    assert_eq!((&first["sessionId"], &first["state"]), (&laptop.into(), &"live".into()));
    assert_eq!((&second["sessionId"], &second["reason"]), (&phone.into(), &"logout".into()));
    assert_eq!(world.run(&["sessions", "list", "nobody"])["sessions"], json!([]));
}

#[tokio::test]
async fn the_sessions_of_a_realm_are_found_by_its_name_or_its_configuration() {
    let program = Program::new().env("REGRANT_STORE", "file:sessions.db");
    let store = format!("file:{}", program.path("sessions.db").display());
    let config = json!({ "secret": SECRET, "store": store, "access": { "audience": "shop" } });
    let auth = Auth::from_json(&config.to_string()).unwrap().build().unwrap();
    let pair = auth.login(Login::new(subject())).await.unwrap();
    let list = ["sessions", "list", "user-1"];
    program.run(&list).fine().says(&["user-1: 0 live", "--realm"]);
    program.run(&[&list[..], &["--realm", "admin"]].concat()).fine().says(&["0 live", "admin"]);
    program.run(&[&list[..], &["--realm", "shop"]].concat()).fine().says(&["user-1: 1 live"]);
    let configured = json!({ "access": { "audience": "shop" } });
    std::fs::write(program.path("regrant.json"), configured.to_string()).unwrap();
    program.run(&list).fine().says(&["user-1: 1 live"]);
    let revoke = ["sessions", "revoke", "user-1", "--all"];
    program.run(&revoke).fine().says(&["1 session revoked"]);
    let refresh = RefreshRequest::new(pair.refresh_token.expose());
    let error = auth.refresh(refresh).await.unwrap_err();
    assert_eq!(error.code().as_str(), "ERR_SESSION_REVOKED");
}

async fn one_session_is_revoked(world: World) {
    let (phone, laptop) = (world.login("phone").await, world.login("laptop").await);
    let id = phone.session.to_string();
    let revoke = ["sessions", "revoke", "user-1", &id];
    world
        .program
        .run(&revoke)
        .fine()
        .says(&["1 session revoked (administrative)", "published to the servers"]);
    world.is_rejected_by_the_server(&phone).await;
    assert!(world.auth.verify(laptop.access_token.expose()).is_ok());

    // Revoking again does no harm.
    let again = world.run(&revoke);
    assert_eq!((&again["revoked"], &again["alreadyRevoked"]), (&json!([]), &json!([id])));
    assert_eq!(again["told"], true);
    // Another user's session.
    let strange = world.program.run(&["sessions", "revoke", "user-2", &id]).ended(1);
    strange.says(&["user-2 has no such session"]);
}

#[tokio::test]
async fn one_session_is_revoked_in_a_file() {
    one_session_is_revoked(World::in_a_file()).await;
}

#[tokio::test]
async fn one_session_is_revoked_in_redis() {
    one_session_is_revoked(World::in_redis()).await;
}

async fn all_but_one_are_revoked(world: World) {
    let (phone, laptop) = (world.login("phone").await, world.login("laptop").await);
    let here = laptop.session.to_string();
    let report = world.run(&[
        "sessions",
        "revoke",
        "user-1",
        "--all",
        "--except",
        &here,
        "--reason",
        "logout_everywhere",
    ]);
    assert_eq!(report["revoked"], json!([phone.session.to_string()]));
    assert_eq!((&report["reason"], &report["told"]), (&"logout_everywhere".into(), &true.into()));
    world.is_rejected_by_the_server(&phone).await;
    assert!(world.auth.verify(laptop.access_token.expose()).is_ok());

    let report = world.run(&["sessions", "revoke", "user-1", "--all"]);
    assert_eq!(report["revoked"], json!([here]));
    world.is_rejected_by_the_server(&laptop).await;
    // Nothing left to revoke is not a failure.
    assert_eq!(world.run(&["sessions", "revoke", "user-1", "--all"])["revoked"], json!([]));
}

#[tokio::test]
async fn all_but_one_are_revoked_in_a_file() {
    all_but_one_are_revoked(World::in_a_file()).await;
}

#[tokio::test]
async fn all_but_one_are_revoked_in_redis() {
    all_but_one_are_revoked(World::in_redis()).await;
}

#[tokio::test]
async fn only_sessions_created_before_a_time_are_revoked() {
    let world = World::in_a_file();
    world.login("phone").await;
    let revoke =
        |before: &str| world.run(&["sessions", "revoke", "user-1", "--all", "--before", before]);
    assert_eq!(revoke("1h")["revoked"], json!([]));
    assert_eq!(revoke("2020-01-01T00:00:00Z")["revoked"], json!([]));
    assert_eq!(revoke("2120-01-01T00:00:00+09:00")["revoked"].as_array().unwrap().len(), 1);
}

/// Session ids are base64url, and one in 64 begins with a hyphen.
#[tokio::test]
async fn a_session_id_may_begin_with_a_hyphen() {
    let world = World::in_a_file();
    world.login("phone").await;
    for id in ["-AAAAAAAAAAAAAAAAAAAAA", "-hAAAAAAAAAAAAAAAAAAAA", "--AAAAAAAAAAAAAAAAAAAA"] {
        world
            .program
            .run(&["sessions", "revoke", "user-1", id])
            .ended(1)
            .says(&["no such session"]);
        let except = ["sessions", "revoke", "user-2", "--all", "--except", id];
        world.program.run(&except).fine();
    }
}

#[test]
fn the_usage_of_revoke_shows_both_forms() {
    let program = Program::new();
    let usage = "Usage: regrant sessions revoke [OPTIONS] <SUBJECT> <SESSION|--all>";
    program.run(&["sessions", "revoke", "--help"]).fine().says(&[usage]);
    program.run(&["sessions", "revoke", "user-1"]).ended(2).complains(&["<SESSION|--all>"]);
}

#[tokio::test]
async fn invalid_arguments_are_rejected() {
    let world = World::in_a_file();
    let wrong = |arguments: &[&str], parts: &[&str]| {
        world.program.run(&[&["sessions", "revoke"], arguments].concat()).ended(2).complains(parts);
    };
    wrong(&["user-1"], &["<SESSION"]);
    wrong(&["user-1", "AAAAAAAAAAAAAAAAAAAAAA", "--all"], &["cannot be used with"]);
    wrong(&["user-1", "too-short"], &["22 characters"]);
    wrong(&["user-1", "AAAAAAAAAAAAAAAAAAAAAA", "--before", "2h"], &["cannot be used with"]);
    wrong(&["user-1", "--all", "--before", "yesterday"], &["--before: expected a time"]);
    wrong(&["user-1", "--all", "--reason", "reused"], &["administrative"]);
    wrong(&["user-1", "--all", "--store", "file:typo.db"], &["no such file: typo.db"]);
    wrong(&["user-1", "--all", "--store", "memory:"], &["visible to their own process"]);
    assert!(!world.program.path("typo.db").exists());
    let away = ["sessions", "list", "user-1", "--store", "redis://127.0.0.1:1/"];
    world.program.run(&away).ended(3).complains(&["store"]);
}
