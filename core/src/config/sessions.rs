//! `refresh` and `revocation`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::{Limiter, SessionLimit};
use crate::error::Result;
use crate::session::{SessionPolicy, TheftScope};
use crate::types::span_seconds_or_text;

/// How sessions are refreshed; see [`SessionPolicy`] for the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RefreshConfig {
    /// A session that is not refreshed for this long ends.
    #[serde(deserialize_with = "some_span")]
    pub idle_ttl: Option<Duration>,
    /// A session ends this long after its login.
    #[serde(deserialize_with = "some_span")]
    pub absolute_ttl: Option<Duration>,
    /// For this long a used refresh token gets the same answer again.
    #[serde(deserialize_with = "some_span")]
    pub grace: Option<Duration>,
    /// Whether a refresh answers with a next refresh token.
    pub rotation: Option<bool>,
    /// What a theft takes down: `session` or `subject`.
    pub on_theft: Option<TheftScope>,
    /// How many live sessions a user may have.
    pub max_sessions: Option<SessionLimit>,
    /// How many refreshes may be under way at once in this process.
    pub max_in_flight: Option<NonZeroU32>,
    /// How many refreshes may fail, or `"off"`.
    pub limiter: Option<Limiter>,
}

impl RefreshConfig {
    pub(crate) fn policy(&self) -> Result<SessionPolicy> {
        let default = SessionPolicy::default();
        let idle_ttl = self.idle_ttl.unwrap_or(default.idle_ttl);
        let policy = SessionPolicy {
            idle_ttl,
            // Whoever names only a long idle lifetime means it.
            absolute_ttl: self.absolute_ttl.unwrap_or(default.absolute_ttl.max(idle_ttl)),
            grace: self.grace.unwrap_or(default.grace),
            rotation: self.rotation.unwrap_or(default.rotation),
            on_theft: self.on_theft.unwrap_or(default.on_theft),
            max_sessions: self.max_sessions.map_or(default.max_sessions, SessionLimit::most),
            max_in_flight: self.max_in_flight.unwrap_or(default.max_in_flight),
            limiter: self.limiter.map_or(default.limiter, Limiter::limit),
        };
        policy.check()?;
        Ok(policy)
    }
}

/// How revocations by other processes are followed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RevocationConfig {
    /// How far behind a process may be before a route's [`StalePolicy`](crate::auth::StalePolicy)
    /// decides. Default 10 seconds.
    #[serde(deserialize_with = "some_span")]
    pub max_staleness: Option<Duration>,
}

pub(super) fn some_span<'de, D: serde::Deserializer<'de>>(
    input: D,
) -> std::result::Result<Option<Duration>, D::Error> {
    span_seconds_or_text(input).map(Some)
}
