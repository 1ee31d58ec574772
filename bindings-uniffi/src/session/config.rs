//! The configuration of a session. Omitted fields have the core's defaults.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use regrant::client::{self, SessionBuilder, SessionSettings};

/// The protocol of a refresh endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, uniffi::Enum)]
pub enum EndpointShape {
    /// As served by the Express handler `refreshHandler(auth)` with `web.refreshCookie: false`: `POST` with JSON,
    /// answered by JSON.
    #[default]
    Json,
    /// As served by the Express preset `rtVerify`, compatible with legacy apps: `GET` with the headers
    /// `refreshtoken` and `userid`.
    RtVerify,
    /// The token endpoint of an OAuth 2.0 server (RFC 6749 §6): `POST` with a form, answered by JSON
    /// with names such as `access_token`, or by the error `invalid_grant`.
    OAuth2,
}

/// The endpoint that refreshes tokens. Its text form omits the headers.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct RefreshEndpoint {
    /// The absolute URL.
    pub url: String,
    /// The protocol. Default `Json`.
    #[uniffi(default = None)]
    pub shape: Option<EndpointShape>,
    /// Headers for every request, such as the API key of a gateway.
    #[uniffi(default)]
    pub headers: HashMap<String, String>,
    /// The absolute URL of the endpoint that revokes the session of a refresh token: a sign-out calls
    /// it. Default for the shape `Json`: `logout` beside `url`; for others none.
    #[uniffi(default = None)]
    pub logout_url: Option<String>,
    /// The id of the app at an OAuth 2.0 server.
    #[uniffi(default = None)]
    pub client_id: Option<String>,
    /// The name of the member that wraps the server's responses: `data` for
    /// `{ "data": { "accessToken": … } }`.
    #[uniffi(default = None)]
    pub envelope: Option<String>,
}

impl fmt::Debug for RefreshEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshEndpoint")
            .field("url", &self.url)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// The configuration of a session. Only the endpoint is required.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct SessionConfig {
    /// The endpoint that refreshes tokens.
    pub endpoint: RefreshEndpoint,
    /// An access token with less remaining lifetime than this is refreshed before use, if possible.
    /// Default 30 seconds; capped at a third of its lifetime.
    #[uniffi(default = None)]
    pub min_ttl: Option<Duration>,
    /// How long a caller waits before it fails with the advice to retry. A refresh continues; a
    /// sign-in or sign-out that has not started is dropped.
    /// Default 30 seconds.
    #[uniffi(default = None)]
    pub wait_timeout: Option<Duration>,
    /// How long to wait for the response to a refresh. Default 10 seconds.
    #[uniffi(default = None)]
    pub request_timeout: Option<Duration>,
    /// How long to wait for the storage lock. Default 20 seconds.
    #[uniffi(default = None)]
    pub lock_timeout: Option<Duration>,
    /// How long to wait for the storage to read, write or clear its value. Default 10 seconds.
    #[uniffi(default = None)]
    pub storage_timeout: Option<Duration>,
    /// The delay after the first failure. It doubles with each further failure; half of it is random.
    /// Default 500 ms.
    #[uniffi(default = None)]
    pub initial_backoff: Option<Duration>,
    /// The longest such delay. Default one minute.
    #[uniffi(default = None)]
    pub max_backoff: Option<Duration>,
    /// After this many consecutive failures callers fail at once until the next attempt is due.
    /// Default 3.
    #[uniffi(default = None)]
    pub failure_threshold: Option<u32>,
    /// How long to retry a failed write to the storage before giving up. Default 5 seconds.
    #[uniffi(default = None)]
    pub persist_timeout: Option<Duration>,
    /// If a server rejects an access token that has just replaced a rejected one, wait this long
    /// before renewing again. Default 5 seconds; capped at half of its lifetime.
    #[uniffi(default = None)]
    pub renew_cooldown: Option<Duration>,
    /// The seed of the random numbers that spread refreshes, for reproducible tests. Default, and for
    /// 0: random.
    #[uniffi(default = None)]
    pub seed: Option<u64>,
}

impl RefreshEndpoint {
    pub(super) fn into_core(self) -> client::RefreshEndpoint {
        let Self { url, shape, logout_url, client_id, envelope, headers } = self;
        let mut endpoint = match shape.unwrap_or_default() {
            EndpointShape::Json => client::RefreshEndpoint::json(url),
            EndpointShape::RtVerify => client::RefreshEndpoint::rt_verify(url),
            EndpointShape::OAuth2 => client::RefreshEndpoint::oauth2(url, client_id),
        };
        if let Some(url) = logout_url {
            endpoint = endpoint.logout(url);
        }
        if let Some(name) = envelope {
            endpoint = endpoint.envelope(name);
        }
        headers.into_iter().fold(endpoint, |endpoint, (name, value)| endpoint.header(name, value))
    }
}

impl SessionConfig {
    /// Converts to the core's builder, without transport and storage.
    pub(super) fn into_core(self) -> SessionBuilder {
        let mut settings = SessionSettings::default();
        let set = |to: &mut Duration, given: Option<Duration>| *to = given.unwrap_or(*to);
        set(&mut settings.min_ttl, self.min_ttl);
        set(&mut settings.wait_timeout, self.wait_timeout);
        set(&mut settings.initial_backoff, self.initial_backoff);
        set(&mut settings.max_backoff, self.max_backoff);
        set(&mut settings.persist_timeout, self.persist_timeout);
        set(&mut settings.renew_cooldown, self.renew_cooldown);
        settings.failure_threshold = self.failure_threshold.unwrap_or(settings.failure_threshold);
        settings.seed = self.seed.unwrap_or(settings.seed);
        let mut builder = client::Session::builder(self.endpoint.into_core()).settings(settings);
        if let Some(timeout) = self.request_timeout {
            builder = builder.request_timeout(timeout);
        }
        if let Some(timeout) = self.lock_timeout {
            builder = builder.lock_timeout(timeout);
        }
        if let Some(timeout) = self.storage_timeout {
            builder = builder.storage_timeout(timeout);
        }
        builder
    }
}
