//! Observability: what this library tells an operator, by metrics and by spans.
//!
//! # Metrics
//!
//! They go through the facade [`metrics`](https://docs.rs/metrics) (feature `metrics`, on by
//! default) to whatever recorder the program has installed; without one they cost a few
//! nanoseconds and go nowhere. The recorder is the process's, and so are the numbers: several
//! [`Auth`](crate::Auth) objects count together, and of their gauges the last one told stands.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `regrant_logins_total` | `outcome`: `issued`, or as below | counter |
//! | `regrant_refreshes_total` | `outcome`: `issued`, `reissued`, `kept`, `superseded`, `expired`, `unknown`, `revoked`, `reused`; `limited` (too many had failed); `store_error`; `rejected` (no token of this server, or claims that cannot be issued); `failed` (a defect) | counter |
//! | `regrant_refresh_seconds` | | histogram |
//! | `regrant_thefts_total` | `how`, as in [`AuditKind::Theft`](crate::AuditKind::Theft) | counter |
//! | `regrant_sessions_revoked_total` | `reason`: a [`RevocationReason`](crate::types::RevocationReason) | counter |
//! | `regrant_adoptions_total` | | counter |
//! | `regrant_access_denied_total` | `by`: `session`, `child` (given up as lost: a second holder), `subject`, `overflow` (the list was full) | counter |
//! | `regrant_revocations_unreplicated_total` | | counter |
//! | `regrant_store_operation_seconds` | `operation`: `create`, `refresh`, `confirm`, `revoke`, `revoke_all`, `list`, `count_failure`, `tell`; `outcome`: `ok`, `error` | histogram |
//! | `regrant_store_errors_total` | `operation`: these and `read_feed` | counter |
//! | `regrant_revocation_feed_lag_seconds` | | gauge |
//! | `regrant_revocation_delivery_seconds` | | histogram |
//! | `regrant_deny_list_entries` | | gauge |
//! | `regrant_sightings_dropped_total` | | counter |
//!
//! - A theft counts in `regrant_sessions_revoked_total` once, as `reused`, also where the policy
//!   takes down all of the user's sessions.
//! - The gauges are told as the feed is read, once a second or so; just before a scrape
//!   [`Auth::update_gauges`](crate::Auth::update_gauges) makes them exact. Alert on the lag: while it grows, logouts of
//!   other processes are not known here.
//! - A delivery is measured between two readings of the *store's* clock, when the revocation was
//!   told and when it was in force here, so that the clocks of the machines do not matter. What
//!   was told before this process started to follow is not counted.
//! - [`Auth::verify`](crate::Auth::verify) takes about a microsecond and is not counted: only
//!   what it refuses for the deny list is. How many requests pass is known to the web server.
//!
//! [`METRICS`] is this table as data, [`SECONDS_BUCKETS`] are buckets that suit the histograms.
//! With `metrics-exporter-prometheus`:
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use metrics_exporter_prometheus::PrometheusBuilder;
//! use regrant::observe::SECONDS_BUCKETS;
//! use regrant::{Auth, Login, identity::Subject};
//!
//! // Before `build`; `install` would also serve the page, on a port of its own.
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
//! By [`tracing`](https://docs.rs/tracing), to whatever subscriber the program has installed.
//!
//! | span | level | |
//! |---|---|---|
//! | `login`, `refresh`, `logout`, `revoke`, `revoke_all`, `sweep` | info | one call of the facade |
//! | `confirm` | debug | the store is told that a token was seen in use, mostly in the background |
//! | `follow_feed` | debug | one reading of the feed of revocations came back |
//!
//! Their target is `regrant`; their fields are `session` (an id, once it is known), `outcome` (as
//! the labels above; `ok` where there is nothing to tell apart) and `error` (a code such as
//! `ERR_STORE_UNAVAILABLE`). A span names no user.
//!
//! Events come from two targets. `regrant::audit` tells what happened to whose session, at info,
//! a theft at warn: these name the `subject`, which may be personal data, and can be switched off
//! by their target. `regrant::store` tells of stores that fail, at error where an operator must
//! act.
//!
//! No token, no secret, no password and no part of one is in a span, an event or a label. Of a
//! store no more is said than the host and port of a server.

mod metric;
mod outcome;
mod record;
mod signals;
mod store;

pub use metric::{METRICS, Metric, MetricKind, SECONDS_BUCKETS};
pub use record::describe;

pub(crate) use outcome::within;
pub(crate) use signals::{
    access_denied, audited, delivered, deny_list, feed_lag, login, operation_span, refresh,
    sighting_dropped,
};
pub(crate) use store::ObservedStore;
