//! Looking after the sessions of users, for which no key is needed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::event::Auditor;
use crate::error::Result;
use crate::migration::LegacyStore;
use crate::observe::ObservedStore;
use crate::revocation::DenyList;
use crate::store::{SessionStore, StoreHealth};
use crate::types::{Clock, SessionId, SystemClock};

/// Lists and ends the sessions of users.
///
/// It issues and verifies no token and so has no key: for the operator's command, and for services
/// that do nothing else. What [`Auth`](crate::Auth) does about sessions it does by one of these.
/// Clones are cheap and share everything.
#[derive(Clone)]
pub struct SessionAdmin {
    pub(super) store: Arc<dyn SessionStore>,
    /// What is refused in this process.
    pub(super) denied: Arc<DenyList>,
    pub(super) auditor: Auditor,
    pub(super) clock: Arc<dyn Clock>,
    /// Where the refresh tokens of the app that was here before are.
    pub(super) legacy_store: Option<Arc<dyn LegacyStore>>,
    /// No access token lives longer than this.
    pub(super) longest_access: Duration,
}

/// What came of ending sessions.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Ended {
    /// Those that were live until now.
    pub revoked: Vec<SessionId>,
    /// Those that were meant and had been ended before; they keep their reasons.
    pub already_revoked: Vec<SessionId>,
    /// Whether replicas of the store have it; `None` where that was not asked.
    pub replicated: Option<bool>,
    /// Whether the other processes find it in the feed. If not the sessions are ended all the
    /// same, but access tokens go on in those processes until they expire: ask again.
    pub told: Result<()>,
}

impl Ended {
    /// Those that were live until now.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): other processes were not told.
    pub(super) fn if_told(self) -> Result<Vec<SessionId>> {
        self.told.map(|()| self.revoked)
    }

    /// How it ended, for the span of the operation.
    pub(super) const fn outcome(&self) -> &'static str {
        match (&self.told, self.revoked.is_empty()) {
            (Err(_), _) => "store_error",
            (Ok(()), true) => "unchanged",
            (Ok(()), false) => "ended",
        }
    }
}

impl SessionAdmin {
    /// Looks after the sessions in `store`. `longest_access` is how long an access token of the
    /// servers can live: for so long other processes are told of what is ended.
    pub fn new(store: Arc<dyn SessionStore>, longest_access: Duration) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self {
            store: Arc::new(ObservedStore(store)),
            denied: Arc::default(),
            auditor: Auditor { listener: None, clock: Arc::clone(&clock) },
            clock,
            legacy_store: None,
            longest_access,
        }
    }

    /// A clock in place of the system's: for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.auditor.clock = Arc::clone(&clock);
        self.clock = clock;
        self
    }

    /// Ends also what the app that was here before knows of a user, where all is to end.
    #[must_use]
    pub fn with_old_store(mut self, legacy_store: Arc<dyn LegacyStore>) -> Self {
        self.legacy_store = Some(legacy_store);
        self
    }

    /// Lets other processes know for at least so long: for those who do not know for certain how
    /// long the servers' access tokens live. It costs those processes memory alone.
    #[must_use]
    pub fn telling_for_at_least(mut self, span: Duration) -> Self {
        self.longest_access = self.longest_access.max(span);
        self
    }

    /// How the store is doing. One that cannot be reached is a report, and no error.
    pub async fn health(&self) -> StoreHealth {
        self.store.health().await
    }
}

impl fmt::Debug for SessionAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionAdmin").field("store", &self.store).finish_non_exhaustive()
    }
}
