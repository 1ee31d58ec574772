//! Access tokens and DPoP proofs of every kind.

use std::sync::Arc;
use std::time::Duration;

use regrant::access::{AccessPolicy, AccessVerifier, LegacyTokens};
#[cfg(feature = "server")]
use regrant::dpop::PresentedProof;
use regrant::keys::{Algorithm, Key, Keyring, ShortSecret};
use regrant::types::SecretBytes;
use regrant::types::{ManualClock, Timestamp};
use serde_json::Value;

use super::{fixture, read_json};

#[test]
fn every_access_token_of_0_1_0_yields_the_same_claims() {
    let file = read_json("tokens.json");
    let now = Timestamp::from_millis(file["now"].as_i64().unwrap());
    let mut count = 0;
    for group in file["groups"].as_array().unwrap() {
        let (keys, policy) = (keyring(&group["config"]), policy(&group["config"]["access"]));
        let verifier = AccessVerifier::new(keys, policy, Arc::new(ManualClock::new(now))).unwrap();
        for token in group["tokens"].as_array().unwrap() {
            let what = format!("{} of {}", token["name"], group["name"]);
            let found = match verifier.verify(token["token"].as_str().unwrap()) {
                Ok(access) => {
                    assert_eq!(access.subject().as_str(), token["subject"], "{what}");
                    let session = access.session().map_or(Value::Null, |id| id.to_string().into());
                    assert_eq!(session, token["sessionId"], "{what}");
                    let claims = token["claims"].as_object().unwrap();
                    assert!(!claims.is_empty());
                    for (name, value) in claims {
                        assert_eq!(access.claim(name), Some(value), "{name} in {what}");
                    }
                    let all: Value = serde_json::from_str(access.payload()).unwrap();
                    assert_eq!(all, token["claims"], "{what}");
                    let expires = token["claims"]["exp"].as_i64().unwrap();
                    assert_eq!(access.expires_at(), Timestamp::from_seconds(expires), "{what}");
                    "ok"
                }
                Err(error) => error.code().as_str(),
            };
            assert_eq!(found, token["answer"], "{what}");
            count += 1;
        }
    }
    println!("{count} access tokens");
}

#[cfg(feature = "server")]
#[tokio::test]
async fn every_proof_of_0_1_0_is_accepted_once() {
    let file = read_json("tokens.json");
    let now = Timestamp::from_millis(file["now"].as_i64().unwrap());
    let groups = file["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["name"] == "dpop").unwrap();
    let mut config = group["config"].clone();
    config["store"] = "memory:".into();
    let auth = regrant::Auth::from_json(&config.to_string())
        .unwrap()
        .clock(Arc::new(ManualClock::new(now)))
        .build()
        .unwrap();
    for proof in group["proofs"].as_array().unwrap() {
        let text = |name: &str| proof[name].as_str().unwrap();
        let presented = PresentedProof::new(text("proof"), text("method"), text("path"));
        let checked = auth.check_proof(&presented).unwrap();
        assert_eq!(checked.thumbprint().to_string(), text("thumbprint"));
        if let Some(access) = proof["access"].as_str() {
            let verified = auth.verify_with_proof(access, &presented).unwrap();
            assert_eq!(verified.key(), Some(checked.thumbprint()));
            let again = auth.verify_with_proof(access, &presented).unwrap_err();
            assert_eq!(again.code().as_str(), "ERR_DPOP_PROOF_REPLAYED");
        }
    }
}

fn keyring(config: &Value) -> Keyring {
    let mut ring = Keyring::builder();
    let secret = |secret: &Value| SecretBytes::new(secret.as_str().unwrap());
    if config["secret"].is_string() {
        let key = Key::hmac(Algorithm::HS256, &secret(&config["secret"]), ShortSecret::Refuse);
        ring = ring.active(key.unwrap());
    }
    for (place, config) in config["keys"].as_array().into_iter().flatten().enumerate() {
        let algorithm = Algorithm::from_name(config["alg"].as_str().unwrap()).unwrap();
        let key = match config["privateKey"].as_str() {
            // `@NAME` is one of the keys of the vectors.
            Some(name) => {
                let name = name.strip_prefix('@').unwrap();
                let path = fixture(&format!("../../keys/test-only-{name}.pem"));
                Key::private_pem(algorithm, &std::fs::read_to_string(path).unwrap())
            }
            None => Key::hmac(algorithm, &secret(&config["secret"]), ShortSecret::Refuse),
        };
        let key = key.unwrap().with_id(config["kid"].as_str().unwrap().parse().unwrap());
        ring = if place == 0 { ring.active(key) } else { ring.verifying(key) };
    }
    ring.build().unwrap()
}

fn policy(config: &Value) -> AccessPolicy {
    let mut policy = AccessPolicy::builder().ttl(Duration::from_secs(900));
    if let Some(name) = config["subjectClaim"].as_str() {
        policy = policy.subject_claim(name);
    }
    if let Some(issuer) = config["issuer"].as_str() {
        policy = policy.issuer(issuer);
    }
    for audience in config["audience"].as_array().into_iter().flatten() {
        policy = policy.audience(audience.as_str().unwrap());
    }
    if config["legacy"] == true {
        policy = policy.accept_legacy(LegacyTokens::default());
    }
    policy.build().unwrap()
}
