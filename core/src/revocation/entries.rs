//! The entries of the deny list: what each denies, and how they are merged, bounded and dropped.

use std::collections::HashMap;
use std::time::Duration;

use super::RevocationTarget;
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
    /// The token names no session, and its user logged out everywhere after it was issued.
    Subject,
    /// Its user logged out everywhere after it was issued, or revoked very many sessions. Whether its
    /// session is revoked is not known: the client must refresh, which asks the store.
    UserCutoff,
    /// It was issued before the list or the feed overflowed. Whether it is revoked is not known: the
    /// client must refresh, which asks the store.
    Overflow,
}

/// Upper bound of all entries.
pub(super) const MAX_ENTRIES: usize = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) sessions: HashMap<SessionId, Entry>,
    pub(super) children: HashMap<(SessionId, FamilyPosition), (DiscardedChild, Entry)>,
    pub(super) users: HashMap<Subject, UserEntries>,
    /// The number of sessions in `users`.
    pub(super) user_sessions: usize,
    /// Set on overflow: all tokens issued up to its instant are denied.
    pub(super) cutoff: Option<Cutoff>,
    /// The number of entries at which expired ones are looked for.
    pub(super) prune_at: usize,
}

/// What is denied by the user.
#[derive(Debug, Default)]
pub(super) struct UserEntries {
    /// The user's tokens that name no session.
    pub(super) nameless: Option<Cutoff>,
    /// All tokens of the user.
    pub(super) all: Option<Cutoff>,
    /// All tokens of the user except those of this session.
    pub(super) others: Option<(SessionId, Cutoff)>,
    /// Sessions that the store does not know.
    pub(super) sessions: HashMap<SessionId, Entry>,
}

/// When an entry is no longer needed, in milliseconds, and in the lowest bit whether the feed has the
/// entry: packed, because a list may have a million of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(i64);

impl Entry {
    pub(super) fn new(expires_at: Timestamp, published: bool) -> Self {
        Self((expires_at.as_millis() << 1) | i64::from(published))
    }

    pub(super) fn expires_at(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> 1)
    }

    pub(super) const fn is_published(self) -> bool {
        self.0 & 1 == 1
    }

    pub(super) fn merge(&mut self, other: Self) {
        let expires_at = self.expires_at().max(other.expires_at());
        *self = Self::new(expires_at, self.is_published() || other.is_published());
    }
}

/// Denies tokens by the time of issue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cutoff {
    /// Tokens issued up to this instant are denied.
    pub(super) issued_until: Timestamp,
    /// When the entry is no longer needed.
    pub(super) expires_at: Timestamp,
    /// The latest instant that the feed has.
    pub(super) published_until: Option<Timestamp>,
}

impl Cutoff {
    pub(super) fn merge(this: &mut Option<Self>, other: Self) {
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
    pub(super) fn was_published(&self, issued_until: Timestamp, interval: Duration) -> bool {
        self.published_until.is_some_and(|published| {
            issued_until.as_seconds() <= published.as_seconds()
                || issued_until < published.plus(interval)
        })
    }
}

impl UserEntries {
    pub(super) fn check(&self, token: &TokenIdentity<'_>) -> Option<Denial> {
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
    pub(super) fn merge_others(&mut self, except: SessionId, cutoff: Cutoff) {
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
    pub(super) fn deny_session(&mut self, session: SessionId, entry: Entry, now: Timestamp) {
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

    pub(super) fn is_empty(&self) -> bool {
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

/// How many sessions of one user are denied one by one although the store does not know them, at most.
pub(super) const MAX_USER_SESSIONS: usize = 1_000;

impl Entries {
    pub(super) fn len(&self) -> usize {
        let cutoff = usize::from(self.cutoff.is_some());
        let users = self.users.len() + self.user_sessions;
        self.sessions.len() + self.children.len() + users + cutoff
    }

    /// Whether all tokens of `target` are denied by an entry of the same kind.
    pub(super) fn denies(&self, target: &RevocationTarget) -> bool {
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

    pub(super) fn check(&self, token: &TokenIdentity<'_>) -> Option<Denial> {
        let by_session = token.session.and_then(|session| self.check_session(session, token));
        let by_user = || self.users.get(token.subject).and_then(|user| user.check(token));
        let by_time = || self.cutoff.filter(|cutoff| cutoff.covers(token));
        by_session.or_else(by_user).or_else(|| by_time().map(|_| Denial::Overflow))
    }

    /// The latest cut-off time that applies to tokens of this session.
    pub(super) fn last_cutoff(
        &self,
        subject: &Subject,
        session: Option<SessionId>,
    ) -> Option<Timestamp> {
        let user = self.users.get(subject);
        let others = user.and_then(|user| user.others);
        let others = others.filter(|(except, _)| session != Some(*except));
        let all = user.and_then(|user| user.all);
        let nameless = user.filter(|_| session.is_none()).and_then(|user| user.nameless);
        let of_user = all.into_iter().chain(others.map(|(_, cutoff)| cutoff)).chain(nameless);
        let cutoffs = of_user.chain(self.cutoff);
        cutoffs.map(|cutoff| cutoff.issued_until).max()
    }

    /// Moves cut-off times that are later than `latest` to `latest`.
    pub(super) fn set_back(&mut self, latest: Timestamp) {
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
    pub(super) fn make_room(&mut self, now: Timestamp) {
        if self.len() < self.prune_at {
            return;
        }
        self.prune(now);
        if self.len() >= MAX_ENTRIES {
            self.collapse(now);
        }
        self.prune_at = (self.len() * 2).clamp(1024, MAX_ENTRIES);
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
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
