//! Helpers of the tests of sessions.

use std::sync::{Arc, Mutex};

use regrant::types::{ManualClock, Subject, Timestamp};
use regrant::{AuditEvent, Error, Result};

pub const SECRET: &str = "an access secret of at least 32 bytes";

/// The time at which the tests' clocks start, in seconds.
pub const START: i64 = 1_800_000_000;

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_seconds(START)))
}

pub fn subject(id: &str) -> Subject {
    Subject::new(id).unwrap()
}

pub fn alice() -> Subject {
    subject("alice")
}

/// Records audit events. Clones share state.
#[derive(Clone, Default)]
pub struct EventLog(Arc<Mutex<Vec<AuditEvent>>>);

impl EventLog {
    /// A listener for `AuthBuilder::on_event`.
    pub fn listener(&self) -> impl Fn(&AuditEvent) + Send + Sync + 'static {
        let log = self.clone();
        move |event| log.0.lock().unwrap().push(event.clone())
    }

    pub fn events(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap().clone()
    }

    /// The types of the events so far, as they stand in JSON.
    pub fn types(&self) -> Vec<String> {
        let type_of = |event: &AuditEvent| {
            serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned()
        };
        self.events().iter().map(type_of).collect()
    }
}

#[track_caller]
pub fn assert_code<T>(outcome: Result<T>, code: &str) -> Error {
    match outcome {
        Ok(_) => panic!("expected {code}, was accepted"),
        Err(error) => {
            assert_eq!(error.code().as_str(), code);
            error
        }
    }
}
