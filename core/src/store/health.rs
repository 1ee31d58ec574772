//! The health report of a store.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::session::{DeviceLabel, NewSession, TokenSecret};
use crate::types::Subject;

/// How a store is doing at one moment, for operators and health checks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreHealth {
    /// The kind of store: `memory`, `file`, `redis`, `postgres`, `custom`, or `other`.
    pub store: &'static str,
    /// Whether logins, refreshes and logouts would succeed now: a write as a login makes it has
    /// succeeded within the last second, on every server. For readiness checks.
    pub ready: bool,
    /// Whether every part of it responds, be it with an error.
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
    /// The server does not have a command that this report or a safeguard needs, or its access list
    /// (ACL) forbids it.
    NotAllowed,
    /// The store is out of memory. Redis still accepts refreshes and revocations, but no logins.
    OutOfMemory,
    /// The store cannot write to its disk.
    DiskFull,
    /// The store responds, but refuses writes.
    NotWritable,
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
        Self { store, ready: true, reachable: true, round_trip, layout, servers, warnings }
    }

    /// A report on a store of this kind, which times `write`: what logins, refreshes and logouts
    /// need. If that fails, `read` tells whether the store responds at all.
    pub async fn probe<W, R>(
        kind: &'static str,
        write: impl Future<Output = Result<W>> + Send,
        read: impl Future<Output = Result<R>> + Send,
    ) -> Self {
        let mut health = Self::new(kind);
        let began = Instant::now();
        let Err(error) = write.await else {
            health.round_trip = Some(began.elapsed());
            return health;
        };
        let began = Instant::now();
        health.ready = false;
        health.reachable = read.await.is_ok();
        let cause = cause(&error);
        let (code, text) = match health.reachable {
            false => {
                (StoreWarningCode::Unreachable, format!("the store does not respond: {cause}"))
            }
            true if is_full(&error) => {
                (StoreWarningCode::DiskFull, format!("the disk of the store is full: {cause}"))
            }
            true => (StoreWarningCode::NotWritable, format!("the store refuses writes: {cause}")),
        };
        health.round_trip = health.reachable.then(|| began.elapsed());
        health.warnings.push(StoreWarning::new(code, text));
        health
    }
}

/// The name of the user that a health check logs in.
pub(super) const PROBE_SUBJECT: &str = "health of the store";

/// How long the session of a health check lives.
pub(super) const PROBE_TTL: Duration = Duration::from_secs(1);

/// The user that a health check logs in.
pub(super) fn probe_subject() -> Result<Subject> {
    Subject::new(PROBE_SUBJECT)
}

/// Whether this is the user of a health check. The Redis store has one for each server.
pub(super) fn is_probe(subject: &Subject) -> bool {
    let suffix = subject.as_str().strip_prefix(PROBE_SUBJECT);
    suffix.is_some_and(|suffix| suffix.bytes().all(|it| it == b' ' || it.is_ascii_digit()))
}

/// The session of a health check.
pub(super) fn probe_session() -> Result<NewSession> {
    Ok(NewSession {
        id: TokenSecret::random()?.id(),
        idle_ttl: PROBE_TTL,
        absolute_ttl: PROBE_TTL,
        device: DeviceLabel::default(),
        max_sessions: Some(NonZeroU32::MIN),
        legacy_login: None,
        client: None,
    })
}

/// Whether the disk of a file store is full.
fn is_full(error: &Error) -> bool {
    #[cfg(feature = "file")]
    {
        let cause = std::error::Error::source(error);
        cause
            .and_then(|cause| cause.downcast_ref::<rusqlite::Error>())
            .is_some_and(|cause| cause.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
    #[cfg(not(feature = "file"))]
    {
        let _ = error;
        false
    }
}

/// The last report of a store. It is used for a second, so that health checks, however frequent,
/// cost the store next to nothing.
#[derive(Default)]
pub(crate) struct HealthCache(Mutex<Option<(Instant, StoreHealth)>>);

impl HealthCache {
    const VALID_FOR: Duration = Duration::from_secs(1);

    /// The last report, or the one that `check` returns; concurrent callers share it.
    pub(crate) async fn get(&self, check: impl Future<Output = StoreHealth> + Send) -> StoreHealth {
        let mut last = self.0.lock().await;
        if let Some((at, health)) = &*last
            && at.elapsed() < Self::VALID_FOR
        {
            return health.clone();
        }
        let health = check.await;
        *last = Some((Instant::now(), health.clone()));
        health
    }
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
