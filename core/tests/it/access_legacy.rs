//! Tokens of a legacy app: no distinct `typ`, one key for everything.

use std::time::Duration;

use crate::support::access::*;
use regrant::access::{AccessPolicy, LegacyTokens, VerifiedAccess};
use regrant::{ErrorCode, Result};
use serde_json::{Value, json};

const HOUR: i64 = 3600;

fn policy() -> AccessPolicy {
    AccessPolicy::builder()
        .subject_claim("userId")
        .accept_legacy(LegacyTokens::default())
        .build()
        .unwrap()
}

fn verify(header: &str, claims: Value) -> Result<VerifiedAccess> {
    verifier(policy()).verify(&token(header, &claims.to_string()))
}

fn code(header: &str, claims: Value) -> ErrorCode {
    verify(header, claims).unwrap_err().code()
}

fn good() -> Value {
    json!({ "userId": 7, "iat": NOW - 10, "exp": NOW + HOUR })
}

#[test]
fn legacy_tokens_are_accepted_if_enabled() {
    for header in [
        LEGACY_HEADER,
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256"}"#,
    ] {
        assert_eq!(verify(header, good()).unwrap().subject().as_str(), "7");
        let strict = AccessPolicy::builder().subject_claim("userId").build().unwrap();
        let refused = verifier(strict).verify(&token(header, &good().to_string()));
        assert_eq!(refused.unwrap_err().code(), ErrorCode::TypMismatch, "{header}");
    }
    verify(ACCESS_HEADER, good()).unwrap();
}

#[test]
fn other_token_types_are_rejected() {
    for typ in ["rt+jwt", "application/rt+jwt", "id+jwt", ""] {
        let header = format!("{{\"alg\":\"HS256\",\"typ\":\"{typ}\"}}");
        assert_eq!(code(&header, good()), ErrorCode::TypMismatch, "{typ}");
    }
}

/// A legacy app signs refresh tokens with the same key; only their long lifetime distinguishes them.
#[test]
fn a_lifetime_over_the_bound_is_rejected() {
    let lives = |iat: Option<i64>, exp: i64| {
        let mut claims = json!({ "userId": 7, "exp": exp });
        if let Some(iat) = iat {
            claims["iat"] = json!(iat);
        }
        verify(LEGACY_HEADER, claims)
    };
    assert!(lives(Some(NOW - HOUR), NOW + 23 * HOUR).is_ok());
    assert_eq!(claim_invalid(lives(Some(NOW - HOUR), NOW + 23 * HOUR + 1)), "exp");
    // Also when it is about to expire or has expired: the error must not advise a refresh.
    assert_eq!(claim_invalid(lives(Some(NOW - 14 * 24 * HOUR), NOW + 1)), "exp");
    assert_eq!(claim_invalid(lives(Some(NOW - 14 * 24 * HOUR), NOW - 1)), "exp");
    // Without `iat`, the remaining lifetime must be within the limit.
    assert!(lives(None, NOW + 24 * HOUR).is_ok());
    assert_eq!(claim_invalid(lives(None, NOW + 24 * HOUR + 1)), "exp");
    // The limit applies to legacy tokens only.
    let own = json!({ "userId": 7, "iat": NOW, "exp": NOW + 14 * 24 * HOUR });
    verify(ACCESS_HEADER, own).unwrap();
}

#[test]
fn max_lifetime_is_configurable() {
    let policy = AccessPolicy::builder()
        .accept_legacy(LegacyTokens { max_lifetime: Duration::from_secs(60) })
        .build()
        .unwrap();
    let claims = |life: i64| json!({ "sub": "u", "iat": NOW, "exp": NOW + life }).to_string();
    verifier(policy.clone()).verify(&token(LEGACY_HEADER, &claims(60))).unwrap();
    let refused = verifier(policy).verify(&token(LEGACY_HEADER, &claims(61)));
    assert_eq!(claim_invalid(refused), "exp");
}

#[test]
fn exp_is_required_and_enforced_for_legacy_tokens() {
    let endless = json!({ "userId": 7, "iat": NOW });
    assert_eq!(claim_missing(verify(LEGACY_HEADER, endless)), "exp");
    let over = json!({ "userId": 7, "iat": NOW - 60, "exp": NOW });
    assert_eq!(code(LEGACY_HEADER, over), ErrorCode::TokenExpired);
}

#[test]
fn session_claims_of_a_legacy_token_are_ignored() {
    let mut claims = good();
    claims["sid"] = json!("BwcHBwcHBwcHBwcHBwcHBw");
    claims["gen"] = json!(1);
    claims["brn"] = json!(0);
    let verified = verify(LEGACY_HEADER, claims.clone()).unwrap();
    assert_eq!((verified.session(), verified.family_position()), (None, None));
    assert_eq!(verified.claim("gen").unwrap(), 1);
    let verified = verify(ACCESS_HEADER, claims).unwrap();
    assert!(verified.session().is_some() && verified.family_position().is_some());
}

/// The legacy app may have signed links for password resets with the same key.
#[test]
fn legacy_tokens_can_be_told_apart_by_their_claims() {
    let policy = AccessPolicy::builder()
        .subject_claim("userId")
        .accept_legacy(LegacyTokens::default())
        .required_claim("iat")
        .legacy_required_claim("nickname")
        .legacy_forbidden_claim("purpose")
        .build()
        .unwrap();
    let verify = |header: &str, claims: &Value| {
        verifier(policy.clone()).verify(&token(header, &claims.to_string()))
    };
    let mut claims = good();
    assert_eq!(claim_missing(verify(LEGACY_HEADER, &claims)), "nickname");
    claims["nickname"] = json!("a");
    verify(LEGACY_HEADER, &claims).unwrap();
    claims["purpose"] = json!(null);
    verify(LEGACY_HEADER, &claims).unwrap();
    claims["purpose"] = json!("reset");
    assert_eq!(claim_invalid(verify(LEGACY_HEADER, &claims)), "purpose");
    // Tokens of this server are marked by their `typ`.
    verify(ACCESS_HEADER, &claims).unwrap();
    verify(ACCESS_HEADER, &good()).unwrap();
}
