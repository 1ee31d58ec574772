//! The way to the recorder that the program has installed. Without one nothing is recorded.

use std::time::Duration;

use super::metric::MetricKind;
use super::metric::{METRICS, Metric};

type Labels<'a> = &'a [(&'static str, &'static str)];

/// Tells the recorder what the metrics mean, and begins each counter at zero, so that the first
/// event is a change that can be seen. Harmless to call again.
///
/// [`AuthBuilder::build`](crate::AuthBuilder::build) does it; call it where the recorder is
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
