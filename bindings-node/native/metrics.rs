//! The metrics of the process: the recorder that the core's `metrics` calls reach, a snapshot of its
//! values, and the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};

use metrics::atomics::AtomicU64;
use metrics::{
    Counter, Gauge, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_global_recorder,
};
use metrics_util::registry::{Registry, Storage};
use metrics_util::storage::Histogram;
use regrant::auth::metrics::{METRICS, Metric, MetricKind, SECONDS_BUCKETS};
use serde::Serialize;

static REGISTRY: LazyLock<Registry<Key, Cells>> = LazyLock::new(|| Registry::new(Cells));

/// Installs the recorder, once per process. To be called before the first auth object is made.
pub fn install() {
    static ONCE: Once = Once::new();
    // Nothing else installs a recorder in the addon's copy of `metrics`.
    ONCE.call_once(|| drop(set_global_recorder(ToRegistry)));
}

/// How values are stored: histograms count into buckets at once, so that nothing accumulates while
/// nobody reads.
struct Cells;

impl Storage<Key> for Cells {
    type Counter = Arc<AtomicU64>;
    type Gauge = Arc<AtomicU64>;
    type Histogram = Arc<Buckets>;

    fn counter(&self, _: &Key) -> Self::Counter {
        Arc::default()
    }

    fn gauge(&self, _: &Key) -> Self::Gauge {
        Arc::default()
    }

    fn histogram(&self, _: &Key) -> Self::Histogram {
        Arc::new(Buckets(Mutex::new(Histogram::new(SECONDS_BUCKETS))))
    }
}

/// A histogram; `None` only if there were no buckets.
struct Buckets(Mutex<Option<Histogram>>);

impl Buckets {
    fn read(&self) -> Option<Histogram> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        if let Some(histogram) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            histogram.record(value);
        }
    }
}

struct ToRegistry;

impl Recorder for ToRegistry {
    // Descriptions come from the core's table.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        REGISTRY.get_or_create_counter(key, |cell| Arc::clone(cell).into())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        REGISTRY.get_or_create_gauge(key, |cell| Arc::clone(cell).into())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        REGISTRY.get_or_create_histogram(key, |cell| Arc::clone(cell).into())
    }
}

/// A metric and its values.
#[derive(Serialize)]
pub struct Family {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    help: &'static str,
    /// One for each combination of labels that has occurred.
    values: Vec<Labelled>,
}

/// A value and its labels.
#[derive(Serialize)]
struct Labelled {
    labels: BTreeMap<String, String>,
    #[serde(flatten)]
    value: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    /// Of a counter or a gauge.
    Number {
        value: f64,
    },
    Histogram {
        count: u64,
        sum: f64,
        buckets: Vec<Bucket>,
    },
}

/// A bucket of a histogram; cumulative, as in Prometheus.
#[derive(Serialize)]
struct Bucket {
    /// The upper bound, inclusive.
    le: f64,
    count: u64,
}

/// The current values of all metrics, in the order of the core's table.
pub fn snapshot() -> Vec<Family> {
    METRICS.iter().map(family).collect()
}

fn family(metric: &Metric) -> Family {
    let mut values = Vec::new();
    let kind = match metric.kind {
        MetricKind::Counter => {
            REGISTRY.visit_counters(|key, cell| {
                let value = cell.load(Ordering::Acquire) as f64;
                push(&mut values, metric, key, Value::Number { value });
            });
            "counter"
        }
        MetricKind::Gauge => {
            REGISTRY.visit_gauges(|key, cell| {
                let value = f64::from_bits(cell.load(Ordering::Acquire));
                push(&mut values, metric, key, Value::Number { value });
            });
            "gauge"
        }
        MetricKind::Histogram => {
            REGISTRY.visit_histograms(|key, cell| {
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

/// The current values of all metrics in the Prometheus text format, version 0.0.4. Names, help and
/// label values come from the core's closed lists and need no escaping.
pub fn text() -> String {
    let mut page = String::new();
    for family in &snapshot() {
        // Writing to a string does not fail.
        let _ = write_family(&mut page, family);
    }
    page
}

fn write_family(page: &mut String, family: &Family) -> std::fmt::Result {
    let Family { name, kind, help, values } = family;
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    for labelled in values {
        let labels = &labelled.labels;
        match &labelled.value {
            Value::Number { value } => writeln!(page, "{name}{} {value}", braced(labels, None))?,
            Value::Histogram { count, sum, buckets } => {
                for bucket in buckets {
                    let labels = braced(labels, Some(&bucket.le.to_string()));
                    writeln!(page, "{name}_bucket{labels} {}", bucket.count)?;
                }
                writeln!(page, "{name}_bucket{} {count}", braced(labels, Some("+Inf")))?;
                writeln!(page, "{name}_sum{} {sum}", braced(labels, None))?;
                writeln!(page, "{name}_count{} {count}", braced(labels, None))?;
            }
        }
    }
    Ok(())
}

fn braced(labels: &BTreeMap<String, String>, le: Option<&str>) -> String {
    let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all: Vec<_> = labels
        .chain(le.map(|le| ("le", le)))
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}
