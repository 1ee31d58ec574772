//! `Auth` on the memory store, with a clock that the test sets.

mod administration;
mod configuration;
mod dpop;
mod everywhere;
mod failover;
mod faults;
mod feed;
mod life_cycle;
mod limiter;
#[cfg(feature = "server")]
mod metrics;
mod refresh_vectors;
mod revocation;
#[cfg(feature = "file")]
mod rotation;
mod session_limit;
mod side_channels;
mod theft;
mod usage;

pub(crate) use faults::delegate;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use regrant::auth::Login;
use regrant::types::{Clock, ManualClock, Subject, Timestamp};
use regrant::{
    AuditEvent, Auth, AuthBuilder, Error, RefreshRequest, RefreshResponse, Result, TokenPair,
};

const SECRET: &str = "an access secret of at least 32 bytes";

struct World {
    auth: Auth,
    clock: Arc<ManualClock>,
    events: Arc<Mutex<Vec<AuditEvent>>>,
}

impl World {
    /// A world with the configuration in `json`, plus `secret` and a memory store.
    fn new(json: serde_json::Value) -> Self {
        Self::with(json, |builder| builder)
    }

    fn with(mut json: serde_json::Value, change: impl FnOnce(AuthBuilder) -> AuthBuilder) -> Self {
        json["secret"] = SECRET.into();
        json["store"] = "memory:".into();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let builder = Auth::from_json(&json.to_string())
            .unwrap()
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .on_event(move |event| heard.lock().unwrap().push(event.clone()));
        Self { auth: change(builder).build().unwrap(), clock, events }
    }

    async fn login(&self) -> TokenPair {
        self.auth.login(Login::new(alice())).await.unwrap()
    }

    async fn refresh(&self, token: &str) -> Result<RefreshResponse> {
        self.auth.refresh(RefreshRequest::new(token)).await
    }

    fn auth_now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The events so far, as JSON.
    fn events(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .map(|event| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

/// The refresh token of a response with rotation.
fn next(renewed: &RefreshResponse) -> &str {
    renewed.refresh_token.as_ref().expect("rotation is on").expose()
}

/// Lets the background task deliver pending reports.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
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
