//! Sessions in this process's memory: for tests and trials. They end with the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::error::Result;
use crate::identity::{SessionId, Subject};
use crate::revocation::RevocationReason;
use crate::session::{
    Confirmation, Decision, NewSession, Presented, Record, RefreshPolicy, Sighting, State,
    TheftScope, confirm, step,
};
use crate::time::{Clock, SystemClock, Timestamp};

use super::{Refreshed, SessionStore, StoredSession};

type SessionsOfUser = HashMap<SessionId, Record>;

/// Sessions in this process's memory.
#[derive(Debug)]
pub struct MemoryStore {
    users: Mutex<HashMap<Subject, SessionsOfUser>>,
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
        Self { users: Mutex::new(HashMap::new()), clock }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Subject, SessionsOfUser>> {
        // No operation leaves the map half changed, so a panic elsewhere does not spoil it.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `operation` on the sessions of `subject`, without those that have expired.
    fn on_user<T>(
        &self,
        subject: &Subject,
        operation: impl FnOnce(&mut SessionsOfUser, Timestamp) -> T,
    ) -> T {
        let now = self.clock.now();
        let mut users = self.users();
        let sessions = users.entry(subject.clone()).or_default();
        sessions.retain(|_, record| now < record.expires);
        let answer = operation(sessions, now);
        if sessions.is_empty() {
            users.remove(subject);
        }
        answer
    }
}

/// Writes the record of a session in which a theft was seen, and ends its siblings where the
/// policy says so.
fn write(
    sessions: &mut SessionsOfUser,
    session: &SessionId,
    record: Option<Record>,
    theft: bool,
    on_theft: TheftScope,
) {
    if let Some(record) = record {
        sessions.insert(*session, record);
    }
    if theft && on_theft == TheftScope::Subject {
        revoke_live(sessions, RevocationReason::Reused);
    }
}

fn revoke_live(sessions: &mut SessionsOfUser, reason: RevocationReason) -> Vec<SessionId> {
    let mut revoked = Vec::new();
    for (id, record) in sessions.iter_mut().filter(|(_, record)| record.state == State::Live) {
        record.state = State::Revoked(reason);
        revoked.push(*id);
    }
    revoked
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Record> {
        Ok(self.on_user(subject, |sessions, now| {
            sessions.entry(*session).or_insert_with(|| Record::begin(new, now)).clone()
        }))
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        presented: &Presented,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>> {
        Ok(self.on_user(subject, |sessions, now| {
            let next = step(sessions.get(session)?, presented, now, policy);
            let theft = matches!(next.decision, Decision::Theft(_));
            write(sessions, session, next.record, theft, policy.on_theft);
            Some(Refreshed { decision: next.decision, denied: next.denied })
        }))
    }

    async fn confirm(
        &self,
        subject: &Subject,
        session: &SessionId,
        sighting: &Sighting,
        on_theft: TheftScope,
    ) -> Result<Option<Confirmation>> {
        Ok(self.on_user(subject, |sessions, now| {
            let next = confirm(sessions.get(session)?, sighting, now);
            let theft = next.confirmation == Confirmation::Theft;
            write(sessions, session, next.record, theft, on_theft);
            Some(next.confirmation)
        }))
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        Ok(self.on_user(subject, |sessions, _| match sessions.get_mut(session) {
            Some(record) if record.state == State::Live => {
                record.state = State::Revoked(reason);
                true
            }
            _ => false,
        }))
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        reason: RevocationReason,
    ) -> Result<Vec<SessionId>> {
        Ok(self.on_user(subject, |sessions, _| revoke_live(sessions, reason)))
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        Ok(self.on_user(subject, |sessions, _| {
            sessions
                .iter()
                .map(|(id, record)| StoredSession { id: *id, record: record.clone() })
                .collect()
        }))
    }
}
