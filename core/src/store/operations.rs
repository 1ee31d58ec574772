//! The operations of a store, over the sessions of one user: for every store that calls the
//! state machine itself.

use super::room::{self, Room};
use super::{
    Created, Refreshed, Replicated, RevocationOutcome, RevokedSession, RevokedSessions,
    SessionFilter, StoredSession,
};
use crate::error::Result;
use crate::session::{
    AccessTokenUse, Decision, NewSession, Record, RefreshAttempt, RefreshPolicy, SessionState,
    TheftScope, UseOutcome, record_use as record_use_step, step,
};
use crate::types::{RevocationReason, SessionId, Timestamp};

/// The sessions of one user, inside an atomic operation.
pub(super) trait UserSessions {
    /// The record of a session, expired or not.
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>>;
    /// Writes a record, new or changed.
    fn put(&mut self, session: &SessionId, record: Record) -> Result<()>;
    /// Forgets a session.
    fn remove(&mut self, session: &SessionId) -> Result<()>;
    /// All sessions, expired or not.
    fn all(&mut self) -> Result<Vec<StoredSession>>;
}

fn unexpired(
    sessions: &mut impl UserSessions,
    session: &SessionId,
    now: Timestamp,
) -> Result<Option<Record>> {
    Ok(sessions.get(session)?.filter(|record| now < record.expires_at))
}

pub(super) fn create(
    sessions: &mut impl UserSessions,
    session: &SessionId,
    new: &NewSession,
    now: Timestamp,
) -> Result<Created> {
    if let Some(record) = unexpired(sessions, session, now)? {
        let displaced = room::displaced_at(&list(sessions, now)?, record.created_at);
        return Ok(Created { record, displaced });
    }
    let room = match new.max_sessions {
        Some(most) => Room::for_one_more(list(sessions, now)?, most, now),
        None => Room::default(),
    };
    for stored in &room.displaced {
        sessions.put(&stored.id, stored.record.clone())?;
    }
    for id in &room.forgotten {
        sessions.remove(id)?;
    }
    let record = Record::begin(new, now);
    sessions.put(session, record.clone())?;
    let displaced = room.displaced.iter().map(|stored| stored.id).collect();
    Ok(Created { record, displaced })
}

pub(super) fn refresh(
    sessions: &mut impl UserSessions,
    session: &SessionId,
    attempt: &RefreshAttempt,
    policy: &RefreshPolicy,
    now: Timestamp,
) -> Result<Option<Refreshed>> {
    let Some(record) = unexpired(sessions, session, now)? else { return Ok(None) };
    let next = step(&record, attempt, now, policy);
    let theft = matches!(next.decision, Decision::Theft(_));
    write(sessions, session, next.record, theft.then_some(policy.on_theft), now)?;
    Ok(Some(Refreshed { decision: next.decision, discarded: next.discarded }))
}

pub(super) fn record_use(
    sessions: &mut impl UserSessions,
    session: &SessionId,
    token_use: &AccessTokenUse,
    on_theft: TheftScope,
    now: Timestamp,
) -> Result<Option<UseOutcome>> {
    let Some(record) = unexpired(sessions, session, now)? else { return Ok(None) };
    let next = record_use_step(&record, token_use, now);
    let theft = next.outcome == UseOutcome::Theft;
    write(sessions, session, next.record, theft.then_some(on_theft), now)?;
    Ok(Some(next.outcome))
}

pub(super) fn revoke(
    sessions: &mut impl UserSessions,
    session: &SessionId,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<RevokedSession> {
    let outcome = match unexpired(sessions, session, now)? {
        None => RevocationOutcome::Unknown,
        Some(Record { state: SessionState::Revoked(_), .. }) => RevocationOutcome::AlreadyRevoked,
        Some(record) => {
            sessions.put(session, record.revoked(reason, now))?;
            RevocationOutcome::Revoked
        }
    };
    Ok(RevokedSession { outcome, replicated: Replicated::NotAsked })
}

pub(super) fn revoke_all(
    sessions: &mut impl UserSessions,
    which: &SessionFilter,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<RevokedSessions> {
    let (mut revoked, mut already_revoked) = (Vec::new(), Vec::new());
    let all = list(sessions, now)?;
    for StoredSession { id, record } in all.into_iter().filter(|stored| which.matches(stored)) {
        if record.state == SessionState::Live {
            sessions.put(&id, record.revoked(reason, now))?;
            revoked.push(id);
        } else {
            already_revoked.push(id);
        }
    }
    Ok(RevokedSessions { revoked, already_revoked, replicated: Replicated::NotAsked })
}

pub(super) fn list(sessions: &mut impl UserSessions, now: Timestamp) -> Result<Vec<StoredSession>> {
    let mut all = sessions.all()?;
    all.retain(|stored| now < stored.record.expires_at);
    Ok(all)
}

/// Writes what a decision changed; after a theft, what the policy takes down with it.
fn write(
    sessions: &mut impl UserSessions,
    session: &SessionId,
    record: Option<Record>,
    theft: Option<TheftScope>,
    now: Timestamp,
) -> Result<()> {
    if let Some(record) = record {
        sessions.put(session, record)?;
    }
    if theft == Some(TheftScope::Subject) {
        revoke_all(sessions, &SessionFilter::ALL, RevocationReason::Reused, now)?;
    }
    Ok(())
}
