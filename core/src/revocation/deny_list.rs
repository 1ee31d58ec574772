//! The deny list: the access tokens that this process rejects before their `exp`.
//!
//! A check costs no I/O. Entries are dropped once every token that they deny has expired, so the
//! size is bounded by the lifetime of access tokens, and by [`DenyList::MAX_ENTRIES`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

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
    /// Its user logged out everywhere after it was issued, or revoked very many sessions. Whether its
    /// session is revoked is not known: the client must refresh, which asks the store.
    UserCutoff,
    /// It was issued before the list or the feed overflowed. Whether it is revoked is not known: the
    /// client must refresh, which asks the store.
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
    sessions: HashMap<SessionId, Entry>,
    children: HashMap<(SessionId, FamilyPosition), (DiscardedChild, Entry)>,
    users: HashMap<Subject, UserEntries>,
    /// The number of sessions in `users`.
    user_sessions: usize,
    /// Set on overflow: all tokens issued up to its instant are denied.
    cutoff: Option<Cutoff>,
    /// The number of entries at which expired ones are looked for.
    prune_at: usize,
}

/// What is denied by the user.
#[derive(Debug, Default)]
struct UserEntries {
    /// The user's tokens that name no session.
    nameless: Option<Cutoff>,
    /// All tokens of the user.
    all: Option<Cutoff>,
    /// All tokens of the user except those of this session.
    others: Option<(SessionId, Cutoff)>,
    /// Sessions that the store does not know.
    sessions: HashMap<SessionId, Entry>,
}

/// When an entry is no longer needed, in milliseconds, and in the lowest bit whether the feed has the
/// entry: packed, because a list may have a million of them.
#[derive(Clone, Copy, Debug)]
struct Entry(i64);

impl Entry {
    fn new(expires_at: Timestamp, published: bool) -> Self {
        Self((expires_at.as_millis() << 1) | i64::from(published))
    }

    fn expires_at(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> 1)
    }

    const fn is_published(self) -> bool {
        self.0 & 1 == 1
    }

    fn merge(&mut self, other: Self) {
        let expires_at = self.expires_at().max(other.expires_at());
        *self = Self::new(expires_at, self.is_published() || other.is_published());
    }
}

/// Denies tokens by the time of issue.
#[derive(Clone, Copy, Debug)]
struct Cutoff {
    /// Tokens issued up to this instant are denied.
    issued_until: Timestamp,
    /// When the entry is no longer needed.
    expires_at: Timestamp,
    /// The latest instant that the feed has.
    published_until: Option<Timestamp>,
}

impl Cutoff {
    fn merge(this: &mut Option<Self>, other: Self) {
        let present = this.get_or_insert(other);
        present.issued_until = present.issued_until.max(other.issued_until);
        present.expires_at = present.expires_at.max(other.expires_at);
        present.published_until = present.published_until.max(other.published_until);
    }

    /// `iat` is in whole seconds, so instants are compared by their seconds.
    fn covers(&self, token: &TokenIdentity<'_>) -> bool {
        let last = self.issued_until.as_seconds();
        token.issued_at.is_none_or(|issued_at| issued_at.as_seconds() <= last)
    }

    /// Whether the feed has this instant, or one that is less than `interval` earlier.
    fn was_published(&self, issued_until: Timestamp, interval: Duration) -> bool {
        self.published_until.is_some_and(|published| {
            issued_until.as_seconds() <= published.as_seconds()
                || issued_until < published.plus(interval)
        })
    }
}

impl UserEntries {
    fn check(&self, token: &TokenIdentity<'_>) -> Option<Denial> {
        let covers = |cutoff: &Option<Cutoff>| cutoff.is_some_and(|cutoff| cutoff.covers(token));
        let by_time = || match &self.others {
            Some((except, cutoff)) => token.session != Some(*except) && cutoff.covers(token),
            None => false,
        };
        match token.session {
            Some(session) if self.sessions.contains_key(&session) => Some(Denial::Session),
            None if covers(&self.nameless) => Some(Denial::Subject),
            _ if covers(&self.all) || by_time() => Some(Denial::UserCutoff),
            _ => None,
        }
    }

    /// Two sessions cannot both be excepted: what denies either is kept for both, up to the earlier
    /// instant. At worst a client refreshes once more.
    fn merge_others(&mut self, except: SessionId, cutoff: Cutoff) {
        match &mut self.others {
            Some((session, present)) if *session == except => {
                let mut merged = Some(*present);
                Cutoff::merge(&mut merged, cutoff);
                *present = merged.unwrap_or(cutoff);
            }
            Some((session, present)) => {
                let issued_until = present.issued_until.min(cutoff.issued_until);
                let expires_at = present.expires_at.max(cutoff.expires_at);
                let both = Cutoff { issued_until, expires_at, published_until: None };
                Cutoff::merge(&mut self.all, both);
                if present.issued_until <= cutoff.issued_until {
                    (*session, *present) = (except, cutoff);
                }
            }
            None => self.others = Some((except, cutoff)),
        }
    }

    /// Sessions that the store does not know cost a client nothing but their ids. Beyond
    /// [`MAX_USER_SESSIONS`] they are replaced by a cut-off time, so that no user fills the list for all.
    fn deny_session(&mut self, session: SessionId, entry: Entry, now: Timestamp) {
        if self.sessions.len() >= MAX_USER_SESSIONS && !self.sessions.contains_key(&session) {
            let ends = self.sessions.values().map(|entry| entry.expires_at());
            let expires_at = ends.max().unwrap_or(now);
            let cutoff = Cutoff { issued_until: now, expires_at, published_until: None };
            Cutoff::merge(&mut self.all, cutoff);
            self.sessions.clear();
        }
        self.sessions.entry(session).or_insert(entry).merge(entry);
    }

    fn prune(&mut self, now: Timestamp) {
        self.nameless = self.nameless.filter(|cutoff| now < cutoff.expires_at);
        self.all = self.all.filter(|cutoff| now < cutoff.expires_at);
        self.others = self.others.filter(|(_, cutoff)| now < cutoff.expires_at);
        self.sessions.retain(|_, entry| now < entry.expires_at());
    }

    fn is_empty(&self) -> bool {
        self.nameless.is_none()
            && self.all.is_none()
            && self.others.is_none()
            && self.sessions.is_empty()
    }

    fn cutoffs(&self) -> impl Iterator<Item = Cutoff> + '_ {
        let others = self.others.map(|(_, cutoff)| cutoff);
        [self.nameless, self.all, others].into_iter().flatten()
    }
}

/// How many sessions that the store does not know are denied of one user, one by one.
const MAX_USER_SESSIONS: usize = 1_000;

impl DenyList {
    /// Upper bound (about 53 MB). On overflow the list collapses into one cut-off time: every token
    /// issued before it is rejected as expired, so each client refreshes once and the store finds
    /// out who was revoked.
    pub const MAX_ENTRIES: usize = 1_000_000;

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
        let users = self.users.len() + self.user_sessions;
        self.sessions.len() + self.children.len() + users + cutoff
    }

    /// Whether all tokens of `target` are denied by an entry of the same kind.
    fn denies(&self, target: &RevocationTarget) -> bool {
        let covers = |cutoff: Option<Cutoff>, issued_until: &Timestamp| {
            cutoff.is_some_and(|cutoff| *issued_until <= cutoff.issued_until)
        };
        let user = |subject: &Subject| self.users.get(subject);
        match target {
            RevocationTarget::Session { session } => self.sessions.contains_key(session),
            RevocationTarget::Child { session, child } => {
                self.children.contains_key(&(*session, child.family_position))
            }
            RevocationTarget::Subject { subject, issued_until } => {
                covers(user(subject).and_then(|user| user.nameless), issued_until)
            }
            RevocationTarget::UserSession { subject, session } => {
                user(subject).is_some_and(|user| user.sessions.contains_key(session))
            }
            RevocationTarget::UserCutoff { subject, issued_until, except } => user(subject)
                .is_some_and(|user| {
                    let others = user.others.filter(|(session, _)| Some(*session) == *except);
                    covers(user.all, issued_until)
                        || covers(others.map(|(_, cutoff)| cutoff), issued_until)
                }),
            RevocationTarget::Cutoff { issued_until } => covers(self.cutoff, issued_until),
        }
    }

    fn check(&self, token: &TokenIdentity<'_>) -> Option<Denial> {
        let by_session = token.session.and_then(|session| self.check_session(session, token));
        let by_user = || self.users.get(token.subject).and_then(|user| user.check(token));
        let by_time = || self.cutoff.filter(|cutoff| cutoff.covers(token));
        by_session.or_else(by_user).or_else(|| by_time().map(|_| Denial::Overflow))
    }

    /// The latest cut-off time that applies to tokens of this session.
    fn last_cutoff(&self, subject: &Subject, session: Option<SessionId>) -> Option<Timestamp> {
        let user = self.users.get(subject);
        let others = user.and_then(|user| user.others);
        let others = others.filter(|(except, _)| session != Some(*except));
        let all = user.and_then(|user| user.all);
        let cutoffs = all.into_iter().chain(others.map(|(_, cutoff)| cutoff)).chain(self.cutoff);
        cutoffs.map(|cutoff| cutoff.issued_until).max()
    }

    /// Moves cut-off times that are later than `latest` to `latest`.
    fn set_back(&mut self, latest: Timestamp) {
        let of_users = self.users.values_mut().flat_map(|user| {
            let others = user.others.as_mut().map(|(_, cutoff)| cutoff);
            user.nameless.as_mut().into_iter().chain(user.all.as_mut()).chain(others)
        });
        for cutoff in of_users.chain(self.cutoff.as_mut()) {
            cutoff.issued_until = cutoff.issued_until.min(latest);
        }
    }

    fn check_session(&self, session: SessionId, token: &TokenIdentity<'_>) -> Option<Denial> {
        if self.sessions.contains_key(&session) {
            return Some(Denial::Session);
        }
        let family_position = token.family_position?;
        let (child, _) = self.children.get(&(session, family_position))?;
        let is_of_child = token
            .issued_at
            .is_none_or(|issued_at| child.was_issued_with(family_position, issued_at));
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
        self.sessions.retain(|_, entry| now < entry.expires_at());
        self.children.retain(|_, (_, entry)| now < entry.expires_at());
        self.users.retain(|_, user| {
            user.prune(now);
            !user.is_empty()
        });
        self.user_sessions = self.users.values().map(|user| user.sessions.len()).sum();
        self.cutoff = self.cutoff.filter(|cutoff| now < cutoff.expires_at);
    }

    fn collapse(&mut self, now: Timestamp) {
        let sessions = self.sessions.values().map(|entry| entry.expires_at());
        let children = self.children.values().map(|(_, entry)| entry.expires_at());
        let users = self.users.values().flat_map(|user| {
            let sessions = user.sessions.values().map(|entry| entry.expires_at());
            sessions.chain(user.cutoffs().map(|cutoff| cutoff.expires_at))
        });
        let earlier = self.cutoff.iter().map(|cutoff| cutoff.expires_at);
        let last = sessions.chain(children).chain(users).chain(earlier).max();
        let cutoff =
            last.map(|expires_at| Cutoff { issued_until: now, expires_at, published_until: None });
        *self = Self { cutoff, ..Self::default() };
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
