//! The migration of refresh tokens of a legacy app.

mod ending;
mod legacy_app;
mod refreshing;
mod sweeping;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use regrant::migration::{IdentityResolver, LegacyRefreshTokens};
use regrant::types::{Clock, ManualClock, SecretBytes, Subject, Timestamp};
use regrant::{AuditEvent, Auth, Error, RefreshRequest, RefreshResponse, Result};

use legacy_app::{OldApp, SECRET_KEY};

/// A whole second.
const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// The new app and the legacy app.
struct World {
    auth: Auth,
    old: OldApp,
    clock: Arc<ManualClock>,
    events: Arc<Mutex<Vec<AuditEvent>>>,
}

impl World {
    fn new() -> Self {
        Self::with(r#""rotation": false"#)
    }

    fn with(refresh: &str) -> Self {
        let old = OldApp::default();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(START)));
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let config = format!(
            r#"{{ "secret": "{SECRET_KEY}", "allowShortSecret": true, "store": "memory:", "refresh": {{ {refresh} }} }}"#
        );
        let tokens = LegacyRefreshTokens::new(&SecretBytes::new(SECRET_KEY), old.clone()).unwrap();
        let auth = Auth::from_json(&config)
            .unwrap()
            .migrate_legacy_tokens(tokens.users(ByMail))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .on_event(move |event| heard.lock().unwrap().push(event.clone()))
            .build()
            .unwrap();
        Self { auth, old, clock, events }
    }

    async fn refresh(&self, token: &str) -> Result<RefreshResponse> {
        self.auth.refresh(RefreshRequest::new(token)).await
    }

    /// A refresh request of a legacy client: with the user's id.
    async fn refresh_as(&self, token: &str, user: &str) -> Result<RefreshResponse> {
        self.auth.refresh(RefreshRequest::new(token).expect_subject(subject(user))).await
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(Duration::from_secs(seconds.try_into().unwrap()));
    }

    fn events(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let name =
            |event| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned();
        events.iter().map(name).collect()
    }
}

/// `ID@mail` is the address of the user `ID`; the user `gone` no longer exists.
struct ByMail;

#[async_trait]
impl IdentityResolver for ByMail {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        let id = value.strip_suffix("@mail").unwrap_or(value);
        match id {
            "gone" => Ok(None),
            "unlucky" => Err(Error::store("the user table is unavailable")),
            id => Ok(Some(subject(id))),
        }
    }
}

fn subject(id: &str) -> Subject {
    Subject::new(id).unwrap()
}

#[track_caller]
fn assert_code<T>(outcome: Result<T>, code: &str) -> Error {
    match outcome {
        Ok(_) => panic!("expected {code}, was accepted"),
        Err(error) => {
            assert_eq!(error.code().as_str(), code);
            error
        }
    }
}
