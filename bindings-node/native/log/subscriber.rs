//! The subscriber of the process: events of the core, no spans.

use std::sync::Once;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::listeners;

/// Installs it; again and again is once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // The addon is the only one that installs a subscriber in its copy of `tracing`.
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(ToListeners)));
}

struct ToListeners;

impl Subscriber for ToListeners {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().split("::").next() == Some("regrant");
        ours && metadata.is_event() && listeners::wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(listeners::level())
    }

    fn event(&self, event: &Event<'_>) {
        listeners::tell(event);
    }

    // Spans are not enabled, so that none is ever made.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
