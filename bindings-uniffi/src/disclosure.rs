//! No error about a configuration shows a value of it, because the value may be a secret: a planted value
//! in every field of every record, in shapes of which most are refused.

use std::collections::HashMap;
use std::sync::Arc;

use crate::session::{
    CallbackError, HttpRequest, HttpResponse, RefreshEndpoint, Session, SessionConfig, Transport,
    in_memory_storage,
};
use crate::{
    AccessPolicy, AccessVerifier, Algorithm, KeyMaterial, LegacyTokens, RegrantError,
    VerificationKey,
};

const PLANTED: &str = "pl4nted";

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// Texts with the planted value.
fn texts() -> Vec<String> {
    let mut texts: Vec<_> = [
        "*",
        " * ",
        "*\n*",
        "*\0",
        "https://*:*@*/*#*",
        "http://*/",
        "*://*",
        "/*",
        "-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n",
        "-----BEGIN *-----\n*\n-----END *-----\n",
        r#""*""#,
        r#"{"*":"*"}"#,
        r#"{"kty":"*","k":"*","kid":"*"}"#,
        r#"{"kty":"oct","k":"*","kid":"*"}"#,
        r#"{"kty":"oct","k":"*","alg":"*"}"#,
        r#"{"kty":"oct","k":"*","use":"*"}"#,
        r#"{"kty":"oct","k":"*","key_ops":["*"]}"#,
        r#"{"kty":"RSA","n":"*","e":"*"}"#,
        r#"{"kty":"EC","crv":"*","x":"*","y":"*"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"*","y":"*","d":"*"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"*"}"#,
        r#"{"keys":"*"}"#,
        r#"{"keys":["*"]}"#,
        r#"{"keys":[{"kty":"*","kid":"*"}]}"#,
        r#"{"keys":[{"kty":"oct","k":"*","kid":"*"}]}"#,
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"*","d":"*"}]}"#,
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"*"}],"keys":"*"}"#,
    ]
    .iter()
    .map(|shape| shape.replace('*', PLANTED))
    .collect();
    texts.push(PLANTED.repeat(100_000));
    texts
}

/// How many attempts failed, which the test checks so that it cannot pass by accepting everything.
#[derive(Default)]
struct Refusals(usize);

impl Refusals {
    fn check<T>(&mut self, what: &str, outcome: Result<T, RegrantError>) {
        if let Err(error) = outcome {
            self.0 += 1;
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(PLANTED), "{what}: {shown}");
        }
    }
}

#[test]
fn errors_about_keys_show_no_value() {
    let mut refusals = Refusals::default();
    for text in texts() {
        for algorithm in ALGORITHMS {
            let bytes = text.clone().into_bytes();
            let materials = [
                KeyMaterial::Secret { bytes: bytes.clone(), allow_short: false },
                KeyMaterial::Secret { bytes: bytes.clone(), allow_short: true },
                KeyMaterial::PublicPem { pem: text.clone() },
                KeyMaterial::PublicDer { der: bytes },
                KeyMaterial::Jwk { jwk: text.clone() },
            ];
            for material in materials {
                let what = format!("{material:?} for {algorithm:?}");
                assert!(!what.contains(PLANTED));
                let key = VerificationKey { algorithm, material, kid: None };
                refusals.check(&what, key.into_core());
            }
            let material = KeyMaterial::Secret { bytes: vec![7; 64], allow_short: false };
            let key = VerificationKey { algorithm, material, kid: Some(text.clone()) };
            let verifier = AccessVerifier::new(vec![key], AccessPolicy::default(), None);
            refusals.check("kid", verifier);
            let policy = AccessPolicy::default();
            refusals.check("jwks", AccessVerifier::from_jwks(&text, policy, None, Some(algorithm)));
        }
    }
    assert!(refusals.0 > 500, "only {} were refused", refusals.0);
}

#[test]
fn errors_about_a_policy_show_no_value() {
    let mut refusals = Refusals::default();
    for text in texts() {
        let some = || vec![text.clone(), text.clone()];
        let legacy = |legacy| AccessPolicy { legacy: Some(legacy), ..AccessPolicy::default() };
        let policies = [
            AccessPolicy { issuers: some(), ..AccessPolicy::default() },
            AccessPolicy { audiences: some(), ..AccessPolicy::default() },
            AccessPolicy { required_claims: some(), ..AccessPolicy::default() },
            AccessPolicy { subject_claim: Some(text.clone()), ..AccessPolicy::default() },
            legacy(LegacyTokens { required_claims: some(), ..LegacyTokens::default() }),
            legacy(LegacyTokens { forbidden_claims: some(), ..LegacyTokens::default() }),
            legacy(LegacyTokens {
                required_claims: some(),
                forbidden_claims: some(),
                ..LegacyTokens::default()
            }),
        ];
        for (index, policy) in policies.into_iter().enumerate() {
            refusals.check(&format!("policy {index}"), policy.into_core());
        }
    }
}

struct NoTransport;

#[async_trait::async_trait]
impl Transport for NoTransport {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, CallbackError> {
        Err(CallbackError::Failed { reason: "no network".to_owned() })
    }
}

#[test]
fn errors_about_a_session_show_no_value() {
    let mut refusals = Refusals::default();
    let endpoint = || RefreshEndpoint {
        url: "https://app.example/auth/refresh".to_owned(),
        shape: None,
        headers: HashMap::new(),
        logout_url: None,
        client_id: None,
        envelope: None,
    };
    for text in texts() {
        let headers =
            |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        let endpoints = [
            RefreshEndpoint { url: text.clone(), ..endpoint() },
            RefreshEndpoint { logout_url: Some(text.clone()), ..endpoint() },
            RefreshEndpoint { headers: headers(&text, "value"), ..endpoint() },
            RefreshEndpoint { headers: headers("x-api-key", &text), ..endpoint() },
            RefreshEndpoint { client_id: Some(text.clone()), ..endpoint() },
            RefreshEndpoint { envelope: Some(text.clone()), ..endpoint() },
        ];
        for (index, endpoint) in endpoints.into_iter().enumerate() {
            let config = SessionConfig {
                endpoint,
                min_ttl: None,
                wait_timeout: None,
                request_timeout: None,
                lock_timeout: None,
                storage_timeout: None,
                initial_backoff: None,
                max_backoff: None,
                failure_threshold: None,
                persist_timeout: None,
                renew_cooldown: None,
                seed: None,
            };
            let session = Session::new(
                config,
                Arc::new(NoTransport),
                in_memory_storage(),
                None,
                None,
                None,
                None,
            );
            refusals.check(&format!("endpoint {index}"), session);
        }
    }
    assert!(refusals.0 > 50, "only {} were refused", refusals.0);
}
