//! The deny list: the access tokens that this process rejects before their `exp`.
//!
//! A check costs no I/O. Entries are dropped within [`PRUNE_INTERVAL`] once every token that they deny has
//! expired, so the size is bounded by the lifetime of access tokens, and by [`DenyList::MAX_ENTRIES`].

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::entries::{Cutoff, Denial, Entries, Entry, MAX_ENTRIES, TokenIdentity, UserEntries};
use super::{Revocation, RevocationTarget};
use crate::types::{SessionId, Subject, Timestamp};

/// Revoked access tokens in memory.
#[derive(Debug, Default)]
pub struct DenyList {
    entries: RwLock<Entries>,
    /// The number of entries. While it is zero, checks take no lock.
    count: AtomicUsize,
    /// When expired entries were dropped, in milliseconds since 1970.
    pruned_at: AtomicI64,
}

/// How often [`DenyList::prune`] drops expired entries.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

impl DenyList {
    /// Upper bound: about 53 MB if all are sessions, some 400 MB if all are users. On overflow the list
    /// collapses into one cut-off time: every token issued before it is rejected as expired, so each client
    /// refreshes once and the store finds out who was revoked.
    pub const MAX_ENTRIES: usize = MAX_ENTRIES;

    /// A cut-off time of a user that moves by less than this is not published again.
    pub(crate) const REPEAT_INTERVAL: Duration = Duration::from_secs(10);

    /// How far a cut-off time may be ahead of this process's clock. One that is further ahead comes
    /// from a clock that was wrong and would deny tokens that are yet to be issued.
    const MAX_AHEAD: Duration = Duration::from_secs(60);

    /// Denies the tokens of `revocation`. Idempotent. Returns whether it denies more than before.
    pub fn deny(&self, revocation: &Revocation, now: Timestamp) -> bool {
        self.insert(revocation, now, false)
    }

    /// Denies the tokens of a revocation that the feed has. Returns whether it denies more than before.
    pub(crate) fn deny_published(&self, revocation: &Revocation, now: Timestamp) -> bool {
        self.insert(revocation, now, true)
    }

    fn insert(&self, revocation: &Revocation, now: Timestamp, published: bool) -> bool {
        let expires_at = revocation.expires_at;
        if expires_at <= now {
            return false;
        }
        let entry = Entry::new(expires_at, published);
        let latest = now.plus(Self::MAX_AHEAD);
        let cutoff = |issued_until: Timestamp| {
            let issued_until = issued_until.min(latest);
            let published_until = published.then_some(issued_until);
            Cutoff { issued_until, expires_at, published_until }
        };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = !entries.denies(&revocation.target);
        entries.make_room(now);
        match &revocation.target {
            RevocationTarget::Session { session } => {
                entries.sessions.entry(*session).or_insert(entry).merge(entry);
            }
            RevocationTarget::Child { session, child } => {
                let key = (*session, child.family_position);
                let (latest, present) = entries.children.entry(key).or_insert((*child, entry));
                latest.issued_until = latest.issued_until.max(child.issued_until);
                present.merge(entry);
            }
            RevocationTarget::Subject { subject, issued_until } => {
                let user = entries.users.entry(subject.clone()).or_default();
                Cutoff::merge(&mut user.nameless, cutoff(*issued_until));
            }
            RevocationTarget::UserSession { subject, session } => {
                let user = entries.users.entry(subject.clone()).or_default();
                let before = user.sessions.len();
                user.deny_session(*session, entry, now);
                let after = user.sessions.len();
                entries.user_sessions = entries.user_sessions + after - before;
            }
            RevocationTarget::UserCutoff { subject, issued_until, except } => {
                let user = entries.users.entry(subject.clone()).or_default();
                match except {
                    Some(session) => user.merge_others(*session, cutoff(*issued_until)),
                    None => Cutoff::merge(&mut user.all, cutoff(*issued_until)),
                }
            }
            RevocationTarget::Cutoff { issued_until } => {
                Cutoff::merge(&mut entries.cutoff, cutoff(*issued_until));
            }
        }
        self.count.store(entries.len(), Ordering::Release);
        is_new
    }

    /// Whether the feed has this revocation, so that publishing it again would tell nothing new. Of a
    /// cut-off time, one that is less than `interval` earlier counts too.
    pub(crate) fn is_published(&self, target: &RevocationTarget, interval: Duration) -> bool {
        if self.is_empty() {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let user = |subject: &Subject| entries.users.get(subject);
        match target {
            RevocationTarget::Session { session } => {
                entries.sessions.get(session).is_some_and(|entry| entry.is_published())
            }
            RevocationTarget::UserSession { subject, session } => user(subject)
                .and_then(|user| user.sessions.get(session))
                .is_some_and(|entry| entry.is_published()),
            RevocationTarget::Subject { subject, issued_until } => user(subject)
                .and_then(|user| user.nameless)
                .is_some_and(|cutoff| cutoff.was_published(*issued_until, interval)),
            RevocationTarget::UserCutoff { subject, issued_until, except } => user(subject)
                .is_some_and(|user| {
                    let others = user.others.filter(|(session, _)| Some(*session) == *except);
                    let cutoffs = user.all.into_iter().chain(others.map(|(_, cutoff)| cutoff));
                    cutoffs.into_iter().any(|cutoff| cutoff.was_published(*issued_until, interval))
                }),
            // Each is new.
            RevocationTarget::Child { .. } | RevocationTarget::Cutoff { .. } => false,
        }
    }

    /// Whether a verified access token is denied, and why.
    pub fn check<'a>(&self, token: impl Into<TokenIdentity<'a>>) -> Option<Denial> {
        if self.is_empty() {
            return None;
        }
        self.entries.read().unwrap_or_else(PoisonError::into_inner).check(&token.into())
    }

    /// Whether a session is known to be revoked.
    pub fn is_revoked(&self, subject: &Subject, session: &SessionId) -> bool {
        if self.is_empty() {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let of_user = |user: &UserEntries| user.sessions.contains_key(session);
        entries.sessions.contains_key(session) || entries.users.get(subject).is_some_and(of_user)
    }

    /// The earliest `iat` of a token of this session that no cut-off time denies, if the list has a
    /// cut-off time for it. A client that was told to refresh would otherwise be told so again
    /// within the same second.
    pub(crate) fn earliest_issue(
        &self,
        subject: &Subject,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.is_empty() {
            return None;
        }
        let last = {
            let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
            entries.last_cutoff(subject, session)?
        };
        let latest = now.plus(Self::MAX_AHEAD);
        if last > latest {
            // This process's clock was ahead when it set the cut-off time.
            self.entries.write().unwrap_or_else(PoisonError::into_inner).set_back(latest);
        }
        Some(Timestamp::from_seconds(last.min(latest).as_seconds().saturating_add(1)))
    }

    /// Drops expired entries, once in a while: they would deny tokens without `iat` for ever.
    pub(crate) fn prune(&self, now: Timestamp) {
        let pruned_at = Timestamp::from_millis(self.pruned_at.load(Ordering::Relaxed));
        // Also after the clock was set back.
        let is_due = pruned_at.plus(PRUNE_INTERVAL) <= now || now < pruned_at;
        if self.is_empty() || !is_due {
            return;
        }
        self.pruned_at.store(now.as_millis(), Ordering::Relaxed);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.prune(now);
        self.count.store(entries.len(), Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::super::entries::MAX_USER_SESSIONS;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn session(number: usize) -> RevocationTarget {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        RevocationTarget::Session { session: SessionId::from_bytes(id) }
    }

    /// A legacy token without `iat` is denied by any cut-off time of its user.
    #[test]
    fn expired_entries_are_dropped_without_new_ones() {
        let subject = Subject::new("alice").unwrap();
        let token = TokenIdentity {
            subject: &subject,
            session: None,
            family_position: None,
            issued_at: None,
        };
        let list = DenyList::default();
        let all = RevocationTarget::UserCutoff {
            subject: subject.clone(),
            issued_until: at(0),
            except: None,
        };
        list.deny(&Revocation::new(all, at(900)), at(0));
        list.prune(at(899));
        assert!(list.check(token).is_some());
        list.prune(at(959));
        assert_eq!((list.check(token), list.len()), (None, 0));
        // The clock was set back.
        list.deny(&Revocation::new(session(1), at(500)), at(0));
        list.prune(at(500));
        assert!(list.is_empty());
    }

    #[test]
    fn a_token_without_a_session_is_issued_after_all_cutoffs_that_deny_it() {
        let subject = Subject::new("alice").unwrap();
        let list = DenyList::default();
        let target = RevocationTarget::Subject { subject: subject.clone(), issued_until: at(7) };
        list.deny(&Revocation::new(target, at(900)), at(7));
        assert_eq!(list.earliest_issue(&subject, None, at(7)), Some(at(8)));
        let session = Some(SessionId::from_bytes([1; 16]));
        assert_eq!(list.earliest_issue(&subject, session, at(7)), None);
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
        let deny = |target| list.deny(&Revocation::new(target, at(900)), at(0));
        for number in 0..DenyList::MAX_ENTRIES {
            deny(session(number));
        }
        assert_eq!((list.len(), list.check(issued(0))), (DenyList::MAX_ENTRIES, None));
        deny(session(DenyList::MAX_ENTRIES));
        assert_eq!((list.len(), list.check(issued(0))), (2, Some(Denial::Overflow)));
        assert_eq!(list.check(issued(1)), None);
    }

    #[test]
    fn a_cutoff_of_a_user_spares_the_excepted_session_and_later_tokens() {
        let (alice, bob) = (Subject::new("alice").unwrap(), Subject::new("bob").unwrap());
        let [here, there] = [1, 2].map(|id| SessionId::from_bytes([id; 16]));
        let token = |subject, session, seconds| TokenIdentity {
            subject,
            session,
            family_position: None,
            issued_at: Some(at(seconds)),
        };
        let list = DenyList::default();
        let deny = |except, seconds| {
            let target = RevocationTarget::UserCutoff {
                subject: alice.clone(),
                issued_until: at(seconds),
                except,
            };
            list.deny(&Revocation::new(target, at(900)), at(0));
        };
        deny(Some(here), 5);
        assert_eq!(list.check(token(&alice, Some(there), 5)), Some(Denial::UserCutoff));
        assert_eq!(list.check(token(&alice, None, 5)), Some(Denial::UserCutoff));
        assert_eq!(list.check(token(&alice, Some(there), 6)), None);
        assert_eq!(list.check(token(&alice, Some(here), 5)), None);
        assert_eq!(list.check(token(&bob, Some(there), 5)), None);
        assert_eq!(list.earliest_issue(&alice, Some(there), at(0)), Some(at(6)));
        assert_eq!(list.earliest_issue(&alice, Some(here), at(0)), None);
        // Another exception does not lift the earlier denial of its session.
        deny(Some(there), 8);
        assert_eq!(list.check(token(&alice, Some(there), 5)), Some(Denial::UserCutoff));
        assert_eq!(list.check(token(&alice, Some(there), 8)), None);
        assert_eq!(list.check(token(&alice, Some(here), 8)), Some(Denial::UserCutoff));
        deny(None, 9);
        assert_eq!(list.check(token(&alice, Some(there), 9)), Some(Denial::UserCutoff));
    }

    #[test]
    fn a_cutoff_by_a_clock_that_was_ahead_does_not_deny_later_tokens() {
        const DAYS: i64 = 100 * 86_400;
        let alice = Subject::new("alice").unwrap();
        let token = |seconds| TokenIdentity {
            subject: &alice,
            session: Some(SessionId::from_bytes([1; 16])),
            family_position: None,
            issued_at: Some(at(seconds)),
        };
        let target = |seconds| RevocationTarget::UserCutoff {
            subject: alice.clone(),
            issued_until: at(seconds),
            except: None,
        };
        let expires_at = at(DAYS + 900);
        // The clock of another process is ahead.
        let list = DenyList::default();
        list.deny_published(&Revocation::new(target(DAYS), expires_at), at(0));
        assert_eq!(list.check(token(0)), Some(Denial::UserCutoff));
        assert_eq!(list.check(token(61)), None);
        // The clock of this process was ahead.
        let list = DenyList::default();
        list.deny(&Revocation::new(target(DAYS), expires_at), at(DAYS));
        assert_eq!(list.check(token(0)), Some(Denial::UserCutoff));
        let session = Some(SessionId::from_bytes([1; 16]));
        assert_eq!(list.earliest_issue(&alice, session, at(0)), Some(at(61)));
        assert_eq!(list.check(token(61)), None);
    }

    #[test]
    fn one_user_does_not_fill_the_list_with_sessions_that_do_not_exist() {
        let [alice, mallory] = ["alice", "mallory"].map(|user| Subject::new(user).unwrap());
        let list = DenyList::default();
        let id = |number: u32| SessionId::from_bytes(u128::from(number).to_be_bytes());
        for number in 0..1_500_000 {
            let (subject, session) = (mallory.clone(), id(number));
            let target = RevocationTarget::UserSession { subject, session };
            list.deny(&Revocation::new(target, at(900)), at(0));
        }
        assert!(list.len() <= MAX_USER_SESSIONS + 2, "{}", list.len());
        let token = |subject, session, seconds| TokenIdentity {
            subject,
            session: Some(session),
            family_position: None,
            issued_at: Some(at(seconds)),
        };
        // All of them are still denied, and nobody else notices.
        assert_eq!(list.check(token(&mallory, id(1_499_999), 0)), Some(Denial::Session));
        assert_eq!(list.check(token(&mallory, id(0), 0)), Some(Denial::UserCutoff));
        assert_eq!(list.check(token(&mallory, id(0), 1)), None);
        assert_eq!(list.check(token(&alice, id(0), 0)), None);
    }

    #[test]
    fn a_session_that_the_store_does_not_know_is_denied_for_its_user_only() {
        let (alice, bob) = (Subject::new("alice").unwrap(), Subject::new("bob").unwrap());
        let id = SessionId::from_bytes([1; 16]);
        let list = DenyList::default();
        let target = RevocationTarget::UserSession { subject: bob.clone(), session: id };
        list.deny(&Revocation::new(target.clone(), at(900)), at(0));
        let token = |subject| TokenIdentity {
            subject,
            session: Some(id),
            family_position: None,
            issued_at: None,
        };
        assert_eq!(list.check(token(&alice)), None);
        assert_eq!(list.check(token(&bob)), Some(Denial::Session));
        assert!(list.is_revoked(&bob, &id) && !list.is_revoked(&alice, &id));
        assert_eq!(list.len(), 2);
        // Published once, it stays so.
        assert!(!list.is_published(&target, Duration::ZERO));
        let revocation = Revocation::new(target.clone(), at(900));
        list.deny_published(&revocation, at(0));
        list.deny(&revocation, at(0));
        assert!(list.is_published(&target, Duration::ZERO));
    }
}
