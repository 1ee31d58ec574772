//! What the app observes of a session: changes of its state, and its log.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use regrant::client;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{CallbackError, SessionState};

/// Notified when the state of a session changes.
#[uniffi::export(with_foreign)]
pub trait SessionListener: Send + Sync {
    /// The new state. Called on a thread that it may block, one call at a time. Of several quick changes, only the last
    /// may be reported.
    fn on_state(&self, state: SessionState) -> Result<(), CallbackError>;
}

/// Notifies `listener` until the session is gone.
pub(super) async fn notify(
    listener: Arc<dyn SessionListener>,
    mut states: watch::Receiver<client::SessionState>,
) {
    while states.changed().await.is_ok() {
        let state = *states.borrow_and_update();
        let listener = Arc::clone(&listener);
        // A listener that waits for a call to the session would wait for ever on the session's thread.
        let notified = tokio::task::spawn_blocking(move || listener.on_state(state.into())).await;
        match notified {
            Ok(Err(error)) => {
                tracing::warn!(target: super::TARGET, %error, "session listener failed");
            }
            Err(_) => tracing::warn!(target: super::TARGET, "session listener panicked"),
            Ok(Ok(())) => {}
        }
    }
}

/// Receives a session's log.
#[uniffi::export(with_foreign)]
pub trait SessionLogger: Send + Sync {
    /// Logs `entry`. Called on the session's thread, which it blocks.
    fn log(&self, entry: LogEntry) -> Result<(), CallbackError>;
}

/// A log entry. It contains no token.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LogEntry {
    /// The severity.
    pub level: LogLevel,
    /// The English text, which may change in any version.
    pub text: String,
}

/// The severity of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// A bug.
    Error,
    /// A failure that is retried.
    Warn,
    /// A sign-in or sign-out.
    Info,
    /// Single steps.
    Debug,
}

/// Forwards this thread's log events to `logger` until the guard is dropped.
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
        // A failing logger cannot be logged.
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

/// Formats an event as `message: name=value, name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => {
                let separator = if self.fields.is_empty() { ": " } else { ", " };
                write!(self.fields, "{separator}{name}={value:?}")
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<LogEntry>>);

    impl SessionLogger for Recorder {
        fn log(&self, entry: LogEntry) -> Result<(), CallbackError> {
            self.0.lock().unwrap().push(entry);
            Err(CallbackError::Failed { reason: "full".to_owned() })
        }
    }

    #[test]
    fn forwards_only_events_of_this_crate_and_thread() {
        let recorder = Arc::new(Recorder::default());
        let guard = log_to(Arc::clone(&recorder) as Arc<dyn SessionLogger>);
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
        assert_eq!(*recorder.0.lock().unwrap(), expected);
    }
}
