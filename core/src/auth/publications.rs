//! What is published to the revocation feed: each revocation once, and of one user no more than
//! [`MAX_PER_USER`] entries within the lifetime of access tokens, however often a client asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::revocation::{DenyList, RevocationTarget};
use crate::store::RecentMap;
use crate::types::{Subject, Timestamp};

/// How many entries of one user a process publishes within the lifetime of an access token. Further
/// revocations of that user fail with [`Error::TooManyAttempts`]: the store and this process have them,
/// other processes do not.
const MAX_PER_USER: u32 = 1_000;

/// What this process has published, and what it will.
#[derive(Debug, Default)]
pub(super) struct Publications {
    counts: Mutex<RecentMap<Subject, Window>>,
    deferred: Mutex<HashMap<Subject, Deferred>>,
}

/// The entries of one user since the window began.
#[derive(Clone, Copy, Debug)]
struct Window {
    ends_at: Timestamp,
    count: u32,
}

/// Cut-off times of one user that moved too soon after the previous ones to be published at once.
#[derive(Debug)]
struct Deferred {
    due_at: Timestamp,
    targets: Vec<RevocationTarget>,
}

/// Upper bound of [`Publications::deferred`]. Beyond it cut-off times are published at once.
const MAX_DEFERRED: usize = 10_000;

impl Publications {
    /// Counts `entries` more entries of a user, of which `most` are admitted, and [`MAX_PER_USER`] at most.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`] over the limit.
    pub(super) fn admit(
        &self,
        subject: &Subject,
        entries: usize,
        most: usize,
        window: Duration,
        now: Timestamp,
    ) -> Result<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not extend the window.
        let is_open = |it: &&Window| now < it.ends_at && it.ends_at <= now.plus(window);
        let present = counts.get(subject).filter(is_open).copied();
        let Window { ends_at, count } =
            present.unwrap_or(Window { ends_at: now.plus(window), count: 0 });
        let count = count.saturating_add(u32::try_from(entries).unwrap_or(u32::MAX));
        if count > MAX_PER_USER.min(u32::try_from(most).unwrap_or(u32::MAX)) {
            return Err(Error::TooManyAttempts { retry_after: ends_at.since(now) });
        }
        counts.insert(subject.clone(), Window { ends_at, count });
        Ok(())
    }

    /// Takes back what [`Publications::admit`] counted, for entries that were not published.
    pub(super) fn take_back(&self, subject: &Subject, entries: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Window { ends_at, count }) = counts.get(subject).copied() else { return };
        let count = count.saturating_sub(u32::try_from(entries).unwrap_or(u32::MAX));
        counts.insert(subject.clone(), Window { ends_at, count });
    }

    /// Keeps a cut-off time for [`Publications::take_due`]. Returns whether there was room.
    pub(super) fn defer(
        &self,
        subject: &Subject,
        target: &RevocationTarget,
        now: Timestamp,
    ) -> bool {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        if deferred.len() >= MAX_DEFERRED && !deferred.contains_key(subject) {
            return false;
        }
        let due_at = now.plus(DenyList::REPEAT_INTERVAL);
        let entry = deferred
            .entry(subject.clone())
            .or_insert_with(|| Deferred { due_at, targets: Vec::new() });
        entry.targets.retain(|earlier| !is_same_cutoff(earlier, target));
        entry.targets.push(target.clone());
        true
    }

    /// Removes and returns what is due. A clock that was set back must not delay it.
    pub(super) fn take_due(&self, now: Timestamp) -> Vec<(Subject, Vec<RevocationTarget>)> {
        let latest = now.plus(DenyList::REPEAT_INTERVAL);
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        deferred
            .extract_if(|_, entry| entry.due_at <= now || latest < entry.due_at)
            .map(|(subject, entry)| (subject, entry.targets))
            .collect()
    }
}

/// Whether two cut-off times of one user differ in nothing but the time.
fn is_same_cutoff(one: &RevocationTarget, other: &RevocationTarget) -> bool {
    use RevocationTarget::{Subject, UserCutoff};
    match (one, other) {
        (Subject { .. }, Subject { .. }) => true,
        (UserCutoff { except: a, .. }, UserCutoff { except: b, .. }) => a == b,
        _ => false,
    }
}
