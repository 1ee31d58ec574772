//! Access tokens that are refused before their `exp`: kept in this process's memory, so that
//! the check costs no round trip. An entry is dropped once every token that it is about has
//! expired by itself, so the list is bounded by the lifetime of access tokens.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use super::{Abandoned, Revocation, Revoked};
use crate::access::VerifiedAccess;
use crate::identity::{Lineage, SessionId, Subject};
use crate::time::Timestamp;

/// Why an access token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Its session was ended.
    Session,
    /// It came with a refresh token that was given up as lost: its use is the mark of a second
    /// holder.
    Lineage,
    /// It names no session, and its user logged out everywhere after it was issued.
    Subject,
}

/// The list.
#[derive(Debug, Default)]
pub struct DenyList {
    entries: RwLock<Entries>,
    /// The number of entries: as long as it is zero a check takes no lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Entries {
    /// To the instant from which the entry is moot.
    sessions: HashMap<SessionId, Timestamp>,
    /// With the child that was given up, and the same instant.
    lineages: HashMap<(SessionId, Lineage), (Abandoned, Timestamp)>,
    /// With the instant before which tokens are refused.
    subjects: HashMap<Subject, (Timestamp, Timestamp)>,
    /// How many entries there may be before the moot ones are looked for.
    prune_at: usize,
}

impl DenyList {
    /// Refuses what `revocation` says. Doing so twice is the same as once.
    pub fn refuse(&self, revocation: &Revocation, now: Timestamp) {
        let until = revocation.until;
        if until <= now {
            return;
        }
        self.change(now, |entries| match &revocation.what {
            Revoked::Session { sid } => {
                let moot = entries.sessions.entry(*sid).or_insert(until);
                *moot = until.max(*moot);
            }
            Revoked::Child { sid, abandoned } => {
                let key = (*sid, abandoned.lineage);
                let (latest, moot) = entries.lineages.entry(key).or_insert((*abandoned, until));
                latest.issued_until = latest.issued_until.max(abandoned.issued_until);
                *moot = until.max(*moot);
            }
            Revoked::Subject { sub, before } => {
                let (latest, moot) =
                    entries.subjects.entry(sub.clone()).or_insert((*before, until));
                *latest = (*before).max(*latest);
                *moot = until.max(*moot);
            }
        });
    }

    /// Whether a verified access token is refused.
    pub fn check(&self, access: &VerifiedAccess) -> Option<Denial> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = access.session() else {
            let (before, _) = entries.subjects.get(access.subject())?;
            // `iat` is in whole seconds; a token that does not say when it was issued may well
            // have been before.
            let earlier =
                access.issued_at().is_none_or(|at| at.as_seconds() <= before.as_seconds());
            return earlier.then_some(Denial::Subject);
        };
        if entries.sessions.contains_key(&session) {
            return Some(Denial::Session);
        }
        let lineage = access.lineage()?;
        let (abandoned, _) = entries.lineages.get(&(session, lineage))?;
        // A token that does not say when it was issued may well be of that child.
        let of_it = access.issued_at().is_none_or(|at| abandoned.covers(lineage, at));
        of_it.then_some(Denial::Lineage)
    }

    /// Whether a session is known to have been ended.
    pub fn has_ended(&self, session: &SessionId) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.contains_key(session)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether nothing is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn change(&self, now: Timestamp, operation: impl FnOnce(&mut Entries)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= entries.prune_at {
            entries.prune(now);
            entries.prune_at = (entries.len() * 2).max(1024);
        }
        operation(&mut entries);
        self.count.store(entries.len(), Ordering::Release);
    }
}

impl Entries {
    fn len(&self) -> usize {
        self.sessions.len() + self.lineages.len() + self.subjects.len()
    }

    fn prune(&mut self, now: Timestamp) {
        self.sessions.retain(|_, until| now < *until);
        self.lineages.retain(|_, (_, until)| now < *until);
        self.subjects.retain(|_, (_, until)| now < *until);
    }
}
