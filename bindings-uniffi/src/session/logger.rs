//! What happens in a session, for the app's log.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::CallbackError;

/// Is told what happens in a session.
#[uniffi::export(with_foreign)]
pub trait SessionLogger: Send + Sync {
    /// Takes note of `entry`. Called on the session's own thread, which waits meanwhile.
    fn log(&self, entry: LogEntry) -> Result<(), CallbackError>;
}

/// Something that happened. There is never a token in it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LogEntry {
    /// How much it matters.
    pub level: LogLevel,
    /// What happened, in English. The texts may change with any version.
    pub text: String,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// A defect.
    Error,
    /// Something failed that is tried again.
    Warn,
    /// Somebody was signed in or out.
    Info,
    /// Each step.
    Debug,
}

/// Whatever is logged on this thread from now on goes to `logger`, until the guard is dropped.
pub(super) fn log_to(logger: Arc<dyn SessionLogger>) -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(Forwarder(logger))
}

struct Forwarder(Arc<dyn SessionLogger>);

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= Level::DEBUG
            && metadata.target().starts_with("regrant::")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            _ => LogLevel::Debug,
        };
        let mut text = Text::default();
        event.record(&mut text);
        let entry = LogEntry { level, text: text.message + &text.fields };
        // A log that fails cannot be told to the log.
        let _ = self.0.log(entry);
    }

    // Spans are not enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// An event as `message: name=value, name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => {
                let before = if self.fields.is_empty() { ": " } else { ", " };
                write!(self.fields, "{before}{name}={value:?}")
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<LogEntry>>);

    impl SessionLogger for Kept {
        fn log(&self, entry: LogEntry) -> Result<(), CallbackError> {
            self.0.lock().unwrap().push(entry);
            Err(CallbackError::Failed { reason: "full".to_owned() })
        }
    }

    #[test]
    fn what_is_logged_here_arrives_and_what_others_log_does_not() {
        let kept = Arc::new(Kept::default());
        let guard = log_to(Arc::clone(&kept) as Arc<dyn SessionLogger>);
        tracing::warn!(target: "regrant::client", error = "e", times = 2, "it failed");
        tracing::info!(target: "regrant::client", "it works");
        tracing::trace!(target: "regrant::client", "too much");
        tracing::error!(target: "other", "not ours");
        drop(guard);
        tracing::error!(target: "regrant::client", "too late");
        let entry = |level, text: &str| LogEntry { level, text: text.to_owned() };
        let expected = [
            entry(LogLevel::Warn, r#"it failed: error="e", times=2"#),
            entry(LogLevel::Info, "it works"),
        ];
        assert_eq!(*kept.0.lock().unwrap(), expected);
    }
}
