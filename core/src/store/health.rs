//! How a store is doing.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use super::SessionStore;
use crate::types::Subject;

/// How a store is doing at one moment, for operators and for the page that a load balancer asks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreHealth {
    /// What kind of store it is: `memory`, `file`, `redis`, or `other`.
    pub store: &'static str,
    /// Whether all of it answers.
    pub reachable: bool,
    /// How long it took to answer; of several servers the slowest. In JSON milliseconds.
    #[serde(rename = "roundTripMs", serialize_with = "as_millis")]
    pub round_trip: Option<Duration>,
    /// How its servers belong together: `standalone`, `sentinel` or `cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<&'static str>,
    /// The servers that take writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerHealth>,
    /// What an operator should know.
    pub warnings: Vec<StoreWarning>,
}

/// How one server is doing. What it did not say, or what the access list hides, is `None`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServerHealth {
    /// `HOST:PORT`.
    pub address: String,
    /// Whether it answers.
    pub reachable: bool,
    /// How long it took to answer. In JSON milliseconds.
    #[serde(rename = "roundTripMs", serialize_with = "as_millis")]
    pub round_trip: Option<Duration>,
    /// The version of the server.
    pub version: Option<String>,
    /// `master` or `replica`.
    pub role: Option<&'static str>,
    /// How many replicas are connected to it.
    pub replicas: Option<u32>,
    /// What survives its restart: `aof` (its log of writes), `rdb` (snapshots, so the last
    /// minutes are lost) or `none`.
    pub persistence: Option<&'static str>,
    /// What it does when its memory is full: its `maxmemory-policy`.
    pub eviction_policy: Option<String>,
}

/// Something that an operator should know about a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreWarning {
    /// What it is about.
    pub code: StoreWarningCode,
    /// The server that it is about: `HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// For people. It names what to do.
    pub text: String,
}

/// What a [`StoreWarning`] is about. In JSON `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreWarningCode {
    /// It does not answer, or is not to be used as it is.
    Unreachable,
    /// The server may evict live sessions.
    EvictingPolicy,
    /// Fewer replicas are connected than logins and revocations wait for.
    NoReplica,
    /// A restart of the server ends all sessions.
    NoPersistence,
    /// What is stored is damaged.
    Damaged,
    /// The access list of the server hides what this report is about.
    NotAllowed,
}

impl StoreWarning {
    /// About the store as a whole.
    pub fn new(code: StoreWarningCode, text: impl Into<String>) -> Self {
        Self { code, server: None, text: text.into() }
    }

    /// About one server.
    #[must_use]
    pub fn of(mut self, server: impl fmt::Display) -> Self {
        self.server = Some(server.to_string());
        self
    }
}

impl StoreHealth {
    /// A report about a store of this kind that has nothing to tell.
    pub fn new(store: &'static str) -> Self {
        let (round_trip, layout, servers, warnings) = (None, None, Vec::new(), Vec::new());
        Self { store, reachable: true, round_trip, layout, servers, warnings }
    }

    /// Asks `store`, which is of the kind `name`, for the sessions of a user: any one, most likely
    /// nobody.
    pub async fn of_answering(name: &'static str, store: &(impl SessionStore + ?Sized)) -> Self {
        let mut health = Self::new(name);
        let began = Instant::now();
        let outcome = match Subject::new("health of the store") {
            Ok(nobody) => store.list(&nobody).await.map(drop),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => health.round_trip = Some(began.elapsed()),
            Err(error) => {
                health.reachable = false;
                health.warnings.push(StoreWarning::new(
                    StoreWarningCode::Unreachable,
                    format!("the store does not answer: {}", cause(&error)),
                ));
            }
        }
        health
    }
}

/// What is behind an error, for operators.
fn cause(error: &crate::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn as_millis<S: Serializer>(span: &Option<Duration>, output: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs_f64() * 1000.0).serialize(output)
}
