//! Issuing, and the policies that are refused.

use std::time::Duration;

use crate::support::access::*;
use regrant::ErrorCode;
use regrant::access::{AccessPolicy, AccessPolicyBuilder, AccessVerifier, LegacyTokens};
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::keys::{Algorithm, Keyring};
use regrant::token::decode_unverified;
use regrant::types::{Clock as _, FamilyPosition, SessionId, Subject, Timestamp};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

fn issuer(policy: AccessPolicy) -> AccessIssuer {
    AccessIssuer::new(keyring(), policy, clock()).unwrap()
}

fn grant() -> AccessGrant {
    AccessGrant::new(Subject::new("u").unwrap())
}

#[test]
fn a_token_has_all_granted_claims() {
    let policy = AccessPolicy::builder()
        .issuer("https://a")
        .issuer("https://former-a")
        .audience("api")
        .audience("admin")
        .subject_claim("userId")
        .jti(true)
        .build()
        .unwrap();
    let session = SessionId::from_bytes([9; 16]);
    let family_position = FamilyPosition { generation: 4, branch: 2 };
    let mut grant =
        AccessGrant { session: Some(session), family_position: Some(family_position), ..grant() };
    grant.claims.insert("role".to_owned(), json!(["a", { "b": 1 }]));

    let issued = issuer(policy.clone()).issue(&grant).unwrap();
    let decoded = decode_unverified(issued.token.expose()).unwrap();
    assert_eq!(decoded.header(), json!({ "alg": "HS256", "typ": "at+jwt" }).as_object().unwrap());
    let mut claims = decoded.claims().clone();
    let id = claims.remove("jti").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 22);
    let expected = json!({
        "iss": "https://a", "sub": "u", "userId": "u", "aud": ["api", "admin"],
        "sid": session, "gen": 4, "brn": 2, "iat": NOW, "exp": NOW + 900,
        "role": ["a", { "b": 1 }],
    });
    assert_eq!(&claims, expected.as_object().unwrap());

    let verified = verifier(policy.clone()).verify(issued.token.expose()).unwrap();
    assert_eq!(verified.session(), Some(session));
    assert_eq!(verified.family_position(), Some(family_position));
    assert_eq!(verified.id(), id.as_str());
    assert_eq!(verified.issued_at(), Some(Timestamp::from_seconds(NOW)));
    assert_eq!(verified.expires_at(), issued.expires_at);

    let again = issuer(policy).issue(&grant).unwrap();
    assert_ne!(again.token.expose(), issued.token.expose(), "jti must differ");
}

/// Its verifiers would refuse it, and its client would refresh for ever.
#[test]
fn a_token_without_a_required_claim_is_not_issued() {
    let required = |names: &[&str]| {
        let builder = AccessPolicy::builder();
        names.iter().fold(builder, |builder, name| builder.required_claim(*name))
    };
    let policy =
        required(&["iss", "sub", "userId", "aud", "sid", "gen", "iat", "exp", "jti", "role"])
            .issuer("https://a")
            .audience("api")
            .subject_claim("userId")
            .jti(true)
            .build()
            .unwrap();
    let mut grant = grant();
    let session = SessionId::from_bytes([7; 16]);
    grant.session = Some(session);
    grant.family_position = Some(FamilyPosition { generation: 1, branch: 0 });
    grant.claims.insert("role".to_owned(), json!("admin"));
    grant.claims.insert("scope".to_owned(), json!(null));
    let issued = issuer(policy.clone()).issue(&grant).unwrap();
    verifier(policy).verify(issued.token.expose()).unwrap();
    for name in ["iss", "aud", "jti", "userId", "sid", "cnf", "nbf", "scope"] {
        let policy = required(&[name]).build().unwrap();
        let grant = AccessGrant { session: None, family_position: None, ..grant.clone() };
        let error = issuer(policy).issue(&grant).unwrap_err();
        let problem = format!("{name} is missing, which `access.requiredClaims` requires");
        assert!(error.to_string().contains(&problem), "{error}");
    }
}

#[test]
fn a_plain_token_has_only_the_required_claims() {
    let issued = issuer(AccessPolicy::default()).issue(&grant()).unwrap();
    let decoded = decode_unverified(issued.token.expose()).unwrap();
    let expected = json!({ "sub": "u", "iat": NOW, "exp": NOW + 900 });
    assert_eq!(decoded.claims(), expected.as_object().unwrap());
    let one = AccessPolicy::builder().audience("api").build().unwrap();
    let issued = issuer(one).issue(&grant()).unwrap();
    assert_eq!(decode_unverified(issued.token.expose()).unwrap().claims()["aud"], "api");
}

/// `iat` and `exp` are rounded down alike: by whole seconds the life is exactly `ttl`.
#[test]
fn a_token_lives_for_its_ttl() {
    let clock = clock();
    clock.advance(Duration::from_millis(999));
    let policy = AccessPolicy::builder().ttl(10 * SECOND).build().unwrap();
    let issuer = AccessIssuer::new(keyring(), policy.clone(), clock.clone()).unwrap();
    let verifier = AccessVerifier::new(keyring(), policy, clock.clone()).unwrap();
    let issued = issuer.issue(&grant()).unwrap();
    assert_eq!(issued.expires_at, Timestamp::from_seconds(NOW + 10));
    clock.set(Timestamp::from_millis((NOW + 10) * 1000 - 1));
    verifier.verify(issued.token.expose()).unwrap();
    clock.advance(Duration::from_millis(1));
    assert_eq!(clock.now(), issued.expires_at);
    let refused = verifier.verify(issued.token.expose()).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::TokenExpired);
}

#[test]
fn registered_claims_cannot_be_set_by_the_app() {
    let policy = AccessPolicy::builder().subject_claim("userId").build().unwrap();
    let names = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "gen", "brn", "userId"];
    for name in names {
        let mut grant = grant();
        grant.claims.insert(name.to_owned(), json!("x"));
        let refused = issuer(policy.clone()).issue(&grant).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::ArgumentInvalid);
        let detail = format!("claims: {name} is a reserved claim");
        assert_eq!(refused.details().detail, Some(detail));
    }
}

#[test]
fn a_token_that_would_be_rejected_is_not_issued() {
    let mut large = grant();
    large.claims.insert("text".to_owned(), json!("x".repeat(200)));
    let limited = |bytes| issuer(AccessPolicy::builder().max_token_bytes(bytes).build().unwrap());
    let bytes = limited(8192).issue(&large).unwrap().token.expose().len();
    limited(bytes).issue(&large).unwrap();
    let refused = limited(bytes - 1).issue(&large).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ArgumentInvalid);

    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!([deep]);
    }
    let mut nested = grant();
    nested.claims.insert("deep".to_owned(), deep);
    let refused = issuer(AccessPolicy::default()).issue(&nested).unwrap_err();
    assert_eq!(refused.details().detail.as_deref(), Some("claims: nested too deep"));

    let lost = AccessGrant { family_position: Some(FamilyPosition::default()), ..grant() };
    let refused = issuer(AccessPolicy::default()).issue(&lost).unwrap_err();
    assert_eq!(refused.details().field.as_deref(), Some("session"));
}

#[test]
fn debug_shows_no_secret() {
    let issuer = issuer(AccessPolicy::default());
    let shown = format!("{issuer:?} {:?}", issuer.issue(&grant()).unwrap());
    assert!(shown.contains("[redacted]") && !shown.contains("eyJ"), "{shown}");
    assert!(!shown.contains("an HS256 secret"), "{shown}");
}

#[test]
fn invalid_policies_are_rejected_with_the_field() {
    let field = |set: fn(AccessPolicyBuilder) -> AccessPolicyBuilder| {
        config_error(set(AccessPolicy::builder()).build()).0
    };
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(field(|p| p.ttl(Duration::ZERO)), "access.ttl");
    assert_eq!(field(|p| p.ttl(Duration::from_millis(1500))), "access.ttl");
    assert_eq!(field(|p| p.ttl(Duration::MAX)), "access.ttl");
    assert_eq!(field(|p| p.leeway(301 * SECOND)), "access.leeway");
    assert_eq!(field(|p| p.ttl(60 * SECOND).leeway(60 * SECOND)), "access.leeway");
    assert_eq!(field(|p| p.max_age(Duration::ZERO)), "access.maxAge");
    assert_eq!(field(|p| p.issuer("")), "access.issuer");
    assert_eq!(field(|p| p.audience("a").audience("")), "access.audience");
    assert_eq!(field(|p| p.subject_claim("")), "access.subjectClaim");
    assert_eq!(field(|p| p.subject_claim("exp")), "access.subjectClaim");
    assert_eq!(field(|p| p.required_claim("")), "access.requiredClaims");
    let many = |p| (0..65).fold(p, |p: AccessPolicyBuilder, n| p.required_claim(n.to_string()));
    assert_eq!(field(many), "access.requiredClaims");
    assert_eq!(field(|p| p.max_token_bytes(255)), "access.maxTokenBytes");
    assert_eq!(field(|p| p.max_token_bytes(65_537)), "access.maxTokenBytes");
    let legacy = |max_lifetime| LegacyTokens { max_lifetime };
    let refused = AccessPolicy::builder().accept_legacy(legacy(Duration::ZERO)).build();
    assert_eq!(config_error(refused).0, "access.legacy.maxLifetime");
    let refused = AccessPolicy::builder().accept_legacy(legacy(400 * day)).build();
    assert_eq!(config_error(refused).0, "access.legacy.maxLifetime");
    assert!(AccessPolicy::builder().build().unwrap() == AccessPolicy::default());
}

#[test]
fn acceptance_is_bounded() {
    let policy = AccessPolicy::builder().leeway(5 * SECOND).build().unwrap();
    assert_eq!(policy.longest_acceptance(), 905 * SECOND);
    let legacy = AccessPolicy::builder().accept_legacy(LegacyTokens::default()).build().unwrap();
    assert_eq!(legacy.longest_acceptance(), 24 * 3600 * SECOND);
}

#[test]
fn issuer_and_verifier_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<AccessIssuer>();
    shared::<AccessVerifier>();
    shared::<Keyring>();
    shared::<Algorithm>();
}

#[test]
fn a_numeric_subject_is_issued_as_a_number_beside_sub() {
    let claims_of = |on: bool, id: &str| {
        let policy =
            AccessPolicy::builder().subject_claim("userId").numeric_subject(on).build().unwrap();
        let issued = issuer(policy.clone()).issue(&AccessGrant::new(Subject::new(id).unwrap()));
        let token = issued.unwrap().token;
        let verified = verifier(policy).verify(token.expose()).unwrap();
        assert_eq!(verified.subject().as_str(), id);
        assert_eq!(verified.claim("sub").unwrap(), id);
        verified.claim("userId").unwrap().clone()
    };
    assert_eq!(claims_of(false, "7"), "7");
    for number in [0, 7, -7, (1_i64 << 53) - 1] {
        assert_eq!(claims_of(true, &number.to_string()), json!(number));
    }
    // Other users than those that the numbers name, or not exact as a number.
    for text in ["007", "+7", "-0", "7.0", "7e0", " 7", "9007199254740992", "a", "7a"] {
        assert_eq!(claims_of(true, text), text);
    }
    let refused = AccessPolicy::builder().numeric_subject(true).build();
    assert!(refused.unwrap_err().to_string().contains("access.numericSubject"));
}
