//! Revocations that the store did not take. They are repeated until it does, or until the process
//! ends: a user who logs out while the store is unavailable may never try again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::store::SessionFilter;
use crate::types::{RevocationReason, SessionId, Subject};

/// A revocation as it was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RevocationRequest {
    Session { subject: Subject, session: SessionId, reason: RevocationReason },
    Everywhere { subject: Subject, which: SessionFilter, reason: RevocationReason },
}

/// Which sessions of a user a request revokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Selection {
    One(SessionId),
    AllBut(Option<SessionId>),
}

impl RevocationRequest {
    fn key(&self) -> (Subject, Selection) {
        match self {
            Self::Session { subject, session, .. } => (subject.clone(), Selection::One(*session)),
            Self::Everywhere { subject, which, .. } => {
                (subject.clone(), Selection::AllBut(which.except))
            }
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
    requests: Mutex<HashMap<(Subject, Selection), RevocationRequest>>,
    wake: mpsc::Sender<()>,
}

/// Upper bound of [`UnfinishedRevocations`]. Further ones are not repeated.
const MAX_UNFINISHED: usize = 10_000;

impl UnfinishedRevocations {
    /// None yet, and what tells a task to repeat them.
    pub(super) fn new() -> (Self, mpsc::Receiver<()>) {
        let (wake, woken) = mpsc::channel(1);
        (Self { requests: Mutex::default(), wake }, woken)
    }

    pub(super) fn add(&self, request: RevocationRequest) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let key = request.key();
        if let Some(present) = requests.get_mut(&key) {
            present.merge(request);
            return;
        }
        if requests.len() >= MAX_UNFINISHED {
            tracing::warn!(target: "regrant::store", "too many revocations that the store did not take; one is not repeated");
            return;
        }
        if requests.is_empty() {
            tracing::warn!(target: "regrant::store", "the store did not take a revocation; it is in force in this process and is repeated");
        }
        requests.insert(key, request);
        // A full channel has woken the task already; a closed one has no task, as for operators.
        let _ = self.wake.try_send(());
    }

    pub(super) fn next(&self) -> Option<RevocationRequest> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.values().next().cloned()
    }

    /// Removes a request, unless it was extended meanwhile.
    pub(super) fn remove(&self, done: &RevocationRequest) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let key = done.key();
        if requests.get(&key) == Some(done) {
            requests.remove(&key);
            if requests.is_empty() {
                tracing::info!(target: "regrant::store", "the store has taken the revocations that were repeated");
            }
        }
    }
}
