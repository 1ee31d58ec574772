//! Audit events on their way to JavaScript.

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use regrant::auth::AuditEvent;

/// Called with each event as JSON text. Weak: a listener does not keep the process alive.
pub type Listener = ThreadsafeFunction<String, (), String, Status, false, true>;

/// What the core calls. Never blocks; an event that comes while Node shuts down is dropped.
pub fn forward(listener: Listener) -> impl Fn(&AuditEvent) + Send + Sync + 'static {
    move |event| {
        if let Ok(text) = serde_json::to_string(event) {
            listener.call(text, ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}
