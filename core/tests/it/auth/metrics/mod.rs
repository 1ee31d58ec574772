//! Each metric is recorded once, for its cause.

mod counters;
mod feed;
mod store;
mod table;

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Everything that was recorded: by name and labels, as in `name{label="value"}`.
#[derive(Debug)]
struct Recorded(BTreeMap<String, DebugValue>);

impl Recorded {
    /// What was recorded since the last call.
    fn take(snapshotter: &Snapshotter) -> Self {
        let entries = snapshotter.snapshot().into_vec().into_iter();
        Self(entries.map(|(key, _, _, value)| (shown(key.key()), value)).collect())
    }

    /// The counters that are not zero.
    fn counters(&self) -> Vec<(&str, u64)> {
        let mut counters = Vec::new();
        for (name, value) in &self.0 {
            match value {
                DebugValue::Counter(count) if *count > 0 => counters.push((name.as_str(), *count)),
                _ => {}
            }
        }
        counters
    }

    fn gauge(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(DebugValue::Gauge(value)) => value.into_inner(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn samples(&self, name: &str) -> Vec<f64> {
        match self.0.get(name) {
            Some(DebugValue::Histogram(values)) => values.iter().map(|v| v.into_inner()).collect(),
            None => Vec::new(),
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn shown(key: &metrics::Key) -> String {
    let labels: Vec<_> =
        key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
    match labels.is_empty() {
        true => key.name().to_owned(),
        false => format!("{}{{{}}}", key.name(), labels.join(",")),
    }
}

/// Runs a scenario, background tasks included, with a recorder of its own.
fn record(scenario: impl AsyncFnOnce(Snapshotter)) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(scenario(snapshotter)));
}
