//! The rules for the claims (RFC 7519 §4.1).

use std::time::Duration;

use crate::support::access::*;
use regrant::access::AccessPolicy;
use regrant::types::{FamilyPosition, SessionId, Timestamp};
use regrant::{Error, ErrorCode};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

fn plain() -> AccessPolicy {
    AccessPolicy::default()
}

/// Valid claims, changed by the members of `changes`; a null removes the member.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "sub": "u", "exp": NOW + 60 });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn code(policy: &AccessPolicy, changes: Value) -> ErrorCode {
    verify_claims(policy, &claims(changes)).unwrap_err().code()
}

#[test]
fn a_token_expires_at_exp_and_not_after() {
    assert!(verify_claims(&plain(), &claims(json!({ "exp": NOW + 1 }))).is_ok());
    assert_eq!(code(&plain(), json!({ "exp": NOW })), ErrorCode::TokenExpired);
    assert_eq!(code(&plain(), json!({ "exp": NOW - 1 })), ErrorCode::TokenExpired);
    for exp in [json!(0), json!(-5), json!(-1.5)] {
        assert_eq!(code(&plain(), json!({ "exp": exp })), ErrorCode::TokenExpired);
    }
    let fraction = claims(json!({ "exp": NOW as f64 + 0.5 }));
    let verified = verify_claims(&plain(), &fraction).unwrap();
    assert_eq!(verified.expires_at(), Timestamp::from_millis(NOW * 1000 + 500));
}

#[test]
fn exp_is_required() {
    let without = claims(json!({ "exp": null }));
    assert_eq!(claim_missing(verify_claims(&plain(), &without)), "exp");
}

#[test]
fn dates_that_are_not_numbers_or_out_of_range_are_invalid() {
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!((NOW + 60).to_string()),
            json!(true),
            json!([NOW + 60]),
            json!({ "seconds": NOW + 60 }),
            json!(1e300),
            json!(-1e300),
            json!((1i64 << 53) + 1),
            json!(-(1i64 << 53) - 1),
            json!(i64::MAX),
            json!(u64::MAX),
        ] {
            let result = verify_claims(&plain(), &claims(json!({ name: value })));
            assert_eq!(claim_invalid(result), name, "{value}");
        }
        let null = format!("{{\"sub\":\"u\",\"exp\":{},\"{name}\":null}}", NOW + 60);
        let null = if name == "exp" { r#"{"sub":"u","exp":null}"#.to_owned() } else { null };
        let result = verifier(plain()).verify(&token(ACCESS_HEADER, &null));
        assert_eq!(claim_invalid(result), name);
    }
}

#[test]
fn the_largest_date_neither_overflows_nor_expires() {
    let policy = AccessPolicy::builder().leeway(300 * SECOND).build().unwrap();
    let verified = verify_claims(&policy, &claims(json!({ "exp": 1i64 << 53 }))).unwrap();
    assert!(verified.expires_at() > Timestamp::from_seconds(NOW));
}

#[test]
fn nbf_is_the_first_instant() {
    assert!(verify_claims(&plain(), &claims(json!({ "nbf": NOW }))).is_ok());
    assert_eq!(code(&plain(), json!({ "nbf": NOW + 1 })), ErrorCode::TokenNotYetValid);
    assert_eq!(code(&plain(), json!({ "nbf": NOW as f64 + 0.001 })), ErrorCode::TokenNotYetValid);
}

#[test]
fn leeway_widens_both_ends() {
    let policy = AccessPolicy::builder().leeway(10 * SECOND).build().unwrap();
    assert!(verify_claims(&policy, &claims(json!({ "exp": NOW - 9 }))).is_ok());
    assert_eq!(code(&policy, json!({ "exp": NOW - 10 })), ErrorCode::TokenExpired);
    assert!(verify_claims(&policy, &claims(json!({ "nbf": NOW + 10 }))).is_ok());
    assert_eq!(code(&policy, json!({ "nbf": NOW + 11 })), ErrorCode::TokenNotYetValid);
}

#[test]
fn max_age_counts_from_iat() {
    let policy = AccessPolicy::builder().max_age(30 * SECOND).build().unwrap();
    assert!(verify_claims(&policy, &claims(json!({ "iat": NOW - 29 }))).is_ok());
    assert_eq!(code(&policy, json!({ "iat": NOW - 30 })), ErrorCode::TokenExpired);
    assert_eq!(claim_missing(verify_claims(&policy, &claims(json!({})))), "iat");
}

#[test]
fn the_issuer_must_be_one_of_those_configured() {
    let policy = AccessPolicy::builder().issuer("https://a").issuer("https://b").build().unwrap();
    for issuer in ["https://a", "https://b"] {
        let verified = verify_claims(&policy, &claims(json!({ "iss": issuer }))).unwrap();
        assert_eq!(verified.issuer(), Some(issuer));
    }
    for changes in [json!({}), json!({ "iss": "https://c" }), json!({ "iss": "" })] {
        assert_eq!(code(&policy, changes), ErrorCode::IssuerMismatch);
    }
    for policy in [policy, plain()] {
        let array = claims(json!({ "iss": ["https://a"] }));
        assert_eq!(claim_invalid(verify_claims(&policy, &array)), "iss");
    }
    assert!(verify_claims(&plain(), &claims(json!({ "iss": "https://c" }))).is_ok());
}

#[test]
fn one_audience_must_match() {
    let policy = AccessPolicy::builder().audience("api").audience("admin").build().unwrap();
    for audience in [json!("api"), json!("admin"), json!(["other", "api"])] {
        assert!(verify_claims(&policy, &claims(json!({ "aud": audience }))).is_ok());
    }
    for audience in [json!(null), json!("other"), json!([]), json!(["other"]), json!("API")] {
        assert_eq!(code(&policy, json!({ "aud": audience })), ErrorCode::AudienceMismatch);
    }
    for audience in [json!(7), json!({ "api": 1 }), json!(["api", 7]), json!([["api"]])] {
        let result = verify_claims(&policy, &claims(json!({ "aud": audience })));
        assert_eq!(claim_invalid(result), "aud");
    }
    let both = claims(json!({ "aud": ["other", "api"] }));
    assert_eq!(verify_claims(&policy, &both).unwrap().audience(), ["other", "api"]);
}

#[test]
fn a_verifier_without_an_audience_rejects_aud() {
    for audience in [json!("api"), json!(["api"]), json!([])] {
        assert_eq!(code(&plain(), json!({ "aud": audience })), ErrorCode::AudienceMismatch);
    }
}

#[test]
fn the_subject_claim_is_text_or_an_integer() {
    let policy = AccessPolicy::builder().subject_claim("userId").build().unwrap();
    for (value, subject) in [
        (json!("홍길동"), "홍길동"),
        (json!(7), "7"),
        (json!(0), "0"),
        (json!(-3), "-3"),
        (json!(u64::MAX), "18446744073709551615"),
    ] {
        let verified = verify_claims(&policy, &claims(json!({ "userId": value }))).unwrap();
        assert_eq!(verified.subject().as_str(), subject);
    }
}

#[test]
fn sub_is_text() {
    let named = verify_claims(&plain(), &claims(json!({ "sub": "홍길동" }))).unwrap();
    assert_eq!(named.subject().as_str(), "홍길동");
    for value in [
        json!(7),
        json!(""),
        json!("a\nb"),
        json!("u".repeat(256)),
        json!(7.5),
        json!(true),
        json!(["u"]),
        json!({ "id": "u" }),
    ] {
        let result = verify_claims(&plain(), &claims(json!({ "sub": value })));
        assert_eq!(claim_invalid(result), "sub", "{value}");
    }
    assert_eq!(claim_missing(verify_claims(&plain(), &claims(json!({ "sub": null })))), "sub");
}

#[test]
fn the_subject_claim_takes_precedence_over_sub() {
    let policy = AccessPolicy::builder().subject_claim("userId").build().unwrap();
    let subject = |changes| {
        let verified = verify_claims(&policy, &claims(changes)).unwrap();
        verified.subject().to_string()
    };
    assert_eq!(subject(json!({ "sub": null, "userId": 7 })), "7");
    assert_eq!(subject(json!({ "sub": "s", "userId": "n" })), "n");
    assert_eq!(subject(json!({ "sub": "s" })), "s");
    let neither = claims(json!({ "sub": null }));
    assert_eq!(claim_missing(verify_claims(&policy, &neither)), "userId");
    let wrong = claims(json!({ "userId": [7] }));
    assert_eq!(claim_invalid(verify_claims(&policy, &wrong)), "userId");
}

#[test]
fn the_session_claims_are_typed() {
    let id = SessionId::from_bytes([7; 16]);
    let full = json!({ "sid": id, "gen": 3, "brn": 1 });
    let verified = verify_claims(&plain(), &claims(full)).unwrap();
    assert_eq!(verified.session(), Some(id));
    assert_eq!(verified.family_position(), Some(FamilyPosition { generation: 3, branch: 1 }));

    let alone = verify_claims(&plain(), &claims(json!({ "sid": id }))).unwrap();
    assert_eq!((alone.session(), alone.family_position()), (Some(id), None));
    let none = verify_claims(&plain(), &claims(json!({}))).unwrap();
    assert_eq!((none.session(), none.family_position()), (None, None));
}

/// OpenID Connect also has a `sid`, in any format.
#[test]
fn the_session_claims_of_another_issuer_are_its_own() {
    let id = SessionId::from_bytes([7; 16]);
    for theirs in [
        json!({ "sid": "08a5019c-17e1-4977-8f42-65a12843ea02" }),
        json!({ "sid": 7 }),
        json!({ "sid": "" }),
        json!({ "sid": format!("{id}A"), "gen": 3, "brn": 1 }),
        json!({ "gen": 3, "brn": 1 }),
        json!({ "gen": "stable" }),
        json!({ "brn": ["x"] }),
    ] {
        let verified = verify_claims(&plain(), &claims(theirs.clone())).unwrap();
        assert_eq!((verified.session(), verified.family_position()), (None, None), "{theirs}");
        for (name, value) in theirs.as_object().unwrap() {
            assert_eq!(verified.claim(name), Some(value));
        }
    }
    for theirs in [
        json!({ "sid": id, "gen": "3", "brn": 1 }),
        json!({ "sid": id, "gen": -1, "brn": 1 }),
        json!({ "sid": id, "gen": 3.0, "brn": 1 }),
        json!({ "sid": id, "gen": 3, "brn": 1u64 << 32 }),
        json!({ "sid": id, "gen": 3 }),
        json!({ "sid": id, "brn": 3 }),
    ] {
        let verified = verify_claims(&plain(), &claims(theirs.clone())).unwrap();
        assert_eq!((verified.session(), verified.family_position()), (Some(id), None), "{theirs}");
    }
}

#[test]
fn required_claims_must_have_a_value() {
    let policy =
        AccessPolicy::builder().required_claim("role").required_claim("nbf").build().unwrap();
    let with = |changes| verify_claims(&policy, &claims(changes));
    assert!(with(json!({ "role": "admin", "nbf": NOW })).is_ok());
    assert!(with(json!({ "role": false, "nbf": NOW })).is_ok());
    assert_eq!(claim_missing(with(json!({ "nbf": NOW }))), "role");
    assert_eq!(claim_missing(with(json!({ "role": "admin" }))), "nbf");
    let null = format!("{{\"sub\":\"u\",\"exp\":{},\"nbf\":{NOW},\"role\":null}}", NOW + 60);
    let result = verifier(policy.clone()).verify(&token(ACCESS_HEADER, &null));
    assert_eq!(claim_missing(result), "role");
}

/// Only a token that is otherwise valid is reported as expired, which advises the client to refresh.
#[test]
fn other_errors_take_precedence_over_expiry() {
    let policy = AccessPolicy::builder().issuer("https://a").audience("api").build().unwrap();
    let good = json!({ "iss": "https://a", "aud": "api", "exp": NOW - 1 });
    assert_eq!(code(&policy, good), ErrorCode::TokenExpired);
    let issuer = json!({ "iss": "https://b", "aud": "api", "exp": NOW - 1 });
    assert_eq!(code(&policy, issuer), ErrorCode::IssuerMismatch);
    let audience = json!({ "iss": "https://a", "aud": "web", "exp": NOW - 1 });
    assert_eq!(code(&policy, audience), ErrorCode::AudienceMismatch);
    let subject = json!({ "iss": "https://a", "aud": "api", "exp": NOW - 1, "sub": null });
    assert_eq!(code(&policy, subject), ErrorCode::ClaimMissing);
}

#[test]
fn the_apps_claims_are_readable() {
    #[derive(serde::Deserialize, Debug)]
    struct App {
        role: String,
        nested: Vec<u8>,
    }

    let changes = json!({ "role": "admin", "nested": [1, 2], "jti": "id" });
    let verified = verify_claims(&plain(), &claims(changes)).unwrap();
    assert_eq!(verified.claim("role").unwrap(), "admin");
    assert_eq!(verified.claim("nested").unwrap()[1], 2);
    assert!(verified.claim("absent").is_none());
    assert_eq!(verified.id(), Some("id"));
    let app: App = verified.custom().unwrap();
    assert_eq!((app.role.as_str(), app.nested.as_slice()), ("admin", &[1, 2][..]));

    let wrong = verify_claims(&plain(), &claims(json!({ "role": "a", "nested": [1, "x"] })));
    match wrong.unwrap().custom::<App>() {
        Err(Error::ClaimInvalid { claim }) => assert_eq!(claim, "nested[1]"),
        other => panic!("{other:?}"),
    }
    let absent = verify_claims(&plain(), &claims(json!({}))).unwrap();
    assert_eq!(absent.custom::<App>().unwrap_err().code(), ErrorCode::ClaimInvalid);
    assert!(
        !format!("{:?}", verify_claims(&plain(), &claims(json!({ "role": "admin" }))))
            .contains("admin")
    );
    let number = claims(json!({ "jti": 7 }));
    assert_eq!(claim_invalid(verify_claims(&plain(), &number)), "jti");
}
