//! `regrant config check`, and where the configuration comes from.

use serde_json::json;

use crate::{Program, SECRET};

#[test]
fn the_effective_configuration_is_shown_without_secrets() {
    let program = Program::configured(&json!({
        "secret": SECRET,
        "access": { "issuer": "https://app.example", "ttl": 600 },
        "store": "redis://me:hunter2@127.0.0.1:1/0",
    }));
    let checked = program.run(&["config", "check"]).fine();
    let checked = checked.says(&["ok (regrant.json)", "10m", "https://app.example", "14d"]);
    let checked = checked.says(&["[redacted, 37 bytes]", "redis://me:[redacted]@127.0.0.1:1/0"]);
    assert!(!checked.stdout.contains(SECRET) && !checked.stdout.contains("hunter2"));

    let json = program.run(&["config", "check", "--json"]).fine().json();
    assert_eq!((&json["ok"], &json["sources"]), (&true.into(), &json!(["regrant.json"])));
    assert_eq!(json["effective"]["access"]["ttl"], "10m");
    assert_eq!(json["effective"]["refresh"]["onTheft"], "session");
    assert_eq!(json["effective"]["refresh"]["maxSessions"], 50);
    let limiter = &json["effective"]["refresh"]["limiter"];
    assert_eq!(limiter, &json!({ "failures": 30, "window": "1m" }));
    assert_eq!(json["effective"]["maxStaleness"], "10s");
    assert_eq!(json["effective"]["redis"]["prefix"], "regrant:");
    assert_eq!(json["effective"]["redis"]["eviction"], "warn");
    assert_eq!(
        json["effective"]["keys"],
        json!([{ "alg": "HS256", "kid": null, "canSign": true }])
    );
}

#[test]
fn every_problem_is_named_with_its_field() {
    let program = Program::configured(&json!({
        "secret": "short",
        "refresh": { "idleTtl": "2d", "absoluteTtl": "1d" },
    }));
    let checked = program.run(&["config", "check"]).ended(2);
    checked.says(&["wrong (regrant.json)", "has 5 bytes", "refresh.absoluteTtl"]);
    let json = program.run(&["--json", "config", "check"]).ended(2).json();
    let fields: Vec<_> = json["problems"].as_array().unwrap().iter().map(|p| &p["field"]).collect();
    assert_eq!(fields, ["secret", "refresh.absoluteTtl"]);
    assert_eq!(json["effective"], json!(null));
}

#[test]
fn what_is_no_configuration_is_refused() {
    let program = Program::new();
    program.write("regrant.json", r#"{ "acces": {} }"#);
    program.run(&["config", "check"]).ended(2).complains(&["regrant.json: acces: unknown field"]);
    program.write("regrant.json", r#"{ "access": { "ttl": "soon" } }"#);
    program.run(&["config", "check"]).ended(2).complains(&["access.ttl: expected seconds or text"]);
    program.write("regrant.json", "secret = 1");
    let failed = program.run(&["config", "check", "--json"]).ended(2);
    let error: serde_json::Value = serde_json::from_str(&failed.stderr).unwrap();
    assert_eq!(error["error"]["code"], "ERR_CONFIG_INVALID");
    program.run(&["config", "check", "--config", "other.json"]).ended(2).complains(&["other.json"]);
}

#[test]
fn the_environment_has_the_last_word_and_a_file_is_optional() {
    let program = Program::new();
    let without = program.run(&["config", "check"]).ended(2);
    without.says(&["no regrant.json here", "secret", "refreshSecret"]);

    let program = Program::new()
        .env("REGRANT_SECRET", SECRET)
        .env("REGRANT_REFRESH_SECRET", "another secret of at least 32 bytes")
        .env("REGRANT_STORE", "redis://127.0.0.1:1/3");
    let json = program.run(&["config", "check", "--json"]).fine().json();
    let sources = json!(["REGRANT_SECRET", "REGRANT_REFRESH_SECRET", "REGRANT_STORE"]);
    assert_eq!(json["sources"], sources);
    assert_eq!(json["effective"]["refreshSecret"], "[redacted, 35 bytes]");
    assert_eq!(json["effective"]["store"], "redis://127.0.0.1:1/3");

    program.write("regrant.json", r#"{ "secret": "x", "store": "memory:" }"#);
    let json = program.run(&["config", "check", "--json", "--store", "file:s.db"]).fine().json();
    assert_eq!(json["effective"]["secret"], "[redacted, 37 bytes]");
    assert_eq!(json["effective"]["store"], "file:s.db");
    assert_eq!(json["effective"]["redis"], json!(null));
    assert!(!program.path("s.db").exists());
}

#[test]
fn the_configuration_can_come_from_standard_input() {
    let input = json!({ "secret": SECRET }).to_string();
    let check = ["config", "check", "--config", "-"];
    Program::new().run_with_input(&check, &input).fine().says(&["ok (standard input)"]);
}

#[test]
fn no_colours_where_there_is_no_terminal() {
    let program = Program::configured(&json!({ "secret": SECRET })).env("TERM", "xterm");
    assert!(!program.run(&["config", "check"]).fine().stdout.contains('\x1b'));
}
