//! Access tokens that are refused before their `exp`: kept in this process's memory, so that
//! the check costs no round trip. An entry is dropped once every token that it is about has
//! expired by itself, so the list is bounded by the lifetime of access tokens; and by
//! [`DenyList::MOST`], beyond which it is folded into one line.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use super::{DiscardedChild, Revocation, RevocationTarget};
use crate::access::VerifiedAccess;
use crate::types::{FamilyPosition, SessionId, Subject, Timestamp};

/// Why an access token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Its session was ended.
    Session,
    /// It came with a refresh token that was given up as lost: its use is the mark of a second
    /// holder.
    FamilyPosition,
    /// It names no session, and its user logged out everywhere after it was issued.
    Subject,
    /// It is from before the list was full. Nothing is known of this token: a refresh, which asks
    /// the store, will tell.
    Overflow,
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
    family_positions: HashMap<(SessionId, FamilyPosition), (DiscardedChild, Timestamp)>,
    /// With the instant before which tokens are refused.
    subjects: HashMap<Subject, (Timestamp, Timestamp)>,
    /// Set when the list was full: the instant before which all tokens are refused, and the one
    /// from which that is moot.
    overflow: Option<(Timestamp, Timestamp)>,
    /// How many entries there may be before the moot ones are looked for.
    prune_at: usize,
}

impl DenyList {
    /// So many entries at most, in some 53 MB. With one more all of them give way to one line: what
    /// was issued before now is refused as if it had expired. Everybody refreshes once, and who was
    /// revoked is found out by the store; nobody gets in, and nobody is signed out.
    pub const MOST: usize = 1_000_000;

    /// Refuses what `revocation` says. Doing so twice is the same as once.
    pub fn refuse(&self, revocation: &Revocation, now: Timestamp) {
        let until = revocation.until;
        if until <= now {
            return;
        }
        self.change(now, |entries| match &revocation.what {
            RevocationTarget::Session { sid } => {
                let moot = entries.sessions.entry(*sid).or_insert(until);
                *moot = until.max(*moot);
            }
            RevocationTarget::Child { sid, abandoned } => {
                let key = (*sid, abandoned.family_position);
                let (latest, moot) =
                    entries.family_positions.entry(key).or_insert((*abandoned, until));
                latest.issued_until = latest.issued_until.max(abandoned.issued_until);
                *moot = until.max(*moot);
            }
            RevocationTarget::Subject { sub, before } => {
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
        entries.find(access).or_else(|| entries.overflowed(access).then_some(Denial::Overflow))
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
            if entries.len() >= Self::MOST {
                entries.fold(now);
            }
            entries.prune_at = (entries.len() * 2).clamp(1024, Self::MOST);
        }
        operation(&mut entries);
        self.count.store(entries.len(), Ordering::Release);
    }
}

impl Entries {
    fn len(&self) -> usize {
        let folded = usize::from(self.overflow.is_some());
        self.sessions.len() + self.family_positions.len() + self.subjects.len() + folded
    }

    fn find(&self, access: &VerifiedAccess) -> Option<Denial> {
        let Some(session) = access.session() else {
            let (before, _) = self.subjects.get(access.subject())?;
            // `iat` is in whole seconds; a token that does not say when it was issued may well
            // have been before.
            let earlier =
                access.issued_at().is_none_or(|at| at.as_seconds() <= before.as_seconds());
            return earlier.then_some(Denial::Subject);
        };
        if self.sessions.contains_key(&session) {
            return Some(Denial::Session);
        }
        let family_position = access.family_position()?;
        let (abandoned, _) = self.family_positions.get(&(session, family_position))?;
        // A token that does not say when it was issued may well be of that child.
        let of_it = access.issued_at().is_none_or(|at| abandoned.covers(family_position, at));
        of_it.then_some(Denial::FamilyPosition)
    }

    /// `iat` is in whole seconds; a token that does not say when it was issued may well be older.
    fn overflowed(&self, access: &VerifiedAccess) -> bool {
        self.overflow.is_some_and(|(before, _)| {
            access.issued_at().is_none_or(|at| at.as_seconds() <= before.as_seconds())
        })
    }

    /// One line in the place of all entries.
    fn fold(&mut self, now: Timestamp) {
        let moot =
            self.sessions.values().chain(self.family_positions.values().map(|(_, moot)| moot));
        let moot = moot.chain(self.subjects.values().map(|(_, moot)| moot)).max().copied();
        let earlier = self.overflow.map(|(_, moot)| moot);
        *self = Self { overflow: moot.max(earlier).map(|moot| (now, moot)), ..Self::default() };
        tracing::warn!(target: "regrant::auth", "the list of revoked access tokens is full: all tokens from before now are to be refreshed");
    }

    fn prune(&mut self, now: Timestamp) {
        self.sessions.retain(|_, until| now < *until);
        self.family_positions.retain(|_, (_, until)| now < *until);
        self.subjects.retain(|_, (_, until)| now < *until);
        self.overflow = self.overflow.filter(|(_, until)| now < *until);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::access::{AccessGrant, AccessIssuer, AccessPolicy, AccessVerifier};
    use crate::keys::{Algorithm, Key, Keyring, ShortSecret};
    use crate::types::{Clock, ManualClock, SecretBytes};

    #[test]
    fn a_full_list_asks_everybody_to_refresh_once() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let secret = SecretBytes::new("an access secret of at least 32 bytes");
        let key = Key::hmac(Algorithm::HS256, &secret, ShortSecret::Refuse).unwrap();
        let (ring, policy) = (Keyring::single(key), AccessPolicy::default());
        let shown = || Arc::clone(&clock) as Arc<dyn Clock>;
        let issuer = AccessIssuer::new(ring.clone(), policy.clone(), shown()).unwrap();
        let verifier = AccessVerifier::new(ring, policy, shown()).unwrap();
        let access = || {
            let mut grant = AccessGrant::new(Subject::new("alice").unwrap());
            grant.session = Some(SessionId::from_bytes([9; 16]));
            verifier.verify(issuer.issue(&grant).unwrap().token.expose()).unwrap()
        };
        let list = DenyList::default();
        let until = clock.now().plus(Duration::from_secs(900));
        let early = access();
        for number in 0..DenyList::MOST {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let what = RevocationTarget::Session { sid: SessionId::from_bytes(id) };
            list.refuse(&Revocation { what, until }, clock.now());
        }
        assert_eq!((list.len(), list.check(&early)), (DenyList::MOST, None));
        let what = RevocationTarget::Session { sid: SessionId::from_bytes([8; 16]) };
        list.refuse(&Revocation { what, until }, clock.now());
        assert_eq!((list.len(), list.check(&early)), (2, Some(Denial::Overflow)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(list.check(&access()), None);
    }
}
