//! The migration of refresh tokens of a legacy app.

mod ending;
mod legacy_app;
mod refreshing;
mod sweeping;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use regrant::migration::{IdentityResolver, LegacyRefreshTokens};
use regrant::types::{Clock, ManualClock, SecretBytes, Subject};
use regrant::{Auth, Error, RefreshRequest, RefreshResponse, Result};

use crate::support::sessions::{EventLog, START, assert_code, clock, subject};
use legacy_app::{OldApp, SECRET_KEY};

const DAY: i64 = 86_400;

/// The new app and the legacy app.
struct World {
    auth: Auth,
    old: OldApp,
    clock: Arc<ManualClock>,
    events: EventLog,
}

impl World {
    fn new() -> Self {
        Self::with(r#""rotation": false"#)
    }

    fn with(refresh: &str) -> Self {
        let old = OldApp::default();
        let (clock, events) = (clock(), EventLog::default());
        let config = format!(
            r#"{{ "secret": "{SECRET_KEY}", "allowShortSecret": true, "store": "memory:", "refresh": {{ {refresh} }} }}"#
        );
        let tokens = LegacyRefreshTokens::new(&SecretBytes::new(SECRET_KEY), old.clone()).unwrap();
        let auth = Auth::from_json(&config)
            .unwrap()
            .migrate_legacy_tokens(tokens.users(ByMail))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .on_event(events.listener())
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
        self.events.types()
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
