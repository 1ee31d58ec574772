//! `Auth` on the memory store, with a clock that the test sets.

mod administration;
mod bounds;
mod cancelled;
mod clients;
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
mod terms;
mod theft;
mod update;
mod usage;

pub(crate) use faults::delegate;

use std::sync::Arc;
use std::time::Duration;

use regrant::auth::Login;
use regrant::types::{Clock, ManualClock, Timestamp};
use regrant::{Auth, AuthBuilder, RefreshRequest, RefreshResponse, Result, TokenPair};

use crate::support::sessions::{EventLog, SECRET, alice, assert_code, clock};

struct World {
    auth: Auth,
    clock: Arc<ManualClock>,
    events: EventLog,
}

impl World {
    /// A world with the configuration in `json`, plus `secret` and a memory store.
    fn new(json: serde_json::Value) -> Self {
        Self::with(json, |builder| builder)
    }

    fn with(mut json: serde_json::Value, change: impl FnOnce(AuthBuilder) -> AuthBuilder) -> Self {
        json["secret"] = SECRET.into();
        json["store"] = "memory:".into();
        let (clock, events) = (clock(), EventLog::default());
        let builder = Auth::from_json(&json.to_string())
            .unwrap()
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .on_event(events.listener());
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

    /// The types of the events so far.
    fn events(&self) -> Vec<String> {
        self.events.types()
    }
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
