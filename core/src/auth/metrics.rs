//! Metrics and spans: what this library reports to an operator.
//!
//! # Metrics
//!
//! They go through the facade [`metrics`](https://docs.rs/metrics) to the recorder that the
//! program has installed. Without one they cost a few nanoseconds and go nowhere. The recorder
//! belongs to the process: several [`Auth`](crate::Auth) objects count together, and a gauge shows
//! the value that was set last.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `regrant_logins_total` | `outcome`: `issued`; `store_error`, `rejected` and `failed` as below | counter |
//! | `regrant_refreshes_total` | `outcome`: `issued`, `reissued`, `kept`, `superseded`, `expired`, `unknown`, `revoked`, `reused`; `limited` (too many failures); `store_error`; `rejected` (not a token of this server, another user, or the DPoP proof); `failed` (a defect of the program, such as claims that cannot be issued) | counter |
//! | `regrant_refresh_seconds` | | histogram |
//! | `regrant_thefts_total` | `how`, as in [`AuditKind::Theft`](crate::AuditKind::Theft) | counter |
//! | `regrant_sessions_revoked_total` | `reason`: a [`RevocationReason`] | counter |
//! | `regrant_adoptions_total` | | counter |
//! | `regrant_access_denied_total` | `by`: `session`, `child` (of a discarded child: a second holder), `subject`, `user` (a logout everywhere), `overflow` (the deny list or the feed was full) | counter |
//! | `regrant_revocations_unreplicated_total` | | counter |
//! | `regrant_store_operation_seconds` | `operation`: `create`, `refresh`, `set_claims`, `confirm`, `revoke`, `revoke_all`, `list`, `find`, `count_failure`, `tell`; `outcome`: `ok`, `error` | histogram |
//! | `regrant_store_errors_total` | `operation`: these and `read_feed` | counter |
//! | `regrant_revocation_feed_lag_seconds` | | gauge |
//! | `regrant_revocation_delivery_seconds` | | histogram |
//! | `regrant_deny_list_entries` | | gauge |
//! | `regrant_sightings_dropped_total` | | counter |
//!
//! - A theft counts in `regrant_sessions_revoked_total` once, as `reused`, even where the policy
//!   revokes all sessions of the user.
//! - The gauges are set whenever the feed is read, about once a second.
//!   [`Auth::update_gauges`](crate::Auth::update_gauges) makes them exact just before a scrape.
//!   Alert on the lag: while it grows, this process does not learn of logouts in other processes.
//! - Delivery is measured between two readings of the *store's* clock, when the revocation was
//!   published and when it took effect here, so that differences between the machines' clocks do
//!   not matter. Revocations published before this process caught up with the feed are not counted.
//! - [`Auth::verify`](crate::Auth::verify) takes about a microsecond and is not counted, except
//!   for what the deny list refuses. The web server knows how many requests pass.
//!
//! [`METRICS`] is this table as data; [`SECONDS_BUCKETS`] are buckets that suit the histograms.
//! With `metrics-exporter-prometheus`:
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use metrics_exporter_prometheus::PrometheusBuilder;
//! use regrant::auth::metrics::SECONDS_BUCKETS;
//! use regrant::{Auth, Login, types::Subject};
//!
//! // Before `build`. `install` would also serve the page, on a port of its own.
//! let page = PrometheusBuilder::new().set_buckets(SECONDS_BUCKETS).unwrap().install_recorder().unwrap();
//!
//! let config = r#"{ "secret": "0123456789abcdef0123456789abcdef", "store": "memory:" }"#;
//! let auth = Auth::from_json(config)?.build()?;
//! auth.login(Login::new(Subject::new("user-1")?)).await?;
//!
//! auth.update_gauges();
//! assert!(page.render().contains("regrant_logins_total{outcome=\"issued\"} 1"));
//! # Ok::<(), regrant::Error>(()) }).unwrap();
//! ```
//!
//! # Spans and events
//!
//! They go through [`tracing`](https://docs.rs/tracing) to the subscriber that the program has
//! installed.
//!
//! | span | level | |
//! |---|---|---|
//! | `login`, `refresh`, `logout`, `revoke`, `revoke_all`, `sweep` | info | one call of [`Auth`](crate::Auth) |
//! | `confirm` | debug | the use of an access token is reported to the store, mostly in the background |
//! | `follow_feed` | debug | one read of the revocation feed was applied |
//!
//! Their target is `regrant`. Their fields are `session` (an id, once it is known), `outcome` (as
//! the labels above; `ok` where there is only one) and `error` (a code such as
//! `ERR_STORE_UNAVAILABLE`). A span names no user.
//!
//! | target | events |
//! |---|---|
//! | `regrant::audit` | what happened to which session, at info; a theft at warn. Names the `subject`, which may be personal data: filter this target out where that must not be logged |
//! | `regrant::store` | failures of the store, at error where an operator must act, and its recovery |
//! | `regrant::auth`, `regrant::keys`, `regrant::http` | an overflow of the deny list, a change of keys, requests that point to a wrong configuration |
//!
//! No token, secret or password, and no part of one, appears in a span, an event or a label. Of a
//! store only the host and port of a server appear.

use std::time::Duration;

use tracing::{Instrument, Span};

use crate::error::{Error, ErrorCode, Result};
use crate::types::RevocationReason;

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows, from zero at the start of the process.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How many values fell into each bucket.
    Histogram,
}

/// A metric. Names and labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, as Prometheus wants it: `_total` for counters, the unit in the name.
    pub name: &'static str,
    /// The type.
    pub kind: MetricKind,
    /// What it measures, in one sentence.
    pub description: &'static str,
    /// The labels, each with all its values. The lists are closed; no value names a user, a
    /// session or a token.
    pub labels: &'static [(&'static str, &'static [&'static str])],
}

/// Upper bounds of the histograms' buckets in seconds, from a file on a fast disk to a store that
/// has stopped answering.
pub const SECONDS_BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

const fn metric(
    kind: MetricKind,
    name: &'static str,
    description: &'static str,
    labels: &'static [(&'static str, &'static [&'static str])],
) -> Metric {
    Metric { name, kind, description, labels }
}

pub(super) const LOGINS: Metric = metric(
    MetricKind::Counter,
    "regrant_logins_total",
    "Logins by outcome",
    &[("outcome", &["issued", "store_error", "rejected", "failed"])],
);

pub(super) const REFRESHES: Metric = metric(
    MetricKind::Counter,
    "regrant_refreshes_total",
    "Refreshes by outcome",
    &[(
        "outcome",
        &[
            "issued",
            "reissued",
            "kept",
            "superseded",
            "expired",
            "unknown",
            "revoked",
            "reused",
            "limited",
            "store_error",
            "rejected",
            "failed",
        ],
    )],
);

pub(super) const REFRESH_SECONDS: Metric = metric(
    MetricKind::Histogram,
    "regrant_refresh_seconds",
    "Duration of refreshes, refused ones included",
    &[],
);

pub(super) const THEFTS: Metric = metric(
    MetricKind::Counter,
    "regrant_thefts_total",
    "Detected thefts by how they were detected",
    &[("how", &["fork", "parent_returned", "abandoned_branch", "older_token", "denied_access"])],
);

const REASONS: [&str; RevocationReason::ALL.len()] = {
    let mut names = [""; RevocationReason::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = RevocationReason::ALL[index].0.as_str();
        index += 1;
    }
    names
};

pub(super) const SESSIONS_REVOKED: Metric = metric(
    MetricKind::Counter,
    "regrant_sessions_revoked_total",
    "Revoked sessions by reason",
    &[("reason", &REASONS)],
);

pub(super) const MIGRATIONS: Metric = metric(
    MetricKind::Counter,
    "regrant_adoptions_total",
    "Refresh tokens of the legacy app that became sessions",
    &[],
);

pub(super) const ACCESS_DENIED: Metric = metric(
    MetricKind::Counter,
    "regrant_access_denied_total",
    "Access tokens refused by the deny list, by the kind of entry",
    &[("by", &["session", "child", "subject", "user", "overflow"])],
);

pub(super) const REVOCATIONS_UNREPLICATED: Metric = metric(
    MetricKind::Counter,
    "regrant_revocations_unreplicated_total",
    "Revocations that too few replicas of the store confirmed: a failover may undo them",
    &[],
);

/// Those of the store that can fail. The last one is not timed.
const OPERATIONS: &[&str] = &[
    "create",
    "refresh",
    "set_claims",
    "confirm",
    "revoke",
    "revoke_all",
    "list",
    "find",
    "count_failure",
    "tell",
    "read_feed",
];

const TIMED_OPERATIONS: &[&str] = OPERATIONS.split_at(OPERATIONS.len() - 1).0;

pub(super) const STORE_OPERATION_SECONDS: Metric = metric(
    MetricKind::Histogram,
    "regrant_store_operation_seconds",
    "Duration of store operations; reading the feed, which waits by design, is left out",
    &[("operation", TIMED_OPERATIONS), ("outcome", &["ok", "error"])],
);

pub(super) const STORE_ERRORS: Metric = metric(
    MetricKind::Counter,
    "regrant_store_errors_total",
    "Failed store operations",
    &[("operation", OPERATIONS)],
);

pub(super) const FEED_LAG_SECONDS: Metric = metric(
    MetricKind::Gauge,
    "regrant_revocation_feed_lag_seconds",
    "Time since the revocation feed was last read to its end; before the first read, since the start",
    &[],
);

pub(super) const DELIVERY_SECONDS: Metric = metric(
    MetricKind::Histogram,
    "regrant_revocation_delivery_seconds",
    "Time from publishing a revocation to its effect in this process, by the store's clock",
    &[],
);

pub(super) const DENY_LIST_ENTRIES: Metric = metric(
    MetricKind::Gauge,
    "regrant_deny_list_entries",
    "Entries of the deny list; expired entries are removed as new ones are added",
    &[],
);

pub(super) const USE_REPORTS_DROPPED: Metric = metric(
    MetricKind::Counter,
    "regrant_sightings_dropped_total",
    "Reports of an access token's first use that were not delivered; the next use reports again",
    &[],
);

/// Every metric.
pub const METRICS: &[Metric] = &[
    LOGINS,
    REFRESHES,
    REFRESH_SECONDS,
    THEFTS,
    SESSIONS_REVOKED,
    MIGRATIONS,
    ACCESS_DENIED,
    REVOCATIONS_UNREPLICATED,
    STORE_OPERATION_SECONDS,
    STORE_ERRORS,
    FEED_LAG_SECONDS,
    DELIVERY_SECONDS,
    DENY_LIST_ENTRIES,
    USE_REPORTS_DROPPED,
];

type Labels<'a> = &'a [(&'static str, &'static str)];

/// Describes all metrics to the recorder and starts each counter at zero, so that its first event
/// is visible as a change. Can be called again.
///
/// [`AuthBuilder::build`](crate::AuthBuilder::build) calls it; call it yourself if the recorder is
/// installed later.
pub fn describe() {
    METRICS.iter().for_each(describe_one);
}

fn describe_one(metric: &Metric) {
    let Metric { name, kind, description, labels } = *metric;
    match kind {
        MetricKind::Counter => {
            metrics::describe_counter!(name, metrics::Unit::Count, description);
            match labels {
                [] => metrics::counter!(name).increment(0),
                [(label, values)] => {
                    values.iter().for_each(|value| {
                        metrics::counter!(name, *label => *value).increment(0);
                    });
                }
                // Not every combination occurs.
                _ => {}
            }
        }
        MetricKind::Gauge => {
            let unit = match name.ends_with("_seconds") {
                true => metrics::Unit::Seconds,
                false => metrics::Unit::Count,
            };
            metrics::describe_gauge!(name, unit, description);
        }
        MetricKind::Histogram => {
            metrics::describe_histogram!(name, metrics::Unit::Seconds, description);
        }
    }
}

pub(super) fn count(metric: &Metric, labels: Labels<'_>) {
    metrics::counter!(metric.name, labels).increment(1);
}

pub(super) fn set(metric: &Metric, value: f64) {
    metrics::gauge!(metric.name).set(value);
}

pub(super) fn seconds(metric: &Metric, labels: Labels<'_>, took: Duration) {
    metrics::histogram!(metric.name, labels).record(took);
}

/// Creates the span of an operation; see the table of spans above.
macro_rules! operation_span {
    ($level:ident, $name:literal) => {
        tracing::span!(
            target: "regrant",
            tracing::Level::$level,
            $name,
            session = tracing::field::Empty,
            outcome = tracing::field::Empty,
            error = tracing::field::Empty,
        )
    };
}
pub(crate) use operation_span;

/// Runs an operation in its span and records its outcome there.
pub(crate) async fn instrument<T>(
    span: Span,
    operation: impl Future<Output = Result<T>>,
    success: impl FnOnce(&T) -> &'static str,
) -> Result<T> {
    let result = operation.instrument(span.clone()).await;
    record_outcome(&span, &result, success);
    result
}

/// Records the outcome of an operation in its span, and returns it as a label.
pub(super) fn record_outcome<T>(
    span: &Span,
    result: &Result<T>,
    success: impl FnOnce(&T) -> &'static str,
) -> &'static str {
    let outcome = match result {
        Ok(value) => success(value),
        Err(error) => {
            span.record("error", error.code().as_str());
            failure(error)
        }
    };
    span.record("outcome", outcome);
    outcome
}

/// `rejected` is the client's fault; `failed` is neither the client's nor the store's.
fn failure(error: &Error) -> &'static str {
    match error.code() {
        ErrorCode::RefreshSuperseded => "superseded",
        ErrorCode::RefreshExpired => "expired",
        ErrorCode::SessionUnknown => "unknown",
        ErrorCode::SessionRevoked => "revoked",
        ErrorCode::RefreshReused => "reused",
        ErrorCode::TooManyAttempts => "limited",
        ErrorCode::StoreUnavailable => "store_error",
        ErrorCode::ArgumentInvalid
        | ErrorCode::ConfigInvalid
        | ErrorCode::Internal
        | ErrorCode::KeysUnavailable => "failed",
        _ => "rejected",
    }
}
