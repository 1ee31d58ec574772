//! The health report of a store.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::types::Subject;

/// How a store is doing at one moment, for operators and health checks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreHealth {
    /// The kind of store: `memory`, `file`, `redis`, or `other`.
    pub store: &'static str,
    /// Whether every part of it responds.
    pub reachable: bool,
    /// The time of one round trip; with several servers that of the slowest. Milliseconds in JSON.
    #[serde(rename = "roundTripMs", serialize_with = "as_millis")]
    pub round_trip: Option<Duration>,
    /// How its servers are organised: `standalone`, `sentinel` or `cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<&'static str>,
    /// The servers that accept writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerHealth>,
    /// Problems that an operator should know about.
    pub warnings: Vec<StoreWarning>,
}

/// How one server is doing. A value that the server did not report, or that its access list (ACL)
/// hides, is `None`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServerHealth {
    /// `HOST:PORT`.
    pub address: String,
    /// Whether it responds.
    pub reachable: bool,
    /// The time of one round trip. Milliseconds in JSON.
    #[serde(rename = "roundTripMs", serialize_with = "as_millis")]
    pub round_trip: Option<Duration>,
    /// The version of the server.
    pub version: Option<String>,
    /// `master` or `replica`.
    pub role: Option<&'static str>,
    /// The number of connected replicas.
    pub replicas: Option<u32>,
    /// What survives a restart: `aof` (append-only file), `rdb` (snapshots; the last minutes are
    /// lost) or `none`.
    pub persistence: Option<&'static str>,
    /// Its `maxmemory-policy`: what it does when its memory is full.
    pub eviction_policy: Option<String>,
}

/// A problem that an operator should know about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreWarning {
    /// The kind of problem.
    pub code: StoreWarningCode,
    /// The affected server: `HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// A description for people, which says what to do.
    pub text: String,
}

/// The kind of a [`StoreWarning`]. In JSON `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreWarningCode {
    /// The store does not respond, or cannot be used as it is configured.
    Unreachable,
    /// The server may evict live sessions.
    EvictingPolicy,
    /// Fewer replicas are connected than logins and revocations wait for.
    NoReplica,
    /// A restart of the server loses all sessions.
    NoPersistence,
    /// The stored data is damaged.
    Damaged,
    /// The server's access list (ACL) hides what this report needs.
    NotAllowed,
}

impl StoreWarning {
    /// A warning about the store as a whole.
    pub fn new(code: StoreWarningCode, text: impl Into<String>) -> Self {
        Self { code, server: None, text: text.into() }
    }

    /// The same warning, about one server.
    #[must_use]
    pub fn of(mut self, server: impl fmt::Display) -> Self {
        self.server = Some(server.to_string());
        self
    }
}

impl StoreHealth {
    /// A report of a healthy store of this kind.
    pub fn new(store: &'static str) -> Self {
        let (round_trip, layout, servers, warnings) = (None, None, Vec::new(), Vec::new());
        Self { store, reachable: true, round_trip, layout, servers, warnings }
    }

    /// A report on a store of this kind, which times `operation`.
    pub async fn probe<T>(
        store: &'static str,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Self {
        let mut health = Self::new(store);
        let began = Instant::now();
        match operation.await {
            Ok(_) => health.round_trip = Some(began.elapsed()),
            Err(error) => {
                health.reachable = false;
                health.warnings.push(StoreWarning::new(
                    StoreWarningCode::Unreachable,
                    format!("the store does not respond: {}", cause(&error)),
                ));
            }
        }
        health
    }
}

/// The user whose sessions a health check lists; most likely there are none.
pub(super) fn probed_subject() -> Result<Subject> {
    Subject::new("health of the store")
}

/// The source of an error, which is written for operators.
fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn as_millis<S: Serializer>(
    span: &Option<Duration>,
    output: S,
) -> std::result::Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs_f64() * 1000.0).serialize(output)
}
