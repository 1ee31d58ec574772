//! `regrant sessions copy`, killed and repeated.

use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use regrant::types::{Clock as _, ManualClock, Subject, SystemClock};
use regrant::{Auth, Login, RefreshRequest};
use regrant_test_support::RedisServer;
use serde_json::{Value, json};

use crate::{Program, SECRET};

/// How long a process may take to copy something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Patient with a server on a busy machine.
fn redis_options() -> Value {
    json!({ "timeout": "60s" })
}

fn server(store: &str) -> Auth {
    let config = json!({ "secret": SECRET, "store": store, "redis": redis_options() });
    Auth::from_json(&config.to_string()).unwrap().build().unwrap()
}

/// Logs users in; returns their refresh tokens.
async fn log_in(auth: &Auth, users: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for number in 0..users {
        let user = Subject::new(format!("user {number}")).unwrap();
        let pair = auth.login(Login::new(user)).await.unwrap();
        tokens.push(pair.refresh_token.expose().to_owned());
    }
    tokens
}

fn copy(program: &Program, arguments: &[&str]) -> Value {
    let all = [&["sessions", "copy", "--json"], arguments].concat();
    program.run(&all).ended(0).json()
}

fn report(dry_run: bool, users: usize, [added, updated, unchanged]: [usize; 3]) -> Value {
    json!({
        "dryRun": dry_run, "interrupted": false, "users": users,
        "added": added, "updated": updated, "unchanged": unchanged,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_is_repeated() {
    const USERS: usize = 1_500;
    let (from, to) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let tokens = log_in(&server(&from.url()), USERS).await;
    // An address with a password is passed in the environment.
    let program = Program::configured(&json!({ "redis": redis_options() }))
        .env("REGRANT_PREVIOUS_STORE", &from.url())
        .env("REGRANT_STORE", &to.url());
    assert_eq!(copy(&program, &["--dry-run"]), report(true, USERS, [USERS, 0, 0]));
    let copied = |report: &Value| report["unchanged"].as_u64().unwrap();
    let mut known = 0;
    for _ in 0..3 {
        let mut command = program.command(&["sessions", "copy"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let since = Instant::now();
        // Until it has copied something more.
        loop {
            let now = copied(&copy(&program, &["--dry-run"]));
            if now > known || child.try_wait().unwrap().is_some() {
                known = now;
                break;
            }
            assert!(since.elapsed() < PATIENCE, "nothing is copied");
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(known > 0);
    let last = copy(&program, &[]);
    assert_eq!(last["users"], USERS);
    assert!(copied(&last) >= known, "{last}");
    assert_eq!(copy(&program, &[]), report(false, USERS, [0, 0, USERS]));
    let after = server(&to.url());
    for token in &tokens {
        after.refresh(RefreshRequest::new(token)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_between_files_counts_and_says_so() {
    let program = Program::new();
    let file = format!("file:{}", program.path("from.db").display());
    let auth = server(&file);
    log_in(&auth, 3).await;
    let arguments = ["--from", "file:from.db", "--to", "file:to.db"];
    assert_eq!(
        copy(&program, &[&arguments[..], &["--dry-run"]].concat()),
        report(true, 3, [3, 0, 0])
    );
    assert!(!program.path("to.db").exists(), "a dry run changes nothing");
    let all = [&["sessions", "copy"], &arguments[..]].concat();
    program.run(&all).ended(0).says(&["done", "users", "3", "copied", "already there"]);
    auth.logout_everywhere(Subject::new("user 1").unwrap()).await.unwrap();
    assert_eq!(copy(&program, &arguments), report(false, 3, [0, 1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_both_addresses_of_the_configuration() {
    let program =
        Program::configured(&json!({ "previousStore": "file:from.db", "store": "file:to.db" }));
    let file = |name: &str| format!("file:{}", program.path(name).display());
    log_in(&server(&file("from.db")), 2).await;
    assert_eq!(copy(&program, &[]), report(false, 2, [2, 0, 0]));
    // With the same configuration the other commands see the sessions of both stores, and with --store
    // those of one.
    log_in(&server(&file("from.db")), 1).await;
    let all = ["sessions", "revoke", "user 0", "--all", "--json"];
    let revoked = program.run(&all).ended(0).json();
    assert_eq!(revoked["revoked"].as_array().unwrap().len(), 2, "{revoked}");
    // What is over is not copied.
    for (name, count) in [("from.db", 2), ("to.db", 1)] {
        let store = format!("file:{name}");
        let list = ["sessions", "list", "user 0", "--json", "--store", &store];
        let listed = program.run(&list).ended(0).json();
        let sessions = listed["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), count, "{listed}");
        assert!(sessions.iter().all(|session| session["state"] != "live"), "{listed}");
    }
}

/// The move is over, and the former store is still in the configuration: it lacks the sessions that began since.
#[tokio::test(flavor = "multi_thread")]
async fn looking_at_sessions_after_a_move_ends_none() {
    let program =
        Program::configured(&json!({ "previousStore": "file:from.db", "store": "file:to.db" }));
    let ago = |name: &str, minutes: u64| {
        let config =
            json!({ "secret": SECRET, "store": format!("file:{}", program.path(name).display()) });
        let past = SystemClock.now().minus(Duration::from_secs(60 * minutes));
        let builder = Auth::from_json(&config.to_string()).unwrap();
        builder.clock(Arc::new(ManualClock::new(past))).build().unwrap()
    };
    let moved = log_in(&ago("from.db", 30), 1).await;
    copy(&program, &[]);
    log_in(&ago("to.db", 10), 1).await;
    ago("to.db", 5).logout(&moved[0]).await.unwrap();
    let live = |listed: &Value| {
        let sessions = listed["sessions"].as_array().unwrap();
        sessions.iter().filter(|session| session["state"] == "live").count()
    };
    for _ in 0..3 {
        let listed = program.run(&["sessions", "list", "user 0", "--json"]).ended(0).json();
        assert_eq!(live(&listed), 1, "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_is_told() {
    let program = Program::new();
    drop(server(&format!("file:{}", program.path("from.db").display())));
    let arguments = ["--from", "file:from.db", "--to", "file:to.db"];
    let all = [&["sessions", "copy"], &arguments[..]].concat();
    program.run(&all).ended(0).says(&["nothing to copy: --from has no sessions", "users", "0"]);
    assert_eq!(copy(&program, &arguments), report(false, 0, [0, 0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_log_in_during_a_copy_are_copied_or_left_for_the_next() {
    let program = Program::new();
    let auth = server(&format!("file:{}", program.path("from.db").display()));
    log_in(&auth, 50).await;
    let mut command = program.command(&["sessions", "copy", "--json"]);
    command.args(["--from", "file:from.db", "--to", "file:to.db"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for number in 50..80 {
        let user = Subject::new(format!("user {number}")).unwrap();
        auth.login(Login::new(user)).await.unwrap();
    }
    let first = child.wait_with_output().unwrap();
    assert!(first.status.success());
    let first: Value = serde_json::from_slice(&first.stdout).unwrap();
    let copied = first["added"].as_u64().unwrap();
    assert!(copied >= 50, "{first}");
    let second = copy(&program, &["--from", "file:from.db", "--to", "file:to.db"]);
    assert_eq!(second["users"], 80);
    assert_eq!(second["added"].as_u64().unwrap() + copied, 80, "{second}");
}

#[test]
fn invalid_usage_is_refused_without_values() {
    let program = Program::new();
    for (arguments, says) in [
        (&["--from", "file:a.db"][..], "--to: is required, as an argument, in REGRANT_STORE or as"),
        (&["--to", "file:b.db"], "--from: is required"),
        (&["--from", "file:none.db", "--to", "file:b.db"], "--from: store: no such file"),
        (&["--from", "file:a.db", "--to", "file:a.db"], "the same store"),
        (&["--from", "file:a.db", "--to", "file:./a.db"], "the same store"),
        (&["--from", "file:a.db", "--to", "planted:b"], "--to: store: expected memory:, "),
        (&["--from", "planted:b", "--to", "file:b.db"], "--from: store: expected memory:, "),
        (&["--from", "", "--to", "file:b.db"], "--from: "),
        (&["--from", "file:a.db", "--to", "memory:"], "--to: "),
        (&["--from", "redis://planted:planted:planted", "--to", "file:b.db"], "--from: store: "),
    ] {
        program.write("a.db", "");
        let outcome = program.run(&[&["sessions", "copy"], arguments].concat()).ended(2);
        assert!(outcome.stderr.contains(says), "{outcome:?}");
        assert!(!outcome.stderr.contains("planted"), "{outcome:?}");
        assert!(!program.path("b.db").exists());
    }
}
