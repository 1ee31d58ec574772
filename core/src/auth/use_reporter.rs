//! Tells the store, in the background, which access tokens were seen in use: once per process
//! and token. Losing a report delays the detection of a theft and never logs anybody out.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::Engine;
use crate::access::VerifiedAccess;
use crate::observe;
use crate::session::AccessTokenUse;
use crate::types::{FamilyPosition, SessionId, Subject};

/// Reports that wait; when there are more the newest is dropped, and made again at its token's
/// next use.
const QUEUE: usize = 1024;

/// Reports that are on their way to the store at once. One by one, a process could report no more
/// than one per round trip.
const AT_ONCE: usize = 64;

struct Report {
    subject: Subject,
    session: SessionId,
    token_use: AccessTokenUse,
}

/// The sending half; the task ends when it is dropped.
pub(super) struct UseReporter {
    seen: Arc<Seen>,
    queue: mpsc::Sender<Report>,
}

impl UseReporter {
    pub(super) fn start(engine: Arc<Engine>, runtime: &Handle) -> Self {
        let seen = Arc::new(Seen::default());
        let (queue, reports) = mpsc::channel(QUEUE);
        runtime.spawn(deliver(engine, Arc::clone(&seen), reports));
        Self { seen, queue }
    }

    /// Reports that a token is in use that is not denied: one that is kept only once, unless a
    /// report was lost meanwhile, which may have been this one.
    pub(super) fn report_use(
        &self,
        access: &VerifiedAccess,
        session: SessionId,
        family_position: FamilyPosition,
    ) {
        let round = self.seen.round();
        if access.reported().load(Ordering::Relaxed) == round {
            return;
        }
        self.report(access.subject(), session, AccessTokenUse { family_position, denied: false });
        access.reported().store(round, Ordering::Relaxed);
    }

    pub(super) fn report(&self, subject: &Subject, session: SessionId, token_use: AccessTokenUse) {
        if !self.seen.insert(session, token_use) {
            return;
        }
        let report = Report { subject: subject.clone(), session, token_use };
        if self.queue.try_send(report).is_err() {
            observe::sighting_dropped();
            self.seen.forget(session, token_use);
        }
    }
}

async fn deliver(engine: Arc<Engine>, seen: Arc<Seen>, mut reports: mpsc::Receiver<Report>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(report) = reports.recv().await {
        // Fails only on a semaphore that was closed, which this one never is.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (engine, seen) = (Arc::clone(&engine), Arc::clone(&seen));
        tokio::spawn(async move {
            deliver_one(&engine, &seen, &report).await;
            drop(place);
        });
    }
}

async fn deliver_one(engine: &Engine, seen: &Seen, report: &Report) {
    let Report { subject, session, token_use } = report;
    if let Err(error) = engine.sighted(subject, *session, *token_use).await {
        tracing::debug!(target: "regrant::store", %error, "a sighting was not delivered");
        observe::sighting_dropped();
        seen.forget(*session, *token_use);
    }
}

/// The sightings that were reported already, in bounded memory: when the younger half is full
/// the older one is dropped, and its tokens are reported once more.
#[derive(Default)]
struct Seen {
    shards: [Mutex<Halves>; SHARDS],
    /// How many were forgotten again.
    forgotten: AtomicU64,
}

#[derive(Default)]
struct Halves {
    younger: HashSet<(SessionId, FamilyPosition, bool), RandomState>,
    older: HashSet<(SessionId, FamilyPosition, bool), RandomState>,
}

const SHARDS: usize = 16;
const HALF: usize = 4096;

impl Seen {
    /// Whether this sighting is new.
    fn insert(&self, session: SessionId, token_use: AccessTokenUse) -> bool {
        self.shard(session, |halves| {
            let key = (session, token_use.family_position, token_use.denied);
            if halves.younger.contains(&key) || halves.older.contains(&key) {
                return false;
            }
            if halves.younger.len() >= HALF {
                halves.older = std::mem::take(&mut halves.younger);
            }
            halves.younger.insert(key)
        })
    }

    fn forget(&self, session: SessionId, token_use: AccessTokenUse) {
        self.shard(session, |halves| {
            let key = (session, token_use.family_position, token_use.denied);
            halves.younger.remove(&key);
            halves.older.remove(&key);
        });
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// Another one after each that was forgotten; never 0.
    fn round(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire) + 1
    }

    fn shard<T>(&self, session: SessionId, operation: impl FnOnce(&mut Halves) -> T) -> T {
        let shard = &self.shards[usize::from(session.as_bytes()[0]) % SHARDS];
        operation(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
