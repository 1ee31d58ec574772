//! Who listens to the log.

use std::sync::{Arc, PoisonError, RwLock};

use napi::Status;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata};

use super::entry::Entry;
use super::subscriber;
use crate::events::Listener;

static LISTENERS: RwLock<Vec<Arc<Subscribed>>> = RwLock::new(Vec::new());

struct Subscribed {
    function: Listener,
    /// What it wants to hear.
    level: LevelFilter,
    /// Whether it only hears what no app listens to.
    fallback: bool,
}

/// Ends a listener when it is dropped.
pub struct Subscription(Arc<Subscribed>);

/// Has a function called with the entries of a level and above, as JSON text. Weak, as listeners
/// to events are. A fallback hears what there is while nobody else listens, in one place only.
pub fn listen(function: Listener, level: LevelFilter, fallback: bool) -> Subscription {
    let subscribed = Arc::new(Subscribed { function, level, fallback });
    change(|listeners| listeners.push(Arc::clone(&subscribed)));
    subscriber::install();
    Subscription(subscribed)
}

impl Drop for Subscription {
    fn drop(&mut self) {
        change(|listeners| listeners.retain(|listener| !Arc::ptr_eq(listener, &self.0)));
    }
}

fn change(change: impl FnOnce(&mut Vec<Arc<Subscribed>>)) {
    change(&mut LISTENERS.write().unwrap_or_else(PoisonError::into_inner));
    // What nobody wants costs nothing where it arises; that is decided anew now.
    tracing::callsite::rebuild_interest_cache();
}

/// The most that anybody wants to hear.
pub(super) fn level() -> LevelFilter {
    let listeners = LISTENERS.read().unwrap_or_else(PoisonError::into_inner);
    listeners.iter().map(|listener| listener.level).max().unwrap_or(LevelFilter::OFF)
}

/// Whether somebody may want to hear it.
pub(super) fn wanted(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= level()
}

/// Tells everybody who wants to hear it. Never blocks.
pub(super) fn tell(event: &Event<'_>) {
    let Ok(text) = serde_json::to_string(&Entry::of(event)) else { return };
    let listeners: Vec<_> = {
        let all = LISTENERS.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(Arc::clone).collect()
    };
    let call = |listener: &Subscribed| {
        *event.metadata().level() <= listener.level
            && listener.function.call(text.clone(), ThreadsafeFunctionCallMode::NonBlocking)
                == Status::Ok
    };
    let (fallbacks, asked): (Vec<_>, Vec<_>) = listeners.iter().partition(|it| it.fallback);
    if asked.is_empty() {
        // The first whose thread still runs.
        fallbacks.into_iter().any(|listener| call(listener));
    } else {
        for listener in asked {
            call(listener);
        }
    }
}
