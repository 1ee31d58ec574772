//! What keeps the numbers. The core tells it by the facade `metrics`, which has one recorder per
//! process; worker threads share it.

use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};

use metrics::atomics::AtomicU64;
use metrics::{
    Counter, Gauge, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_global_recorder,
};
use metrics_util::registry::{Registry, Storage};
use metrics_util::storage::Histogram;
use regrant::auth::metrics::SECONDS_BUCKETS;

static REGISTRY: LazyLock<Registry<Key, Cells>> = LazyLock::new(|| Registry::new(Cells));

/// Installs the recorder; again and again is once. Before the first auth object is made.
pub fn install() {
    static ONCE: Once = Once::new();
    // The addon is the only one that installs a recorder in its copy of the facade.
    ONCE.call_once(|| drop(set_global_recorder(ToRegistry)));
}

pub(super) fn registry() -> &'static Registry<Key, Cells> {
    &REGISTRY
}

/// How numbers are kept: buckets are counted at once, so that nothing piles up where nobody reads.
pub(super) struct Cells;

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

/// A histogram; none were there no buckets.
pub(super) struct Buckets(Mutex<Option<Histogram>>);

impl Buckets {
    pub(super) fn read(&self) -> Option<Histogram> {
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
    // Descriptions are read from the core's table.
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
