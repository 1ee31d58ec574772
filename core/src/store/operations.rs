//! The operations of a store over the sessions of one user, for every store that runs the state
//! machine in this process (memory, file).
//!
//! Such a store implements [`LocalStore`]: how to run a closure atomically on a user's sessions.
//! [`SessionStore`] follows from that. The Lua scripts of the Redis store do the same as the
//! functions below; the differential test compares the two.

use std::fmt;
use std::num::NonZeroU32;

use async_trait::async_trait;

use super::health::{probe_session, probe_subject};
use super::{
    Created, FailureCounter, Imported, Refreshed, Replicated, RevocationOutcome, RevokedSession,
    RevokedSessions, SessionFilter, SessionStore, StoreHealth, StoredSession, UserCursor, UserPage,
    deleted,
};
use crate::error::Result;
use crate::revocation::RevocationFeed;
use crate::session::{
    AccessTokenUse, ClientDetails, Decision, NewSession, PresentedToken, Record, RefreshPolicy,
    SessionNotes, SessionState, TheftScope, UseOutcome, decide_refresh, decide_use,
};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// A store that runs the state machine in this process.
pub(super) trait LocalStore: fmt::Debug + Send + Sync {
    /// The value of [`StoreHealth::store`].
    const KIND: &'static str;

    /// Runs `operation` atomically on the sessions of `subject`. When this returns, the changes
    /// survive what `durability` makes of the outcome.
    fn write<T: Send + 'static>(
        &self,
        subject: &Subject,
        durability: fn(&T) -> Durability,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Runs an `operation` that changes nothing.
    fn read<T: Send + 'static>(
        &self,
        subject: &Subject,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> impl Future<Output = Result<T>> + Send;

    /// See [`SessionStore::users`].
    fn list_users(&self, cursor: &UserCursor) -> impl Future<Output = Result<UserPage>> + Send;

    /// See [`SessionStore::feed`].
    fn revocation_feed(&self) -> Option<&dyn RevocationFeed>;

    /// See [`SessionStore::failures`].
    fn failure_counter(&self) -> Option<&dyn FailureCounter>;
}

/// What an acknowledged operation survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The death of this process.
    Process,
    /// The death of this machine.
    Disk,
}

/// The sessions of one user, inside an atomic operation.
pub(super) trait UserSessions {
    /// The record of a session, expired or not.
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>>;
    /// Stores a record, new or changed.
    fn put(&mut self, session: &SessionId, record: Record) -> Result<()>;
    /// Deletes a session.
    fn remove(&mut self, session: &SessionId) -> Result<()>;
    /// All sessions, expired or not.
    fn all(&mut self) -> Result<Vec<StoredSession>>;
}

/// Logins and revocations must survive a crash of the machine. A rotation need not: if it is lost,
/// the signed token heals the record ([`decide_refresh`]).
#[async_trait]
impl<S: LocalStore> SessionStore for S {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        let (session, new) = (*session, new.clone());
        let run = move |sessions: &mut dyn UserSessions, now| create(sessions, &session, &new, now);
        self.write(subject, |_| Durability::Disk, run).await
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>> {
        let (session, token, policy) = (*session, *token, *policy);
        let client = client.cloned();
        let durability = |refreshed: &Option<Refreshed>| match refreshed {
            Some(Refreshed { decision: Decision::Reuse(_), .. }) => Durability::Disk,
            _ => Durability::Process,
        };
        self.write(subject, durability, move |sessions, now| {
            refresh(sessions, &session, &token, &policy, client.as_ref(), now)
        })
        .await
    }

    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool> {
        let (session, claims) = (*session, claims.to_owned());
        let run = move |sessions: &mut dyn UserSessions, now| {
            set_claims(sessions, &session, &claims, now)
        };
        self.write(subject, |_| Durability::Disk, run).await
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        let (session, token_use) = (*session, *token_use);
        let durability = |confirmation: &Option<UseOutcome>| match confirmation {
            Some(UseOutcome::Reuse) => Durability::Disk,
            _ => Durability::Process,
        };
        self.write(subject, durability, move |sessions, now| {
            record_use(sessions, &session, &token_use, on_theft, now)
        })
        .await
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let session = *session;
        let run =
            move |sessions: &mut dyn UserSessions, now| revoke(sessions, &session, reason, now);
        self.write(subject, |_| Durability::Disk, run).await
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let which = *which;
        let run =
            move |sessions: &mut dyn UserSessions, now| revoke_all(sessions, &which, reason, now);
        self.write(subject, |_| Durability::Disk, run).await
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        self.revocation_feed()
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        self.failure_counter()
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        self.read(subject, unexpired).await
    }

    async fn import(&self, subject: &Subject, imported: &[StoredSession]) -> Result<Imported> {
        let imported = imported.to_vec();
        let run = move |sessions: &mut dyn UserSessions, now| import(sessions, &imported, now);
        self.write(subject, |_| Durability::Disk, run).await
    }

    async fn users(&self, cursor: &UserCursor) -> Result<UserPage> {
        self.list_users(cursor).await
    }

    async fn find(&self, subject: &Subject, session: &SessionId) -> Result<Option<Record>> {
        let session = *session;
        self.read(subject, move |sessions, now| get_unexpired(sessions, &session, now)).await
    }

    async fn health(&self) -> StoreHealth {
        let login = async {
            let (subject, session) = (probe_subject()?, SessionId::random()?);
            self.create(&subject, &session, &probe_session()?).await
        };
        let read = async { self.list(&probe_subject()?).await };
        StoreHealth::probe(S::KIND, login, read).await
    }
}

fn create(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    new: &NewSession,
    now: Timestamp,
) -> Result<Created> {
    if let Some(record) = get_unexpired(sessions, session, now)? {
        let evicted = evicted_at(&unexpired(sessions, now)?, record.created_at);
        return Ok(Created { record, evicted });
    }
    let evicted = match new.max_sessions {
        Some(max) => make_room(sessions, max, now)?,
        None => Vec::new(),
    };
    let record = Record::begin(new, now);
    sessions.put(session, record.clone())?;
    Ok(Created { record, evicted })
}

/// Makes room for one more session of which `max` may be live: revokes the least recently
/// refreshed ones and returns their ids. Of the sessions that are over, expired or not, the latest
/// `max` are kept: a clock that is ahead deletes none of the others.
fn make_room(
    sessions: &mut dyn UserSessions,
    max: NonZeroU32,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let max = usize::try_from(max.get()).unwrap_or(usize::MAX);
    let (mut evicted, mut over): (Vec<_>, Vec<_>) =
        sessions.all()?.into_iter().partition(|stored| stored.record.is_live(now));
    evicted.sort_by_key(|StoredSession { id, record }| {
        (record.last_refreshed(), record.created_at, *id)
    });
    evicted.truncate((evicted.len() + 1).saturating_sub(max));
    for StoredSession { id, record } in &mut evicted {
        *record = record.revoked(RevocationReason::Displaced, now);
        sessions.put(id, record.clone())?;
    }
    let ids = evicted.iter().map(|stored| stored.id).collect();
    over.extend(evicted);
    // Without the record of a migrated session its legacy token could be migrated once more.
    over.retain(|stored| !stored.record.migrated);
    over.sort_by_key(|StoredSession { id, record }| (record.idle_deadline, record.created_at, *id));
    let pruned = over.len().saturating_sub(max);
    for StoredSession { id, .. } in over.iter().take(pruned) {
        sessions.remove(id)?;
    }
    Ok(ids)
}

/// The sessions that were evicted by the session created at `created_at`.
fn evicted_at(all: &[StoredSession], created_at: Timestamp) -> Vec<SessionId> {
    let state = SessionState::Revoked(RevocationReason::Displaced);
    all.iter()
        .filter(|stored| stored.record.state == state && stored.record.idle_deadline == created_at)
        .map(|stored| stored.id)
        .collect()
}

fn refresh(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    token: &PresentedToken,
    policy: &RefreshPolicy,
    client: Option<&ClientDetails>,
    now: Timestamp,
) -> Result<Option<Refreshed>> {
    let Some(record) = get_unexpired(sessions, session, now)? else { return Ok(None) };
    let mut next = decide_refresh(&record, token, now, policy);
    if let (Decision::Rotate(_) | Decision::Renew { .. }, Some(changed), Some(client)) =
        (next.decision, &mut next.record, client)
    {
        changed.notes.refreshed_from = Some(Box::new(client.clone()));
    }
    let is_reuse = matches!(next.decision, Decision::Reuse(_));
    apply(sessions, session, next.record, is_reuse.then_some(policy.on_theft), now)?;
    let notes = match is_reuse {
        true => record.notes,
        false => SessionNotes { claims: record.notes.claims, ..SessionNotes::default() },
    };
    Ok(Some(Refreshed { decision: next.decision, discarded: next.discarded, notes }))
}

fn set_claims(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    claims: &str,
    now: Timestamp,
) -> Result<bool> {
    let Some(mut record) = sessions.get(session)?.filter(|record| record.is_live(now)) else {
        return Ok(false);
    };
    record.notes.set_claims(claims, now);
    sessions.put(session, record)?;
    Ok(true)
}

fn record_use(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    token_use: &AccessTokenUse,
    on_theft: TheftScope,
    now: Timestamp,
) -> Result<Option<UseOutcome>> {
    let Some(record) = get_unexpired(sessions, session, now)? else { return Ok(None) };
    let next = decide_use(&record, token_use, now);
    let is_reuse = next.outcome == UseOutcome::Reuse;
    apply(sessions, session, next.record, is_reuse.then_some(on_theft), now)?;
    Ok(Some(next.outcome))
}

/// Stores the record that a decision changed and, after reuse, revokes what the policy says.
fn apply(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    record: Option<Record>,
    on_reuse: Option<TheftScope>,
    now: Timestamp,
) -> Result<()> {
    if let Some(record) = record {
        sessions.put(session, record)?;
    }
    if on_reuse == Some(TheftScope::Subject) {
        revoke_all(sessions, &SessionFilter::ALL, RevocationReason::Reused, now)?;
    }
    Ok(())
}

fn revoke(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<RevokedSession> {
    let Some(record) = sessions.get(session)? else {
        let outcome = RevocationOutcome::Unknown;
        return Ok(RevokedSession { outcome, replicated: Replicated::NotAsked });
    };
    let outcome = match record.state {
        _ if now >= record.expires_at => RevocationOutcome::Unknown,
        SessionState::Live if record.is_live(now) => RevocationOutcome::Revoked,
        _ => RevocationOutcome::AlreadyRevoked { ended_at: record.idle_deadline },
    };
    // An expired session too: the clock may be ahead.
    if record.state == SessionState::Live {
        sessions.put(session, record.revoked(reason, now))?;
    }
    Ok(RevokedSession { outcome, replicated: Replicated::NotAsked })
}

fn revoke_all(
    sessions: &mut dyn UserSessions,
    which: &SessionFilter,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<RevokedSessions> {
    let (mut revoked, mut already_revoked) = (Vec::new(), Vec::new());
    let all = sessions.all()?;
    for StoredSession { id, record } in all.into_iter().filter(|stored| which.matches(stored)) {
        if record.state == SessionState::Live {
            sessions.put(&id, record.revoked(reason, now))?;
        }
        // Expired ones are revoked too, because the clock may be ahead, but not reported.
        match now < record.expires_at {
            true if record.is_live(now) => revoked.push(id),
            true => already_revoked.push((id, record.idle_deadline)),
            false => {}
        }
    }
    Ok(RevokedSessions { revoked, already_revoked, replicated: Replicated::NotAsked })
}

fn import(
    sessions: &mut dyn UserSessions,
    imported: &[StoredSession],
    now: Timestamp,
) -> Result<Imported> {
    let mut counts = Imported::default();
    for StoredSession { id, record: theirs } in imported {
        let ours = sessions.get(id)?;
        if let Some(record) = counts.count(ours.as_ref(), theirs, now) {
            sessions.put(id, record)?;
        }
    }
    for StoredSession { id, .. } in deleted(sessions.all()?, imported, now) {
        sessions.remove(&id)?;
    }
    Ok(counts)
}

fn get_unexpired(
    sessions: &mut dyn UserSessions,
    session: &SessionId,
    now: Timestamp,
) -> Result<Option<Record>> {
    Ok(sessions.get(session)?.filter(|record| now < record.expires_at))
}

fn unexpired(sessions: &mut dyn UserSessions, now: Timestamp) -> Result<Vec<StoredSession>> {
    let mut all = sessions.all()?;
    all.retain(|stored| now < stored.record.expires_at);
    Ok(all)
}
