//! Sessions in this process's memory: for tests and trials. They end with the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::failures::Windows;
use super::operations::{self, UserSessions};
use super::{
    Created, FailureCounter, FailureKey, Failures, Refreshed, RevokedSession, RevokedSessions,
    SessionFilter, SessionStore, StoreHealth, StoredSession,
};
use crate::error::Result;
use crate::session::{
    AccessTokenUse, NewSession, Record, RefreshAttempt, RefreshPolicy, TheftScope, UseOutcome,
};
use crate::types::{Clock, RevocationReason, SessionId, Subject, SystemClock, Timestamp};

type SessionsOfUser = HashMap<SessionId, Record>;

/// Sessions in this process's memory.
#[derive(Debug)]
pub struct MemoryStore {
    users: Mutex<HashMap<Subject, SessionsOfUser>>,
    failures: Mutex<Windows>,
    clock: Arc<dyn Clock>,
}

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

    /// An empty store that goes by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { users: Mutex::default(), failures: Mutex::default(), clock }
    }

    /// Runs `operation` on the sessions of `subject`, without those that have expired.
    fn on_user<T>(
        &self,
        subject: &Subject,
        operation: impl FnOnce(&mut SessionsOfUser, Timestamp) -> Result<T>,
    ) -> Result<T> {
        let now = self.clock.now();
        // No operation leaves the map half changed, so a panic elsewhere does not spoil it.
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = users.entry(subject.clone()).or_default();
        sessions.retain(|_, record| now < record.expires_at);
        let answer = operation(sessions, now);
        if sessions.is_empty() {
            users.remove(subject);
        }
        answer
    }
}

impl UserSessions for SessionsOfUser {
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>> {
        Ok(HashMap::get(self, session).cloned())
    }

    fn put(&mut self, session: &SessionId, record: Record) -> Result<()> {
        self.insert(*session, record);
        Ok(())
    }

    fn remove(&mut self, session: &SessionId) -> Result<()> {
        HashMap::remove(self, session);
        Ok(())
    }

    fn all(&mut self) -> Result<Vec<StoredSession>> {
        let stored =
            |(id, record): (&SessionId, &Record)| StoredSession { id: *id, record: record.clone() };
        Ok(self.iter().map(stored).collect())
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        self.on_user(subject, |sessions, now| operations::create(sessions, session, new, now))
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        attempt: &RefreshAttempt,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>> {
        self.on_user(subject, |sessions, now| {
            operations::refresh(sessions, session, attempt, policy, now)
        })
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        self.on_user(subject, |sessions, now| {
            operations::record_use(sessions, session, token_use, on_theft, now)
        })
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        self.on_user(subject, |sessions, now| operations::revoke(sessions, session, reason, now))
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        self.on_user(subject, |sessions, now| operations::revoke_all(sessions, which, reason, now))
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        self.on_user(subject, operations::list)
    }

    async fn health(&self) -> StoreHealth {
        StoreHealth::of_answering("memory", self).await
    }
}

#[async_trait]
impl FailureCounter for MemoryStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let now = self.clock.now();
        let mut windows = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(windows.count(*key, window, now))
    }
}
