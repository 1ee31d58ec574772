//! The log of the core for JavaScript: a `tracing` subscriber that passes events on to listeners.
//! There is one per process; worker threads share it.

use std::error::Error;
use std::fmt::Debug;
use std::sync::{Arc, Once, PoisonError, RwLock};

use napi::Status;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::callbacks::Listener;

static LISTENERS: RwLock<Vec<Arc<Entry>>> = RwLock::new(Vec::new());

struct Entry {
    function: Listener,
    level: LevelFilter,
    /// Called only while there is no other listener.
    fallback: bool,
}

/// A function that is called with log entries, as long as this or an auth object made with it
/// exists.
#[napi]
pub struct LogListener(Arc<Subscription>);

#[napi]
impl LogListener {
    /// Calls `listener` with each entry as JSON text: of `level` (`error`, `warn`, `info` or
    /// `debug`) and more severe ones. A fallback is called while there is no other listener; of
    /// several fallbacks only one.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        #[napi(ts_arg_type = "(entry: string) => void")] listener: Listener,
        level: String,
        fallback: bool,
    ) -> Self {
        let level = level.parse().unwrap_or(LevelFilter::WARN);
        Self(Arc::new(Subscription::new(Entry { function: listener, level, fallback })))
    }
}

impl LogListener {
    pub fn shared(&self) -> Arc<Subscription> {
        Arc::clone(&self.0)
    }
}

/// Unsubscribes a listener when it is dropped.
pub struct Subscription(Arc<Entry>);

impl Subscription {
    fn new(entry: Entry) -> Self {
        static INSTALL: Once = Once::new();
        let entry = Arc::new(entry);
        update(|listeners| listeners.push(Arc::clone(&entry)));
        // Nothing else installs a subscriber in the addon's copy of `tracing`.
        INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(ToListeners)));
        Self(entry)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        update(|listeners| listeners.retain(|listener| !Arc::ptr_eq(listener, &self.0)));
    }
}

fn update(update: impl FnOnce(&mut Vec<Arc<Entry>>)) {
    update(&mut LISTENERS.write().unwrap_or_else(PoisonError::into_inner));
    // `tracing` caches per call site whether anybody is interested.
    tracing::callsite::rebuild_interest_cache();
}

/// The most verbose level that a listener wants.
fn max_level() -> LevelFilter {
    let listeners = LISTENERS.read().unwrap_or_else(PoisonError::into_inner);
    listeners.iter().map(|listener| listener.level).max().unwrap_or(LevelFilter::OFF)
}

/// Events of the core, no spans.
struct ToListeners;

impl Subscriber for ToListeners {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().split("::").next() == Some("regrant");
        ours && metadata.is_event() && *metadata.level() <= max_level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(max_level())
    }

    /// Never blocks.
    fn event(&self, event: &Event<'_>) {
        let Ok(text) = serde_json::to_string(&LogEntry::from_event(event)) else { return };
        let listeners = LISTENERS.read().unwrap_or_else(PoisonError::into_inner).clone();
        let call = |listener: &Entry| {
            *event.metadata().level() <= listener.level
                && listener.function.call(text.clone(), ThreadsafeFunctionCallMode::NonBlocking)
                    == Status::Ok
        };
        let (fallbacks, others): (Vec<_>, Vec<_>) =
            listeners.iter().partition(|listener| listener.fallback);
        if others.is_empty() {
            // The first one whose thread is still running.
            fallbacks.into_iter().any(|listener| call(listener));
        } else {
            for listener in others {
                call(listener);
            }
        }
    }

    // Spans are not enabled, so none is ever created.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A log entry, as TypeScript parses it.
#[derive(Serialize)]
struct LogEntry {
    level: String,
    target: &'static str,
    message: String,
    fields: Map<String, Value>,
}

impl LogEntry {
    fn from_event(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let message = match fields.0.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let level = metadata.level().as_str().to_ascii_lowercase();
        Self { level, target: metadata.target(), message, fields: fields.0 }
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
}
