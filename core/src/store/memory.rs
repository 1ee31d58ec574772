//! Sessions in the memory of this process: for tests and trials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::limits::FailureWindows;
use super::operations::{Durability, LocalStore, UserSessions};
use super::{FailureCounter, FailureKey, Failures, StoredSession, UserCursor, UserPage};
use crate::error::Result;
use crate::revocation::RevocationFeed;
use crate::session::Record;
use crate::types::{Clock, SessionId, Subject, SystemClock, Timestamp};

/// Sessions in the memory of this process. They are gone when the process ends.
#[derive(Debug)]
pub struct MemoryStore {
    users: Mutex<HashMap<Subject, Records>>,
    failures: Mutex<FailureWindows>,
    clock: Arc<dyn Clock>,
}

/// The sessions of one user.
#[derive(Debug, Default)]
struct Records(HashMap<SessionId, Record>);

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that uses `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { users: Mutex::default(), failures: Mutex::default(), clock }
    }

    /// Runs `operation` on the sessions of `subject`, after dropping those that expired long ago.
    fn run<T>(
        &self,
        subject: &Subject,
        operation: impl FnOnce(&mut dyn UserSessions, Timestamp) -> Result<T>,
    ) -> Result<T> {
        let now = self.clock.now();
        // No operation leaves the map half changed, so a poisoned lock is still usable.
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = users.entry(subject.clone()).or_default();
        sessions.0.retain(|_, record| !record.is_prunable(now));
        let outcome = operation(sessions, now);
        if sessions.0.is_empty() {
            users.remove(subject);
        }
        outcome
    }
}

impl LocalStore for MemoryStore {
    const KIND: &'static str = "memory";

    async fn write<T: Send + 'static>(
        &self,
        subject: &Subject,
        _: fn(&T) -> Durability,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.run(subject, operation)
    }

    async fn read<T: Send + 'static>(
        &self,
        subject: &Subject,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.run(subject, operation)
    }

    async fn list_users(&self, cursor: &UserCursor) -> Result<UserPage> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = users.keys().map(|user| user.as_str().to_owned()).collect();
        names.retain(|name| *name > cursor.0);
        names.sort_unstable();
        names.truncate(UserPage::LENGTH);
        UserPage::sorted(names)
    }

    fn revocation_feed(&self) -> Option<&dyn RevocationFeed> {
        None
    }

    fn failure_counter(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }
}

impl UserSessions for Records {
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>> {
        Ok(self.0.get(session).cloned())
    }

    fn put(&mut self, session: &SessionId, record: Record) -> Result<()> {
        self.0.insert(*session, record);
        Ok(())
    }

    fn remove(&mut self, session: &SessionId) -> Result<()> {
        self.0.remove(session);
        Ok(())
    }

    fn all(&mut self) -> Result<Vec<StoredSession>> {
        let stored =
            |(id, record): (&SessionId, &Record)| StoredSession { id: *id, record: record.clone() };
        Ok(self.0.iter().map(stored).collect())
    }
}

#[async_trait]
impl FailureCounter for MemoryStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let now = self.clock.now();
        let mut windows = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(windows.add_failure(*key, window, now))
    }
}
