//! How a session goes about its work, as data. What is left out is as the core has it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use regrant::client::{Endpoint, SessionBuilder, Settings};

/// What the requests to a refresh endpoint and its answers look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, uniffi::Enum)]
pub enum EndpointShape {
    /// What the Express handler `refreshHandler(auth, { cookie: false })` serves: `POST` with
    /// JSON, answered by JSON.
    #[default]
    Json,
    /// What the Express preset `rtVerify` serves, in the shape of older apps: `GET` with the
    /// headers `refreshtoken` and `userid`.
    RtVerify,
}

/// Where tokens are renewed.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct RefreshEndpoint {
    /// The whole address.
    pub url: String,
    /// What its requests and answers look like: `Json` by default.
    #[uniffi(default = None)]
    pub shape: Option<EndpointShape>,
    /// Headers that every request carries, such as the key of a gateway.
    #[uniffi(default)]
    pub headers: HashMap<String, String>,
}

impl fmt::Debug for RefreshEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshEndpoint")
            .field("url", &self.url)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// How a session goes about its work. All but the endpoint may be left out.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct SessionConfig {
    /// Where tokens are renewed.
    pub endpoint: RefreshEndpoint,
    /// An access token is handed out only if it lives at least this long, if one can be had: 30
    /// seconds by default, and never more than a third of its lifetime.
    #[uniffi(default = None)]
    pub min_ttl: Option<Duration>,
    /// How long a caller waits before it is told to try later; what it waited for goes on. 30
    /// seconds by default.
    #[uniffi(default = None)]
    pub patience: Option<Duration>,
    /// For how long an answer to a refresh is waited for: 10 seconds by default.
    #[uniffi(default = None)]
    pub request_timeout: Option<Duration>,
    /// For how long the lock of the storage is waited for: 20 seconds by default.
    #[uniffi(default = None)]
    pub lock_timeout: Option<Duration>,
    /// How long the next attempt waits after the first failure, and twice as long after each
    /// further one, half of it random: half a second by default.
    #[uniffi(default = None)]
    pub backoff: Option<Duration>,
    /// The longest such wait: one minute by default.
    #[uniffi(default = None)]
    pub longest_backoff: Option<Duration>,
    /// After so many failures in a row callers are told to try later at once, until the next
    /// attempt is due: 3 by default.
    #[uniffi(default = None)]
    pub failures_to_open: Option<u32>,
    /// For how long a failed write of the storage is repeated before it is given up: 5 seconds by
    /// default.
    #[uniffi(default = None)]
    pub persist_for: Option<Duration>,
    /// An access token that was got because the server refused the one before, and is refused as
    /// well, is not renewed again for so long: 5 seconds by default, and never more than half of
    /// its lifetime.
    #[uniffi(default = None)]
    pub refusal_gap: Option<Duration>,
    /// Where the random numbers that spread refreshes begin, for tests that repeat themselves:
    /// drawn anew by default and for 0.
    #[uniffi(default = None)]
    pub seed: Option<u64>,
}

impl SessionConfig {
    /// A session of the core that is still without transport and storage.
    pub(super) fn into_core(self) -> SessionBuilder {
        let RefreshEndpoint { url, shape, headers } = self.endpoint;
        let mut endpoint = match shape.unwrap_or_default() {
            EndpointShape::Json => Endpoint::json(url),
            EndpointShape::RtVerify => Endpoint::rt_verify(url),
        };
        for (name, value) in headers {
            endpoint = endpoint.header(name, value);
        }
        let mut settings = Settings::default();
        let set = |to: &mut Duration, given: Option<Duration>| *to = given.unwrap_or(*to);
        set(&mut settings.min_ttl, self.min_ttl);
        set(&mut settings.patience, self.patience);
        set(&mut settings.backoff, self.backoff);
        set(&mut settings.longest_backoff, self.longest_backoff);
        set(&mut settings.persist_for, self.persist_for);
        set(&mut settings.refusal_gap, self.refusal_gap);
        settings.failures_to_open = self.failures_to_open.unwrap_or(settings.failures_to_open);
        settings.seed = self.seed.unwrap_or(settings.seed);
        let mut builder = regrant::client::Session::builder(endpoint).settings(settings);
        if let Some(timeout) = self.request_timeout {
            builder = builder.request_timeout(timeout);
        }
        if let Some(timeout) = self.lock_timeout {
            builder = builder.lock_timeout(timeout);
        }
        builder
    }
}
