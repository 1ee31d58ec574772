//! Construction rejects wrong configuration and names the field.

use regrant::{Auth, Error};
use serde_json::{Value, json};

use super::SECRET;

fn refused(config: Value) -> (String, String) {
    let outcome = Auth::from_json(&config.to_string()).and_then(regrant::AuthBuilder::build);
    match outcome {
        Err(Error::ConfigInvalid { field, problem }) => (field, problem),
        other => panic!("{config} gave {other:?}"),
    }
}

#[tokio::test]
async fn configuration_errors_name_the_field() {
    let rsa_public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let cases = [
        (json!({}), "secret"),
        (json!({ "secret": "short" }), "secret"),
        (json!({ "secret": "" , "allowShortSecret": true }), "secret"),
        (json!({ "secret": 7 }), "secret"),
        (json!({ "secret": { "base64": "***" } }), "secret"),
        (json!({ "secret": SECRET, "secrets": 1 }), "secrets"),
        (json!({ "secret": SECRET, "refreshSecret": SECRET }), "refreshSecret"),
        (json!({ "secret": SECRET, "refreshSecret": "short" }), "refreshSecret"),
        (json!({ "keys": [{ "alg": "HS256", "secret": SECRET }] }), "refreshSecret"),
        (json!({ "secret": SECRET, "migrate": {} }), "migrate.store"),
        (json!({ "secret": SECRET, "store": "memory:", "migrate": {} }), "migrate.store"),
        (json!({ "secret": SECRET, "migrate": { "store": "redis://" } }), "migrate.store"),
        (json!({ "secret": SECRET, "migrate": { "stroe": "" } }), "migrate.stroe"),
        (
            json!({ "secret": SECRET, "store": "redis://h/0", "migrate": { "secret": "" } }),
            "migrate.secret",
        ),
        (json!({ "keys": [], "store": "redis://h/0", "migrate": {} }), "migrate.secret"),
        (json!({ "keys": [{ "alg": "HS256", "secret": "short" }] }), "keys[0].secret"),
        (json!({ "keys": [{ "alg": "HS256" }] }), "keys[0]"),
        (json!({ "keys": [{ "alg": "none", "secret": SECRET }] }), "keys[0].alg"),
        (json!({ "keys": [{ "alg": "RS256", "publicKey": rsa_public }] }), "keys[0].publicKey"),
        (json!({ "secret": SECRET, "access": { "ttl": "soon" } }), "access.ttl"),
        (json!({ "secret": SECRET, "access": { "ttl": -1 } }), "access.ttl"),
        (json!({ "secret": SECRET, "access": { "ttl": 0 } }), "access.ttl"),
        (json!({ "secret": SECRET, "access": { "leeway": "1h" } }), "access.leeway"),
        (json!({ "secret": SECRET, "access": { "subjectClaim": "exp" } }), "access.subjectClaim"),
        (json!({ "secret": SECRET, "access": { "audience": 7 } }), "access.audience"),
        (json!({ "secret": SECRET, "refresh": { "idleTtl": "0s" } }), "refresh.idleTtl"),
        (
            json!({ "secret": SECRET, "refresh": { "idleTtl": "2d", "absoluteTtl": "1d" } }),
            "refresh.absoluteTtl",
        ),
        (
            json!({ "secret": SECRET, "access": { "ttl": "15m" }, "refresh": { "idleTtl": "14m" } }),
            "refresh.idleTtl",
        ),
        (
            json!({
                "secret": SECRET,
                "access": { "ttl": "2h" },
                "refresh": { "idleTtl": "1h", "absoluteTtl": "90m" }
            }),
            "access.ttl",
        ),
        (json!({ "secret": SECRET, "access": { "ttl": "15d" } }), "refresh.idleTtl"),
        (json!({ "secret": SECRET, "access": { "ttl": "91d" } }), "access.ttl"),
        (json!({ "secret": SECRET, "refresh": { "grace": "1h" } }), "refresh.grace"),
        (json!({ "secret": SECRET, "refresh": { "unusedGrace": "1h" } }), "refresh.unusedGrace"),
        (json!({ "secret": SECRET, "refresh": { "unusedGrace": "9s" } }), "refresh.unusedGrace"),
        (
            json!({ "secret": SECRET, "refresh": { "grace": "2m", "unusedGrace": "1m" } }),
            "refresh.unusedGrace",
        ),
        (json!({ "secret": SECRET, "refresh": { "onTheft": "nobody" } }), "refresh.onTheft"),
        (json!({ "secret": SECRET, "refresh": { "maxSessions": 0 } }), "refresh.maxSessions"),
        (json!({ "secret": SECRET, "refresh": { "maxSessions": -1 } }), "refresh.maxSessions"),
        (json!({ "secret": SECRET, "refresh": { "maxSessions": 1.5 } }), "refresh.maxSessions"),
        (json!({ "secret": SECRET, "refresh": { "maxSessions": "50" } }), "refresh.maxSessions"),
        (json!({ "secret": SECRET, "refresh": { "maxInFlight": 0 } }), "refresh.maxInFlight"),
        (json!({ "secret": SECRET, "refresh": { "limiter": "on" } }), "refresh.limiter"),
        (
            json!({ "secret": SECRET, "refresh": { "limiter": { "failures": 0 } } }),
            "refresh.limiter.failures",
        ),
        (
            json!({ "secret": SECRET, "refresh": { "limiter": { "window": "2d" } } }),
            "refresh.limiter.window",
        ),
        (json!({ "secret": SECRET, "store": "ftp://x" }), "store"),
        (json!({ "secret": SECRET, "store": "redis://[" }), "store"),
        (json!({ "secret": SECRET, "redis": { "timeout": "x" } }), "redis.timeout"),
        (json!({ "secret": SECRET, "redis": { "replicaTimeout": "x" } }), "redis.replicaTimeout"),
        (json!({ "secret": SECRET, "redis": { "eviction": "never" } }), "redis.eviction"),
        (
            json!({ "secret": SECRET, "redis": { "sentinel": { "user": "x" } } }),
            "redis.sentinel.user",
        ),
        (
            json!({
                "secret": SECRET,
                "store": "redis+sentinel://h/m",
                "redis": { "sentinel": { "username": "x" } },
            }),
            "redis.sentinel.password",
        ),
        (
            json!({
                "secret": SECRET,
                "store": "rediss://h",
                "redis": { "caFile": "/nonexistent/ca.pem" },
            }),
            "redis.caFile",
        ),
        (json!({ "secret": SECRET, "store": "redis+sentinel://h" }), "store"),
        (json!({ "secret": SECRET, "store": "redis+cluster://h/1" }), "store"),
        (json!({ "secret": SECRET, "store": "redis+other://h/1" }), "store"),
        (json!({ "secret": SECRET, "store": "redis+cluster://h", "migrate": {} }), "migrate.store"),
    ];
    for (config, field) in cases {
        let (named, problem) = refused(config.clone());
        assert_eq!(named, field, "{config}: {problem}");
        assert!(!problem.is_empty());
    }
}

/// By habit from JavaScript. What is also a usual number of seconds passes.
#[tokio::test]
async fn numbers_in_milliseconds_are_refused() {
    const DAY: u64 = 24 * 3600;
    for (section, option, numbers) in [
        ("access", "ttl", &[900_000, 3_600_000][..]),
        ("refresh", "idleTtl", &[DAY * 1000, 14 * DAY * 1000, 12 * 3_600_000, 90_000_000]),
        ("refresh", "absoluteTtl", &[90 * DAY * 1000, 365 * DAY * 1000]),
        ("refresh", "grace", &[10_000]),
        ("refresh", "unusedGrace", &[60_000]),
        ("access", "leeway", &[5_000]),
        ("redis", "timeout", &[2_000, 5_000, 900_000]),
        ("redis", "replicaTimeout", &[500]),
    ] {
        for number in numbers {
            for value in [json!(number), json!(number.to_string())] {
                let config = json!({ "secret": SECRET, section: { option: value } });
                let (field, problem) = refused(config);
                assert_eq!(field, format!("{section}.{option}"), "{number}");
                assert!(problem.contains("second"), "{number}: {problem}");
            }
        }
    }
    for seconds in [900, DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY, 3650 * DAY, 100_000_001] {
        let refresh = json!({ "idleTtl": seconds, "absoluteTtl": seconds });
        let config = json!({ "secret": SECRET, "store": "memory:", "refresh": refresh });
        assert!(Auth::from_json(&config.to_string()).is_ok(), "{seconds}");
    }
}

/// A response is never given up earlier than within the grace.
#[tokio::test]
async fn the_grace_of_unused_children_is_at_least_the_grace() {
    for (refresh, unused_grace) in [
        (json!({}), "1m"),
        (json!({ "grace": 0 }), "1m"),
        (json!({ "grace": "2m" }), "2m"),
        (json!({ "grace": "2m", "unusedGrace": "3m" }), "3m"),
        (json!({ "unusedGrace": "10s" }), "10s"),
        (json!({ "grace": 0, "unusedGrace": 0 }), "0s"),
    ] {
        let config = json!({ "secret": SECRET, "refresh": refresh }).to_string();
        let effective = regrant::config::AuthConfig::from_json(&config).unwrap().effective();
        let effective = serde_json::to_value(effective.unwrap()).unwrap();
        assert_eq!(effective["refresh"]["unusedGrace"], json!(unused_grace), "{refresh}");
    }
}

#[tokio::test]
async fn an_invalid_session_limit_names_the_valid_range() {
    let config = json!({ "secret": SECRET, "refresh": { "maxSessions": 0 } });
    let (_, problem) = refused(config);
    assert!(problem.contains("a whole number from 1 on, or false"), "{problem}");
}

#[tokio::test]
async fn configuration_errors_do_not_quote_secrets() {
    let planted = "planted-in-the-configuration";
    let cases = [
        json!({ "secret": [planted] }),
        json!({ "secret": planted }),
        json!({ "secret": SECRET, "refreshSecret": planted }),
        json!({ "secret": { "base64": planted } }),
        json!({ "secret": SECRET, "store": format!("redis://:{planted}@[::") }),
        json!({ "keys": [{ "alg": "RS256", "privateKey": planted }], "refreshSecret": SECRET }),
    ];
    for config in cases {
        let (field, problem) = refused(config.clone());
        assert!(!format!("{field} {problem}").contains(planted), "{config}: {field}: {problem}");
    }
}

#[tokio::test]
async fn a_short_secret_is_accepted_if_explicitly_allowed() {
    let config = json!({ "secret": "short", "allowShortSecret": true, "store": "memory:" });
    Auth::from_json(&config.to_string()).unwrap().build().unwrap();
}

#[test]
fn building_outside_of_a_runtime_is_a_clear_error() {
    assert_eq!(refused(json!({ "secret": SECRET })).0, "runtime");
}
