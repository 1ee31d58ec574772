//! The sessions of users: listing them ("where am I logged in?"), and [`SessionAdmin`], which
//! lists and revokes without holding a key.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;

use super::events::Auditor;
use super::instrumented_store::InstrumentedStore;
use super::limits::InFlightLimit;
use super::publications::Publications;
use super::unfinished::UnfinishedRevocations;
use super::{Auth, LegacyTokens};
use crate::error::Result;
use crate::revocation::DenyList;
use crate::session::{ClientDetails, SessionPolicy, SessionState};
use crate::store::{RealmStore, SessionStore, StoreHealth, StoredSession};
use crate::types::{Clock, Realms, RevocationReason, SessionId, Subject, SystemClock, Timestamp};

/// Lists and revokes the sessions of users.
///
/// Issues and verifies no token and so needs no key: for the operator's command, and for services
/// that only manage sessions. [`Auth`] does its own revocations through one. Cheap to clone;
/// clones share state.
#[derive(Clone)]
pub struct SessionAdmin {
    pub(super) store: Arc<dyn SessionStore>,
    /// The access tokens that this process refuses.
    pub(super) denied: Arc<DenyList>,
    pub(super) auditor: Auditor,
    pub(super) clock: Arc<dyn Clock>,
    /// The migration of a legacy app's tokens, if one is configured.
    pub(crate) legacy: Option<Arc<dyn LegacyTokens>>,
    /// How long a revocation stays in the feed and on deny lists: no access token of this process lives longer.
    pub(super) longest_access: Duration,
    /// The longest time until the expiry of an access token that this process has verified, in milliseconds.
    pub(super) longest_seen: Arc<AtomicU64>,
    /// What was published to the feed.
    pub(super) publications: Arc<Publications>,
    /// Revocations that could not be stored yet.
    pub(super) unfinished: Arc<UnfinishedRevocations>,
    /// The revocations in progress.
    pub(super) in_flight: Arc<InFlightLimit>,
    /// Lists of sessions, and checks of access tokens against the store, in progress.
    pub(super) queries: Arc<InFlightLimit>,
    pub(super) max_in_flight: u32,
}

impl SessionAdmin {
    /// Manages the sessions in `store`. `longest_access` is the longest lifetime of the servers'
    /// access tokens: revocations are kept on their deny lists for that long.
    pub fn new(store: Arc<dyn SessionStore>, longest_access: Duration) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self {
            store: Arc::new(InstrumentedStore::new(store)),
            denied: Arc::default(),
            auditor: Auditor { listener: None, on_revoked: None, clock: Arc::clone(&clock) },
            clock,
            legacy: None,
            longest_access,
            longest_seen: Arc::default(),
            publications: Arc::default(),
            unfinished: Arc::new(UnfinishedRevocations::new().0),
            in_flight: Arc::default(),
            queries: Arc::default(),
            max_in_flight: SessionPolicy::default().max_in_flight.get(),
        }
    }

    /// Manages the sessions of these realms. Without this, those of the realm without a name, which the
    /// servers use that have neither an issuer nor an audience.
    #[must_use]
    pub fn realms(mut self, realms: Realms) -> Self {
        self.store = Arc::new(RealmStore::new(self.store, realms));
        self
    }

    /// Replaces the system clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.auditor.clock = Arc::clone(&clock);
        self.clock = clock;
        self
    }

    /// Keeps revocations on deny lists for at least `span`, for callers that are not sure how long
    /// the servers' access tokens live. A longer span costs the servers memory only.
    #[must_use]
    pub fn publish_for_at_least(mut self, span: Duration) -> Self {
        self.longest_access = self.longest_access.max(span);
        self
    }

    /// Reports the state of the store. An unreachable store is a report, not an error.
    pub async fn health(&self) -> StoreHealth {
        self.store.health().await
    }

    /// Lists the sessions of a user: live ones first, each group by last use, newest first.
    /// Sessions past their idle deadline are left out. `current` marks the caller's session.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn sessions(
        &self,
        subject: &Subject,
        current: Option<&SessionId>,
    ) -> Result<Vec<SessionInfo>> {
        let now = self.clock.now();
        let permit = self.queries.acquire(self.max_in_flight)?;
        let stored = self.store.list(subject).await?.into_iter();
        drop(permit);
        let mut sessions: Vec<_> = stored
            .filter(|stored| {
                stored.record.state != SessionState::Live || stored.record.is_live(now)
            })
            .map(|stored| SessionInfo::new(&stored, current))
            .collect();
        sessions.sort_by_key(|session| {
            (session.status != SessionStatus::Live, Reverse(session.last_refreshed_at))
        });
        Ok(sessions)
    }

    pub(crate) fn store(&self) -> &dyn SessionStore {
        self.store.as_ref()
    }

    pub(crate) fn auditor(&self) -> &Auditor {
        &self.auditor
    }
}

impl Auth {
    /// Lists the sessions of a user as [`SessionAdmin::sessions`] does.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn sessions(
        &self,
        subject: &Subject,
        current: Option<&SessionId>,
    ) -> Result<Vec<SessionInfo>> {
        self.0.engine.admin.sessions(subject, current).await
    }
}

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionInfo {
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub id: SessionId,
    /// The device label; empty when the app gave none.
    pub device: String,
    /// When the user logged in; milliseconds since 1970.
    pub created_at: Timestamp,
    /// When it was last refreshed, or the login; milliseconds since 1970.
    pub last_refreshed_at: Timestamp,
    /// When it expires unless it is refreshed or revoked before; milliseconds since 1970.
    pub expires_at: Timestamp,
    /// The client of the login, where it is known and recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_from: Option<ClientDetails>,
    /// The client of the last refresh, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refreshed_from: Option<ClientDetails>,
    /// Whether it is the caller's session.
    pub current: bool,
    /// Whether it can be used; serialized as `state`, `reason` and `endedAt`.
    #[serde(flatten)]
    pub status: SessionStatus,
}

/// Whether a session can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "state")]
pub enum SessionStatus {
    /// It can be refreshed.
    Live,
    /// It was revoked. The most recently revoked sessions are kept until they would have expired.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// When; milliseconds since 1970.
        ended_at: Timestamp,
    },
}

impl SessionInfo {
    fn new(StoredSession { id, record }: &StoredSession, current: Option<&SessionId>) -> Self {
        Self {
            id: *id,
            device: record.device.as_str().to_owned(),
            created_at: record.created_at,
            last_refreshed_at: record.last_refreshed(),
            expires_at: record.idle_deadline,
            created_from: record.notes.created_from.as_deref().cloned(),
            last_refreshed_from: record.notes.refreshed_from.as_deref().cloned(),
            current: current == Some(id),
            status: match record.state {
                SessionState::Live => SessionStatus::Live,
                SessionState::Revoked(reason) => {
                    SessionStatus::Revoked { reason, ended_at: record.idle_deadline }
                }
            },
        }
    }
}

impl fmt::Debug for SessionAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionAdmin").field("store", &self.store).finish_non_exhaustive()
    }
}
