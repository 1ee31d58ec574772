//! Every metric, in one place: names, units, labels and descriptions.

use crate::types::RevocationReason;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows, from zero at the start of the process.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How many values fell into each of a row of buckets.
    Histogram,
}

/// One metric: what it is called and what it means. Names and labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as Prometheus wants it: `_total` for counters, the unit in the name.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// What it says, in one sentence.
    pub description: &'static str,
    /// Its labels, each with all its values: the lists are closed, and none names a user, a
    /// session or a token.
    pub labels: &'static [(&'static str, &'static [&'static str])],
}

/// The upper bounds of the histograms' buckets, in seconds: from a file on a fast disk to a
/// store that has stopped answering.
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

/// Logins.
pub const LOGINS: Metric = metric(
    MetricKind::Counter,
    "regrant_logins_total",
    "Logins, by how they ended",
    &[("outcome", &["issued", "store_error", "rejected", "failed"])],
);

/// Refreshes.
pub const REFRESHES: Metric = metric(
    MetricKind::Counter,
    "regrant_refreshes_total",
    "Refreshes, by how they ended",
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

/// How long refreshes took.
pub const REFRESH_SECONDS: Metric = metric(
    MetricKind::Histogram,
    "regrant_refresh_seconds",
    "How long refreshes took, refused ones included",
    &[],
);

/// Thefts.
pub const THEFTS: Metric = metric(
    MetricKind::Counter,
    "regrant_thefts_total",
    "Second holders that were recognised, by how",
    &[("how", &["fork", "parent_returned", "abandoned_branch", "older_token", "denied_access"])],
);

const REASONS: [&str; RevocationReason::ALL.len()] = {
    let mut names = [""; RevocationReason::ALL.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = RevocationReason::ALL[place].0.as_str();
        place += 1;
    }
    names
};

/// Ended sessions.
pub const SESSIONS_REVOKED: Metric = metric(
    MetricKind::Counter,
    "regrant_sessions_revoked_total",
    "Sessions that were ended before their time, by the reason",
    &[("reason", &REASONS)],
);

/// Taken-over sessions.
pub const ADOPTIONS: Metric = metric(
    MetricKind::Counter,
    "regrant_adoptions_total",
    "Refresh tokens of the app that was here before that became sessions",
    &[],
);

/// Refused access tokens.
pub const ACCESS_DENIED: Metric = metric(
    MetricKind::Counter,
    "regrant_access_denied_total",
    "Access tokens that were refused before their time, by what they were refused for",
    &[("by", &["session", "child", "subject", "overflow"])],
);

/// Revocations that may not survive a failover.
pub const REVOCATIONS_UNREPLICATED: Metric = metric(
    MetricKind::Counter,
    "regrant_revocations_unreplicated_total",
    "Revocations that too few replicas of the store have: a failover may undo them",
    &[],
);

const OPERATIONS: &[&str] =
    &["create", "refresh", "confirm", "revoke", "revoke_all", "list", "count_failure", "tell"];

/// How long the store took.
pub const STORE_OPERATION_SECONDS: Metric = metric(
    MetricKind::Histogram,
    "regrant_store_operation_seconds",
    "How long the store took for an operation; following the feed, which waits by design, is left out",
    &[("operation", OPERATIONS), ("outcome", &["ok", "error"])],
);

/// Failures of the store.
pub const STORE_ERRORS: Metric = metric(
    MetricKind::Counter,
    "regrant_store_errors_total",
    "Operations that the store failed, by the operation",
    &[(
        "operation",
        &[
            "create",
            "refresh",
            "confirm",
            "revoke",
            "revoke_all",
            "list",
            "count_failure",
            "tell",
            "read_feed",
        ],
    )],
);

/// How old this process's knowledge of revocations is.
pub const FEED_LAG_SECONDS: Metric = metric(
    MetricKind::Gauge,
    "regrant_revocation_feed_lag_seconds",
    "How long ago the feed of revocations was read to its end; while it never was, since the start",
    &[],
);

/// How long revocations are on their way.
pub const DELIVERY_SECONDS: Metric = metric(
    MetricKind::Histogram,
    "regrant_revocation_delivery_seconds",
    "How long after it was told a revocation was in force in this process, by the store's clock",
    &[],
);

/// The size of the deny list.
pub const DENY_LIST_ENTRIES: Metric = metric(
    MetricKind::Gauge,
    "regrant_deny_list_entries",
    "Revocations that this process holds; those that are moot go as new ones come",
    &[],
);

/// Lost sightings.
pub const SIGHTINGS_DROPPED: Metric = metric(
    MetricKind::Counter,
    "regrant_sightings_dropped_total",
    "Reports of a token's first use that were not delivered; the next use reports again",
    &[],
);

/// Every metric.
pub const METRICS: &[Metric] = &[
    LOGINS,
    REFRESHES,
    REFRESH_SECONDS,
    THEFTS,
    SESSIONS_REVOKED,
    ADOPTIONS,
    ACCESS_DENIED,
    REVOCATIONS_UNREPLICATED,
    STORE_OPERATION_SECONDS,
    STORE_ERRORS,
    FEED_LAG_SECONDS,
    DELIVERY_SECONDS,
    DENY_LIST_ENTRIES,
    SIGHTINGS_DROPPED,
];
