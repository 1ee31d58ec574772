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
    assert_eq!(json["effective"]["revocation"]["maxStaleness"], "10s");
    assert_eq!(json["effective"]["redis"]["prefix"], "regrant:");
    assert_eq!(json["effective"]["redis"]["eviction"], "warn");
    assert_eq!(
        json["effective"]["keys"],
        json!([{ "alg": "HS256", "kid": null, "canSign": true }])
    );
}

/// `config::effective` of the core checks that no option that holds a secret is missing here.
#[test]
fn no_option_shows_a_secret() {
    let secret = |purpose: &str| format!("planted-planted-planted-planted-{purpose}");
    let program = Program::configured(&json!({
        "secret": secret("secret"),
        "previousSecrets": [secret("previous")],
        "refreshSecret": secret("refresh"),
        "previousRefreshSecrets": [secret("previous-refresh")],
        "keys": [
            { "alg": "HS256", "kid": "a", "secret": secret("key") },
            { "alg": "HS256", "kid": "b", "jwk": {
                "kty": "oct", "k": "cGxhbnRlZC1wbGFudGVkLXBsYW50ZWQtcGxhbnRlZC1qd2s",
            } },
        ],
        "store": format!("redis+sentinel://user:{}@127.0.0.1:1/main/0", secret("store")),
        "redis": { "sentinel": { "username": "sentinel", "password": secret("sentinel") } },
        "migrate": {
            "secret": secret("migrate"),
            "store": format!("redis://user:{}@127.0.0.1:1/0", secret("migrate-store")),
        },
    }));
    for arguments in [&["config", "check"][..], &["config", "check", "--json"]] {
        let checked =
            program.run(arguments).fine().says(&["[redacted, 38 bytes]", "user:[redacted]@"]);
        assert!(!checked.stdout.contains("planted") && !checked.stdout.contains("cGxhbnRl"));
    }
}

#[test]
fn every_problem_is_named_with_its_field() {
    let program = Program::configured(&json!({
        "secret": "short",
        "refresh": { "idleTtl": "2d", "absoluteTtl": "1d" },
    }));
    let checked = program.run(&["config", "check"]).ended(2);
    checked.says(&["invalid (regrant.json)", "has 5 bytes", "refresh.absoluteTtl"]);
    let json = program.run(&["--json", "config", "check"]).ended(2).json();
    let fields: Vec<_> = json["problems"].as_array().unwrap().iter().map(|p| &p["field"]).collect();
    assert_eq!(fields, ["secret", "refresh.absoluteTtl"]);
    assert_eq!(json["effective"], json!(null));
}

/// Each of them is the first that a server would report, if the others were not there.
#[test]
fn all_problems_are_found_at_once() {
    let program = Program::configured(&json!({
        "secret": SECRET,
        "acces": {},
        "access": { "ttl": "soon", "maxAge": true, "issuer": "" },
        "keys": [
            { "alg": "HS256", "kid": "a" },
            { "alg": "HS256", "kid": "b", "secret": "an access secret of at least 32 bytes, b" },
            { "alg": "none", "kid": "c" },
            { "alg": "ES256", "kid": "d", "privateKey": "not PEM" },
        ],
        "refresh": { "idleTtl": "2d", "absoluteTtl": "1d", "grace": {}, "maxSessions": -1 },
        "previousRefreshSecrets": ["short"],
        "dpop": { "origin": "https://app.example", "capacity": 0, "nonce": "1h" },
        "web": { "path": "relative", "secure": 1 },
    }));
    let json = program.run(&["config", "check", "--json"]).ended(2).json();
    let problems = json["problems"].as_array().unwrap();
    let mut fields: Vec<_> = problems.iter().map(|it| it["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    let expected = [
        "acces",
        "access.issuer",
        "access.maxAge",
        "access.ttl",
        "dpop.capacity",
        "dpop.nonce",
        "keys[0]",
        "keys[2].alg",
        "keys[3].privateKey",
        "previousRefreshSecrets[0]",
        "refresh.absoluteTtl",
        "refresh.grace",
        "refresh.maxSessions",
        "web.path",
        "web.secure",
    ];
    assert_eq!(fields, expected, "{json:#}");
    let text = program.run(&["config", "check"]).ended(2).says(&expected);
    assert_eq!(text.stderr, "");
    // What is invalid is not also missing.
    program.write("regrant.json", r#"{ "secret": 5, "refreshSecret": "short" }"#);
    let json = program.run(&["config", "check", "--json"]).ended(2).json();
    assert_eq!(json["problems"][0]["field"], "secret");
    assert_eq!(json["problems"][1]["field"], "refreshSecret");
    assert_eq!(json["problems"][2], json!(null));
}

#[test]
fn an_invalid_file_is_rejected() {
    let program = Program::new();
    let acces = "unknown option, did you mean access? Known options: ";
    program.write(
        "regrant.json",
        r#"{ "secret": "an access secret of at least 32 bytes", "acces": {} }"#,
    );
    program.run(&["config", "check"]).ended(2).says(&["invalid (regrant.json)", "acces", acces]);
    let list = ["sessions", "list", "user-1"];
    program.run(&list).ended(2).complains(&["regrant.json: acces: ", acces]);
    for text in ["secret = 1", "[]"] {
        program.write("regrant.json", text);
        let json = program.run(&["config", "check", "--json"]).ended(2).json();
        assert_eq!((&json["ok"], &json["problems"][0]["field"]), (&false.into(), &"config".into()));
        assert_eq!(json["problems"].as_array().unwrap().len(), 1);
    }
    let failed = program.run(&["sessions", "list", "user-1", "--json"]).ended(2);
    let error: serde_json::Value = serde_json::from_str(&failed.stderr).unwrap();
    assert_eq!(error["error"]["code"], "ERR_CONFIG_INVALID");
    program.run(&["config", "check", "--config", "other.json"]).ended(2).complains(&["other.json"]);
}

#[test]
fn the_environment_takes_precedence_and_a_file_is_optional() {
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
fn output_has_no_colours_without_a_terminal() {
    let program = Program::configured(&json!({ "secret": SECRET })).env("TERM", "xterm");
    assert!(!program.run(&["config", "check"]).fine().stdout.contains('\x1b'));
}
