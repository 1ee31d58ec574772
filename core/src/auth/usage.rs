//! Access-token use: the store learns of the first use of each access token, which confirms that
//! its refresh token arrived at the client, or reveals a second holder.
//!
//! [`Auth::verify`] reports in the background, once per process and token as far as its bounded
//! memory reaches (`ReportedUses`). A lost report delays the detection of a theft and never logs
//! anybody out.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tracing::field::display;

use super::{Auth, Engine, metrics};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::revocation::Denial;
use crate::session::{AccessTokenUse, SessionNotes, UseOutcome};
use crate::types::{FamilyPosition, SessionId, Subject};

impl Auth {
    /// Reports the use of an access token to the store and waits for the answer, for services that
    /// verify tokens without [`Auth`]; [`Auth::verify`] reports by itself. Check the proof of a
    /// DPoP-bound token first: the use of a discarded child's token ends the session. A session
    /// that the store has lost is no error.
    ///
    /// # Errors
    /// [`Error::AccessRevoked`] when the session is revoked or expired, perhaps because this use
    /// revealed a second holder; [`Error::StoreUnavailable`] when the report was lost.
    pub async fn record_use(&self, access: &VerifiedAccess) -> Result<()> {
        let (Some(session), Some(family_position)) = (access.session(), access.family_position())
        else {
            return Ok(());
        };
        let engine = &self.0.engine;
        let denied = engine.admin.denied.check(access) == Some(Denial::DiscardedChild);
        let token_use = AccessTokenUse { family_position, denied };
        match engine.record_use(access.subject(), session, token_use).await? {
            StoredState::Live | StoredState::Unknown => Ok(()),
            StoredState::Revoked => Err(Error::AccessRevoked),
        }
    }
}

/// What the store knows of the session whose access token was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredState {
    /// The session is live.
    Live,
    /// The session is revoked or expired, perhaps because of this very use.
    Revoked,
    /// The store lost the session. Its access tokens stay valid until they expire.
    Unknown,
}

impl Engine {
    pub(super) async fn record_use(
        &self,
        subject: &Subject,
        session: SessionId,
        token_use: AccessTokenUse,
    ) -> Result<StoredState> {
        let span = metrics::operation_span!(DEBUG, "confirm");
        span.record("session", display(session));
        let recording = self.try_record_use(subject, session, token_use);
        metrics::instrument(span, recording, |outcome| match outcome {
            StoredState::Live => "live",
            StoredState::Revoked => "ended",
            StoredState::Unknown => "unknown",
        })
        .await
    }

    async fn try_record_use(
        &self,
        subject: &Subject,
        session: SessionId,
        token_use: AccessTokenUse,
    ) -> Result<StoredState> {
        match self
            .admin
            .store
            .record_use(subject, &session, &token_use, self.policy.on_theft)
            .await?
        {
            Some(UseOutcome::ChildInUse | UseOutcome::Unchanged) => Ok(StoredState::Live),
            Some(UseOutcome::Reuse) => {
                let how = if token_use.denied { "denied_access" } else { "abandoned_branch" };
                let notes = SessionNotes::default();
                self.on_theft(subject, session, None, notes, how).await;
                Ok(StoredState::Revoked)
            }
            Some(UseOutcome::Revoked(reason)) => {
                self.deny_revoked(subject, session, reason).await;
                Ok(StoredState::Revoked)
            }
            // The clock may be ahead: a session on the deny list would be revoked at its next refresh.
            Some(UseOutcome::Expired) => Ok(StoredState::Revoked),
            None => Ok(StoredState::Unknown),
        }
    }
}

/// Capacity of the queue of reports. When it is full, new reports are dropped; the next use of the
/// token reports again.
const QUEUE: usize = 1024;

/// How many reports are delivered concurrently: one at a time would allow only one per round trip.
const CONCURRENCY: usize = 64;

struct Report {
    subject: Subject,
    session: SessionId,
    token_use: AccessTokenUse,
}

/// Reports uses in the background. The task ends when the reporter is dropped.
pub(super) struct UseReporter {
    reported: Arc<ReportedUses>,
    queue: mpsc::Sender<Report>,
}

impl UseReporter {
    pub(super) fn start(engine: Arc<Engine>, runtime: &Handle) -> Self {
        let reported = Arc::new(ReportedUses::default());
        let (queue, reports) = mpsc::channel(QUEUE);
        runtime.spawn(deliver_all(engine, Arc::clone(&reported), reports));
        Self { reported, queue }
    }

    /// Reports the use of a token that is not denied. A cached token takes the short way: it
    /// remembers that it was reported, as long as no report was lost meanwhile.
    pub(super) fn report_use(
        &self,
        access: &VerifiedAccess,
        session: SessionId,
        family_position: FamilyPosition,
    ) {
        let epoch = self.reported.epoch();
        if access.reported().load(Ordering::Relaxed) == epoch {
            return;
        }
        self.report(access.subject(), session, AccessTokenUse { family_position, denied: false });
        access.reported().store(epoch, Ordering::Relaxed);
    }

    pub(super) fn report(&self, subject: &Subject, session: SessionId, token_use: AccessTokenUse) {
        if !self.reported.insert(session, token_use) {
            return;
        }
        let report = Report { subject: subject.clone(), session, token_use };
        if self.queue.try_send(report).is_err() {
            metrics::count(&metrics::USE_REPORTS_DROPPED, &[]);
            self.reported.remove(session, token_use);
        }
    }
}

async fn deliver_all(
    engine: Arc<Engine>,
    reported: Arc<ReportedUses>,
    mut reports: mpsc::Receiver<Report>,
) {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    while let Some(report) = reports.recv().await {
        // Fails only on a closed semaphore, and this one is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let (engine, reported) = (Arc::clone(&engine), Arc::clone(&reported));
        tokio::spawn(async move {
            deliver(&engine, &reported, &report).await;
            drop(permit);
        });
    }
}

async fn deliver(engine: &Engine, reported: &ReportedUses, report: &Report) {
    let Report { subject, session, token_use } = report;
    if let Err(error) = engine.record_use(subject, *session, *token_use).await {
        tracing::debug!(target: "regrant::store", %error, "failed to report an access-token use");
        metrics::count(&metrics::USE_REPORTS_DROPPED, &[]);
        reported.remove(*session, *token_use);
    }
}

/// The uses that this process has reported, in bounded memory: when the current generation of a
/// shard is full it replaces the previous one, whose tokens are then reported once more.
#[derive(Default)]
struct ReportedUses {
    shards: [Mutex<Generations>; SHARDS],
    /// How many uses were removed again.
    removed: AtomicU64,
}

#[derive(Default)]
struct Generations {
    current: HashSet<(SessionId, FamilyPosition, bool), RandomState>,
    previous: HashSet<(SessionId, FamilyPosition, bool), RandomState>,
}

const SHARDS: usize = 16;
const GENERATION_CAPACITY: usize = 4096;

impl ReportedUses {
    /// Returns whether the use is new.
    fn insert(&self, session: SessionId, token_use: AccessTokenUse) -> bool {
        self.with_shard(session, |shard| {
            let key = (session, token_use.family_position, token_use.denied);
            if shard.current.contains(&key) || shard.previous.contains(&key) {
                return false;
            }
            if shard.current.len() >= GENERATION_CAPACITY {
                shard.previous = std::mem::take(&mut shard.current);
            }
            shard.current.insert(key)
        })
    }

    fn remove(&self, session: SessionId, token_use: AccessTokenUse) {
        self.with_shard(session, |shard| {
            let key = (session, token_use.family_position, token_use.denied);
            shard.current.remove(&key);
            shard.previous.remove(&key);
        });
        self.removed.fetch_add(1, Ordering::Release);
    }

    /// Changes with every removal; never 0, the value of a token that was not reported.
    fn epoch(&self) -> u64 {
        self.removed.load(Ordering::Acquire) + 1
    }

    fn with_shard<T>(
        &self,
        session: SessionId,
        operation: impl FnOnce(&mut Generations) -> T,
    ) -> T {
        let shard = &self.shards[usize::from(session.as_bytes()[0]) % SHARDS];
        operation(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
