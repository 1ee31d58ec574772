//! The deny list: the access tokens that this process rejects before their `exp`.
//!
//! A check costs no I/O. Entries are dropped once every token that they deny has expired, so the
//! size is bounded by the lifetime of access tokens, and by [`DenyList::MAX_ENTRIES`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use super::{Revocation, RevocationTarget};
use crate::session::DiscardedChild;
use crate::types::{FamilyPosition, SessionId, Subject, Timestamp};

/// The claims of a verified access token by which it is denied.
#[derive(Clone, Copy, Debug)]
pub struct TokenIdentity<'a> {
    /// The user.
    pub subject: &'a Subject,
    /// The session (`sid`), if the token has one.
    pub session: Option<SessionId>,
    /// The position in the token family (`gen` and `brn`), if the token has one.
    pub family_position: Option<FamilyPosition>,
    /// `iat`. A token without it is denied as if it had been issued long ago.
    pub issued_at: Option<Timestamp>,
}

/// Why an access token is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Its session is revoked.
    Session,
    /// It was issued with a discarded refresh token, so its use is a sign of theft.
    DiscardedChild,
    /// It names no session, and its user logged out everywhere after it was issued.
    Subject,
    /// It was issued before the list overflowed. Whether it is revoked is not known: the client must
    /// refresh, which asks the store.
    Overflow,
}

/// Revoked access tokens in memory.
#[derive(Debug, Default)]
pub struct DenyList {
    entries: RwLock<Entries>,
    /// The number of entries. While it is zero, checks take no lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Entries {
    sessions: HashMap<SessionId, Expiry>,
    children: HashMap<(SessionId, FamilyPosition), (DiscardedChild, Expiry)>,
    /// Tokens issued up to the first instant are denied.
    subjects: HashMap<Subject, (Timestamp, Expiry)>,
    /// Set on overflow: all tokens issued up to the first instant are denied.
    cutoff: Option<(Timestamp, Expiry)>,
    /// The number of entries at which expired ones are looked for.
    prune_at: usize,
}

/// When an entry is no longer needed.
type Expiry = Timestamp;

impl DenyList {
    /// Upper bound (about 53 MB). On overflow the list collapses into one cut-off time: every token
    /// issued before it is rejected as expired, so each client refreshes once and the store finds
    /// out who was revoked.
    pub const MAX_ENTRIES: usize = 1_000_000;

    /// Denies the tokens of `revocation`. Idempotent.
    pub fn deny(&self, revocation: &Revocation, now: Timestamp) {
        let expires_at = revocation.expires_at;
        if expires_at <= now {
            return;
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.make_room(now);
        match &revocation.target {
            RevocationTarget::Session { session } => {
                let expiry = entries.sessions.entry(*session).or_insert(expires_at);
                *expiry = expires_at.max(*expiry);
            }
            RevocationTarget::Child { session, child } => {
                let key = (*session, child.family_position);
                let (latest, expiry) = entries.children.entry(key).or_insert((*child, expires_at));
                latest.issued_until = latest.issued_until.max(child.issued_until);
                *expiry = expires_at.max(*expiry);
            }
            RevocationTarget::Subject { subject, issued_until } => {
                let entry = entries.subjects.entry(subject.clone());
                let (latest, expiry) = entry.or_insert((*issued_until, expires_at));
                *latest = (*issued_until).max(*latest);
                *expiry = expires_at.max(*expiry);
            }
        }
        self.count.store(entries.len(), Ordering::Release);
    }

    /// Whether a verified access token is denied, and why.
    pub fn check<'a>(&self, token: impl Into<TokenIdentity<'a>>) -> Option<Denial> {
        if self.is_empty() {
            return None;
        }
        self.entries.read().unwrap_or_else(PoisonError::into_inner).check(&token.into())
    }

    /// Whether a session is known to be revoked.
    pub fn is_revoked(&self, session: &SessionId) -> bool {
        if self.is_empty() {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.contains_key(session)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entries {
    fn len(&self) -> usize {
        let cutoff = usize::from(self.cutoff.is_some());
        self.sessions.len() + self.children.len() + self.subjects.len() + cutoff
    }

    fn check(&self, token: &TokenIdentity<'_>) -> Option<Denial> {
        // `iat` is in whole seconds, so instants are compared by their seconds.
        let issued_up_to = |last: Timestamp| {
            token.issued_at.is_none_or(|issued_at| issued_at.as_seconds() <= last.as_seconds())
        };
        let denial = match token.session {
            Some(session) => self.check_session(session, token),
            None => self
                .subjects
                .get(token.subject)
                .and_then(|(last, _)| issued_up_to(*last).then_some(Denial::Subject)),
        };
        denial.or_else(|| {
            self.cutoff.and_then(|(last, _)| issued_up_to(last).then_some(Denial::Overflow))
        })
    }

    fn check_session(&self, session: SessionId, token: &TokenIdentity<'_>) -> Option<Denial> {
        if self.sessions.contains_key(&session) {
            return Some(Denial::Session);
        }
        let family_position = token.family_position?;
        let (child, _) = self.children.get(&(session, family_position))?;
        let is_of_child =
            token.issued_at.is_none_or(|issued_at| child.covers(family_position, issued_at));
        is_of_child.then_some(Denial::DiscardedChild)
    }

    /// Makes room for one more entry: drops expired entries, and collapses a full list.
    fn make_room(&mut self, now: Timestamp) {
        if self.len() < self.prune_at {
            return;
        }
        self.prune(now);
        if self.len() >= DenyList::MAX_ENTRIES {
            self.collapse(now);
        }
        self.prune_at = (self.len() * 2).clamp(1024, DenyList::MAX_ENTRIES);
    }

    fn prune(&mut self, now: Timestamp) {
        self.sessions.retain(|_, expiry| now < *expiry);
        self.children.retain(|_, (_, expiry)| now < *expiry);
        self.subjects.retain(|_, (_, expiry)| now < *expiry);
        self.cutoff = self.cutoff.filter(|(_, expiry)| now < *expiry);
    }

    fn collapse(&mut self, now: Timestamp) {
        let sessions = self.sessions.values();
        let children = self.children.values().map(|(_, expiry)| expiry);
        let subjects = self.subjects.values().map(|(_, expiry)| expiry);
        let earlier = self.cutoff.iter().map(|(_, expiry)| expiry);
        let expiry = sessions.chain(children).chain(subjects).chain(earlier).max().copied();
        *self = Self { cutoff: expiry.map(|expiry| (now, expiry)), ..Self::default() };
        tracing::warn!(target: "regrant::auth", "deny list full; forcing a refresh of all tokens issued before now");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn session(number: usize) -> RevocationTarget {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        RevocationTarget::Session { session: SessionId::from_bytes(id) }
    }

    #[test]
    fn a_full_list_forces_one_refresh_of_every_token() {
        let subject = Subject::new("alice").unwrap();
        let issued = |seconds| TokenIdentity {
            subject: &subject,
            session: Some(SessionId::from_bytes([9; 16])),
            family_position: None,
            issued_at: Some(at(seconds)),
        };
        let list = DenyList::default();
        let deny = |target| list.deny(&Revocation { target, expires_at: at(900) }, at(0));
        for number in 0..DenyList::MAX_ENTRIES {
            deny(session(number));
        }
        assert_eq!((list.len(), list.check(issued(0))), (DenyList::MAX_ENTRIES, None));
        deny(session(DenyList::MAX_ENTRIES));
        assert_eq!((list.len(), list.check(issued(0))), (2, Some(Denial::Overflow)));
        assert_eq!(list.check(issued(1)), None);
    }
}
