//! Who gives way to a login, and what is forgotten for it.

use std::num::NonZeroU32;

use super::StoredSession;
use crate::session::SessionState;
use crate::types::{RevocationReason, SessionId, Timestamp};

/// What changes among a user's other sessions when one more begins.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Those that give way, with their new records.
    pub(super) displaced: Vec<StoredSession>,
    /// Those that are over and not kept any longer.
    pub(super) forgotten: Vec<SessionId>,
}

impl Room {
    /// Makes room for one more among `others`, none of them expired, where `most` may be live.
    pub(super) fn for_one_more(
        others: Vec<StoredSession>,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Self {
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        let (mut live, mut over): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|stored| stored.record.is_live(now));
        // The least recently refreshed first.
        live.sort_by_key(|StoredSession { id, record }| {
            (record.last_refreshed(), record.created_at, *id)
        });
        live.truncate((live.len() + 1).saturating_sub(most));
        let displaced: Vec<_> = live
            .into_iter()
            .map(|StoredSession { id, record }| {
                let record = record.revoked(RevocationReason::Displaced, now);
                StoredSession { id, record }
            })
            .collect();
        over.extend(displaced.iter().cloned());
        over.retain(|stored| !stored.record.migrated);
        // The first that ended first.
        over.sort_by_key(|StoredSession { id, record }| {
            (record.idle_deadline, record.created_at, *id)
        });
        over.truncate(over.len().saturating_sub(most));
        Self { displaced, forgotten: over.into_iter().map(|stored| stored.id).collect() }
    }
}

/// Those that gave way to a session that began at `created`.
pub(super) fn displaced_at(all: &[StoredSession], created_at: Timestamp) -> Vec<SessionId> {
    let state = SessionState::Revoked(RevocationReason::Displaced);
    let gave_way = |stored: &&StoredSession| {
        stored.record.state == state && stored.record.idle_deadline == created_at
    };
    all.iter().filter(gave_way).map(|stored| stored.id).collect()
}
