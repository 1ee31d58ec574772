//! Revocations that could not be stored or published, or whose caller has gone. They are retried until they are, or until
//! the process ends: a user who logs out while the store is unavailable may never try again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::session::ClientDetails;
use crate::store::SessionFilter;
use crate::types::{RevocationReason, SessionId, Subject};

/// A revocation as it was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RevocationRequest {
    Session {
        subject: Subject,
        session: SessionId,
        reason: RevocationReason,
        client: Option<ClientDetails>,
    },
    Everywhere {
        subject: Subject,
        which: SessionFilter,
        reason: RevocationReason,
        client: Option<ClientDetails>,
    },
    /// The access tokens that the user has, whose claims are out of date.
    AccessTokens { subject: Subject },
}

/// What a request revokes of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Selection {
    One(SessionId),
    AllBut(Option<SessionId>),
    AccessTokens,
}

impl RevocationRequest {
    const fn subject(&self) -> &Subject {
        match self {
            Self::Session { subject, .. }
            | Self::Everywhere { subject, .. }
            | Self::AccessTokens { subject } => subject,
        }
    }

    const fn selection(&self) -> Selection {
        match self {
            Self::Session { session, .. } => Selection::One(*session),
            Self::Everywhere { which, .. } => Selection::AllBut(which.except),
            Self::AccessTokens { .. } => Selection::AccessTokens,
        }
    }

    /// Keeps the one of two requests for the same selection that revokes more. Of one session the
    /// first reason stays, as in the store.
    fn merge(&mut self, other: Self) {
        if let (Self::Everywhere { which, .. }, Self::Everywhere { which: later, .. }) =
            (&*self, &other)
            && which.created_before < later.created_before
        {
            *self = other;
        }
    }
}

/// The revocations to repeat.
#[derive(Debug)]
pub(super) struct UnfinishedRevocations {
    requests: Mutex<Requests>,
    wake: mpsc::Sender<()>,
}

#[derive(Debug, Default)]
struct Requests {
    by_user: HashMap<Subject, HashMap<Selection, RevocationRequest>>,
    count: usize,
    /// Whether one was refused since the last time that none was left.
    is_over_limit: bool,
}

/// Upper bound of [`UnfinishedRevocations`]. Further ones are not repeated.
const MAX_UNFINISHED: usize = 10_000;

/// As [`MAX_UNFINISHED`], of one user.
const MAX_OF_USER: usize = 100;

impl UnfinishedRevocations {
    /// None yet, and what tells a task to repeat them.
    pub(super) fn new() -> (Self, mpsc::Receiver<()>) {
        let (wake, woken) = mpsc::channel(1);
        (Self { requests: Mutex::default(), wake }, woken)
    }

    /// A revocation begins that must be finished. A server drops the work for a client that disconnects, at any await: the
    /// requests are repeated unless [`Unfinished::done`] is called.
    pub(super) fn begin(
        &self,
        requests: impl IntoIterator<Item = RevocationRequest>,
    ) -> Unfinished<'_> {
        Unfinished { all: self, requests: requests.into_iter().collect() }
    }

    fn add(&self, request: RevocationRequest) {
        // Without a task, as for operators, nothing is repeated.
        if self.wake.is_closed() {
            return;
        }
        let mut guard = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = &mut *guard;
        let (subject, selection) = (request.subject().clone(), request.selection());
        let of_user = requests.by_user.get_mut(&subject);
        let count_of_user = of_user.as_ref().map_or(0, |of_user| of_user.len());
        if let Some(present) = of_user.and_then(|of_user| of_user.get_mut(&selection)) {
            present.merge(request);
            return;
        }
        if requests.count >= MAX_UNFINISHED || count_of_user >= MAX_OF_USER {
            if !requests.is_over_limit {
                tracing::warn!(target: "regrant::store", "too many pending revocations; some will not be retried");
            }
            requests.is_over_limit = true;
            return;
        }
        if requests.count == 0 {
            tracing::warn!(target: "regrant::store", "a revocation was not completed; it will be retried");
        }
        requests.by_user.entry(subject).or_default().insert(selection, request);
        requests.count += 1;
        // A full channel has woken the task already.
        let _ = self.wake.try_send(());
    }

    /// Those to repeat, in an order that stays the same while none is added or removed.
    pub(super) fn all(&self) -> Vec<RevocationRequest> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.by_user.values().flat_map(HashMap::values).cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).count == 0
    }

    /// Removes a request, unless it was extended meanwhile.
    pub(super) fn remove(&self, done: &RevocationRequest) {
        let mut guard = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = &mut *guard;
        let Some(of_user) = requests.by_user.get_mut(done.subject()) else { return };
        if of_user.get(&done.selection()) != Some(done) {
            return;
        }
        of_user.remove(&done.selection());
        if of_user.is_empty() {
            requests.by_user.remove(done.subject());
        }
        requests.count -= 1;
        if requests.count == 0 {
            requests.is_over_limit = false;
            tracing::info!(target: "regrant::store", "the pending revocations are complete");
        }
    }
}

/// Revocations in progress.
#[must_use]
#[derive(Debug)]
pub(super) struct Unfinished<'a> {
    all: &'a UnfinishedRevocations,
    requests: Vec<RevocationRequest>,
}

impl Unfinished<'_> {
    /// They are stored and published, or never will be.
    pub(super) fn done(mut self) {
        self.requests.clear();
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        for request in self.requests.drain(..) {
            self.all.add(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_does_not_displace_the_revocations_of_others() {
        let (unfinished, _woken) = UnfinishedRevocations::new();
        let request = |user: &str, number: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            let (subject, session) = (Subject::new(user).unwrap(), SessionId::from_bytes(id));
            let (reason, client) = (RevocationReason::Logout, None);
            RevocationRequest::Session { subject, session, reason, client }
        };
        for number in 0..20_000 {
            unfinished.add(request("mallory", number));
        }
        for user in 0..20_000 {
            unfinished.add(request(&format!("user-{user}"), 0));
        }
        let count = || unfinished.requests.lock().unwrap().count;
        assert_eq!(count(), MAX_UNFINISHED);
        for user in 0..MAX_UNFINISHED - MAX_OF_USER {
            unfinished.remove(&request(&format!("user-{user}"), 0));
        }
        assert_eq!(count(), MAX_OF_USER);
        for request in unfinished.all() {
            assert_eq!(request.subject().as_str(), "mallory");
            unfinished.remove(&request);
        }
        assert_eq!(count(), 0);
    }
}
