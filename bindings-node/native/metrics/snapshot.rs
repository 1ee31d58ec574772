//! The numbers at one instant, in the order of the core's table.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use metrics::Key;
use regrant::auth::metrics::{METRICS, Metric, MetricKind};
use serde::Serialize;

use super::recorder::registry;

/// A metric and its values.
#[derive(Serialize)]
pub struct Family {
    /// As in the core's table.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it means, in one sentence.
    pub help: &'static str,
    /// One for each combination of labels that has occurred.
    pub values: Vec<Labelled>,
}

/// A value and its labels.
#[derive(Serialize)]
pub struct Labelled {
    /// Name to value.
    pub labels: BTreeMap<String, String>,
    /// The value.
    #[serde(flatten)]
    pub value: Value,
}

/// A value.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Of a counter or a gauge.
    Number {
        /// The number.
        value: f64,
    },
    /// Of a histogram.
    Histogram {
        /// How many values there were.
        count: u64,
        /// Their sum.
        sum: f64,
        /// How many were at most as large as each bound.
        buckets: Vec<Bucket>,
    },
}

/// A bucket of a histogram; cumulative, as Prometheus has it.
#[derive(Serialize)]
pub struct Bucket {
    /// The upper bound, inclusive.
    pub le: f64,
    /// How many values were not above it.
    pub count: u64,
}

/// All metrics as they are now.
pub fn take() -> Vec<Family> {
    METRICS.iter().map(family).collect()
}

fn family(metric: &Metric) -> Family {
    let mut values = Vec::new();
    let kind = match metric.kind {
        MetricKind::Counter => {
            registry().visit_counters(|key, cell| {
                let value = cell.load(Ordering::Acquire) as f64;
                push(&mut values, metric, key, Value::Number { value });
            });
            "counter"
        }
        MetricKind::Gauge => {
            registry().visit_gauges(|key, cell| {
                let value = f64::from_bits(cell.load(Ordering::Acquire));
                push(&mut values, metric, key, Value::Number { value });
            });
            "gauge"
        }
        MetricKind::Histogram => {
            registry().visit_histograms(|key, cell| {
                let Some(histogram) = cell.read() else { return };
                let bucket = |(le, count)| Bucket { le, count };
                let buckets = histogram.buckets().into_iter().map(bucket).collect();
                let (count, sum) = (histogram.count(), histogram.sum());
                push(&mut values, metric, key, Value::Histogram { count, sum, buckets });
            });
            "histogram"
        }
    };
    values.sort_by(|a, b| a.labels.cmp(&b.labels));
    Family { name: metric.name, kind, help: metric.description, values }
}

fn push(values: &mut Vec<Labelled>, metric: &Metric, key: &Key, value: Value) {
    if key.name() == metric.name {
        let label = |label: &metrics::Label| (label.key().to_owned(), label.value().to_owned());
        values.push(Labelled { labels: key.labels().map(label).collect(), value });
    }
}
