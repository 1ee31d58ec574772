//! Key rotation (add, activate, retire) by two processes that are never at the same step.

use std::sync::Arc;

use regrant::auth::Login;
use regrant::config::{AuthConfig, KeysConfig};
use regrant::keys::{Algorithm, Key, Keyring};
use regrant::types::{Clock, ManualClock, Timestamp};
use regrant::{Auth, Error, RefreshRequest, Result};
use serde_json::{Value, json};

use crate::support::pem;
use crate::support::sessions::alice;

const OLD: &str = "the secret of before, of at least 32 bytes";
const NEW: &str = "the secret from now on, of 32 bytes or more";
const OLD_REFRESH: &str = "the refresh secret of before, 32 bytes or more";
const NEW_REFRESH: &str = "the refresh secret from now on, 32 bytes or more";

/// One secret for everything.
fn by_secret() -> Vec<Value> {
    vec![
        json!({ "secret": OLD }),
        json!({ "secret": OLD, "previousSecrets": [NEW] }),
        json!({ "secret": NEW, "previousSecrets": [OLD] }),
        json!({ "secret": NEW }),
    ]
}

/// Key pairs with key ids, and a separate refresh secret.
fn by_keys() -> Vec<Value> {
    let key = |kid: &str, active: bool| {
        let pem = pem(&format!("ed25519-{kid}.private"));
        json!({ "alg": "EdDSA", "kid": kid, "privateKey": pem, "active": active })
    };
    let with = |keys: Value, secret: &str, accepted: &[&str]| json!({ "keys": keys, "refreshSecret": secret, "previousRefreshSecrets": accepted });
    vec![
        with(json!([key("a", true)]), OLD_REFRESH, &[]),
        with(json!([key("a", true), key("b", false)]), OLD_REFRESH, &[NEW_REFRESH]),
        with(json!([key("a", false), key("b", true)]), NEW_REFRESH, &[OLD_REFRESH]),
        with(json!([key("b", true)]), NEW_REFRESH, &[]),
    ]
}

/// Two processes with one store.
struct Processes {
    both: [Auth; 2],
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Processes {
    fn new(keys: &Value) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
        let folder = tempfile::tempdir().unwrap();
        let store = format!("file:{}", folder.path().join("sessions.db").display());
        let start = || {
            let mut config = keys.clone();
            config["store"] = store.clone().into();
            let config = AuthConfig::from_json(&config.to_string()).unwrap();
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            config.builder().unwrap().clock(clock).build().unwrap()
        };
        Self { both: [start(), start()], clock, _folder: folder }
    }
}

fn set(auth: &Auth, keys: &Value) -> Result<()> {
    let keys = KeysConfig::from_json(&keys.to_string())?;
    auth.set_keys(keys.keyring()?, keys.refresh_keys()?)
}

async fn refreshed(auth: &Auth, token: &str) -> Result<(String, String)> {
    let next = auth.refresh(RefreshRequest::new(token)).await?;
    let refresh = next.refresh_token.unwrap();
    Ok((next.access_token.expose().to_owned(), refresh.expose().to_owned()))
}

#[tokio::test]
async fn no_token_is_rejected_during_key_rotation() {
    for steps in [by_secret(), by_keys()] {
        let Processes { both, clock, _folder } = Processes::new(&steps[0]);
        let first = both[0].login(Login::new(alice())).await.unwrap();
        let mut pair =
            (first.access_token.expose().to_owned(), first.refresh_token.expose().to_owned());
        for (number, step) in steps.iter().enumerate().skip(1) {
            for ahead in &both {
                set(ahead, step).unwrap();
                // The two processes may be one step apart: each accepts what the other
                // issues.
                for issuer in &both {
                    pair = refreshed(issuer, &pair.1).await.unwrap();
                    for verifier in &both {
                        verifier.verify(&pair.0).unwrap_or_else(|e| panic!("step {number}: {e}"));
                        verifier.verify(&pair.0).unwrap();
                    }
                    clock.advance(std::time::Duration::from_secs(60));
                }
            }
        }
    }
}

#[tokio::test]
async fn tokens_signed_by_a_retired_key_are_rejected_at_once() {
    for steps in [by_secret(), by_keys()] {
        let Processes { both: [auth, _], _folder, .. } = Processes::new(&steps[0]);
        let pair = auth.login(Login::new(alice())).await.unwrap();
        // From here on the token is cached.
        auth.verify(pair.access_token.expose()).unwrap();
        set(&auth, &steps[3]).unwrap();
        let refused = auth.verify(pair.access_token.expose()).unwrap_err();
        assert!(matches!(refused, Error::SignatureInvalid | Error::KeyNotFound), "{refused}");
        let refused = refreshed(&auth, pair.refresh_token.expose()).await.unwrap_err();
        assert!(matches!(refused, Error::SignatureInvalid));
        // A rejected token is accepted once its key is added.
        set(&auth, &steps[2]).unwrap();
        auth.verify(pair.access_token.expose()).unwrap();
        refreshed(&auth, pair.refresh_token.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn a_cached_token_gets_a_new_cache_id_after_a_key_change() {
    let steps = by_secret();
    let Processes { both: [auth, _], _folder, .. } = Processes::new(&steps[0]);
    let mut numbers = Vec::new();
    for step in &steps {
        set(&auth, step).unwrap();
        let pair = auth.login(Login::new(alice())).await.unwrap();
        let access = auth.verify(pair.access_token.expose()).unwrap();
        let number = access.cache_id().unwrap();
        assert!(!numbers.contains(&number), "{number} was that of another token");
        numbers.push(number);
    }
}

#[tokio::test]
async fn replacing_keys_with_ones_that_cannot_sign_fails_without_effect() {
    let steps = by_secret();
    let Processes { both: [auth, _], _folder, .. } = Processes::new(&steps[0]);
    let pair = auth.login(Login::new(alice())).await.unwrap();
    let public = Key::public_pem(Algorithm::EdDSA, &pem("ed25519-a.public")).unwrap();
    let refresh = KeysConfig::from_json(&steps[3].to_string()).unwrap().refresh_keys().unwrap();
    let refused = auth.set_keys(Keyring::single(public), refresh).unwrap_err();
    assert!(matches!(refused, Error::ConfigInvalid { field, .. } if field == "keys"));
    auth.verify(pair.access_token.expose()).unwrap();
    refreshed(&auth, pair.refresh_token.expose()).await.unwrap();
}

#[test]
fn invalid_previous_secrets_are_rejected_with_their_index() {
    let field = |config: Value| {
        let config = KeysConfig::from_json(&config.to_string()).unwrap();
        match config.keyring().and(config.refresh_keys()).unwrap_err() {
            Error::ConfigInvalid { field, .. } => field,
            other => panic!("{other}"),
        }
    };
    assert_eq!(field(json!({ "previousSecrets": [OLD] })), "secret");
    assert_eq!(
        field(json!({ "secret": OLD, "previousSecrets": [NEW, "x"] })),
        "previousSecrets[1]"
    );
    let refresh = |accepted: &str| json!({ "secret": OLD, "previousRefreshSecrets": [accepted] });
    assert_eq!(field(refresh("x")), "previousRefreshSecrets[0]");
    assert_eq!(field(refresh(OLD)), "previousRefreshSecrets[0]");
}
