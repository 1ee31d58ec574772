//! Where sessions live: one trait, its backends (memory, a file, Redis, PostgreSQL, any database), and what they answer.

mod address;
#[cfg(any(feature = "redis", feature = "postgres"))]
mod certificates;
mod copy;
mod custom;
#[cfg(feature = "file")]
pub mod file;
mod health;
mod limits;
mod memory;
mod moving;
mod operations;
mod optimistic;
#[cfg(feature = "postgres")]
pub mod postgres;
mod realm;
#[cfg(feature = "redis")]
pub mod redis;
mod redis_options;

pub use address::StoreAddress;
pub(crate) use address::is_redis;
pub use copy::{CopyReport, copy_sessions};
pub use custom::{CustomStore, CustomStoreOptions, KeyValueStore, VersionedValue};
pub(crate) use health::HealthCache;
pub use health::{ServerHealth, StoreHealth, StoreWarning, StoreWarningCode};
pub use limits::{FailureCounter, FailureKey, Failures};
pub(crate) use limits::{FailureWindows, RecentMap};
pub use memory::MemoryStore;
pub use moving::MovingStore;
pub use realm::RealmStore;
pub use redis_options::{Eviction, RedisCredentials, RedisOptions, RedisTls};

use std::collections::HashSet;
use std::fmt;
#[cfg(any(feature = "file", feature = "postgres"))]
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::revocation::RevocationFeed;
use crate::session::{
    AccessTokenUse, ClientDetails, Decision, DiscardedChild, NewSession, PresentedToken, Record,
    RefreshPolicy, SessionNotes, TheftScope, UseOutcome,
};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// How long the first operation waits, at least, while this or another process creates a store's file or tables: all
/// processes of an app may start at once, and on a slow disk that takes seconds.
#[cfg(any(feature = "file", feature = "postgres"))]
const OPENING: Duration = Duration::from_secs(30);

/// A store of sessions.
///
/// Every operation is atomic, uses the store's own clock, and returns within a bounded time. When
/// the store cannot be reached it fails with
/// [`Error::StoreUnavailable`] and may or may not have taken
/// effect: every operation can safely be repeated.
#[async_trait]
pub trait SessionStore: Send + Sync + fmt::Debug {
    /// Creates a session and returns its record. If the id exists already, returns the existing
    /// record and changes nothing.
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created>;

    /// Decides about a refresh token ([`decide_refresh`](crate::session::decide_refresh)) and stores the
    /// new record, with the client of the request if it is known and the decision rotates or renews.
    /// `None` if the session is unknown.
    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>>;

    /// Replaces the claims of a session, the JSON text of an object, later than those before
    /// ([`SessionNotes::claims`](crate::session::SessionNotes::claims)). Returns whether the session is
    /// live; otherwise nothing changes.
    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool>;

    /// Records that an access token was used ([`decide_use`](crate::session::decide_use)). `None` if
    /// the session is unknown.
    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>>;

    /// Revokes a session. A session that was revoked before keeps its reason.
    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession>;

    /// Revokes those sessions of a user that `which` selects.
    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions>;

    /// The log through which processes learn of each other's revocations; `None` if no other
    /// process can share the store.
    fn feed(&self) -> Option<&dyn RevocationFeed> {
        None
    }

    /// The counter of failed attempts; `None` if the store has none, in which case nothing is
    /// rate limited.
    fn failures(&self) -> Option<&dyn FailureCounter> {
        None
    }

    /// All unexpired sessions of a user, live and revoked, in no particular order.
    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>>;

    /// Imports all sessions that another store has of the same user: adds those that are live, and updates
    /// those that this store knows in an earlier state ([`Record::merged_with`]), and deletes those that are
    /// over and that the other store has deleted. Repeating it changes nothing.
    ///
    /// # Errors
    /// By default [`Error::ConfigInvalid`] for `store`: it cannot import sessions.
    async fn import(&self, subject: &Subject, sessions: &[StoredSession]) -> Result<Imported> {
        let _ = (subject, sessions);
        Err(Error::config("store", "this store cannot import sessions"))
    }

    /// Lists users who have sessions, a page at a time, for copying. A user may be listed twice. Where
    /// realms are used, the names are those in the store.
    ///
    /// # Errors
    /// By default [`Error::ConfigInvalid`] for `store`: it cannot list its users.
    async fn users(&self, cursor: &UserCursor) -> Result<UserPage> {
        let _ = cursor;
        Err(Error::config("store", "this store cannot list its users"))
    }

    /// One of those sessions.
    async fn find(&self, subject: &Subject, session: &SessionId) -> Result<Option<Record>> {
        let sessions = self.list(subject).await?;
        Ok(sessions.into_iter().find(|stored| stored.id == *session).map(|stored| stored.record))
    }

    /// Reports how the store is doing. A store that cannot be reached is reported as such and is
    /// not an error.
    async fn health(&self) -> StoreHealth {
        let login = async {
            let (subject, session) = (health::probe_subject()?, SessionId::random()?);
            self.create(&subject, &session, &health::probe_session()?).await
        };
        let read = async { self.list(&health::probe_subject()?).await };
        StoreHealth::probe("other", login, read).await
    }
}

/// Selects sessions of a user; the default selects all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Leaves this session out: "log out everywhere else".
    pub except: Option<SessionId>,
    /// Only sessions created before this instant: "from before the password was changed".
    pub created_before: Option<Timestamp>,
}

impl SessionFilter {
    /// All sessions.
    pub const ALL: Self = Self { except: None, created_before: None };

    /// Whether the filter selects this session.
    pub fn matches(&self, stored: &StoredSession) -> bool {
        self.except != Some(stored.id)
            && self.created_before.is_none_or(|before| stored.record.created_at < before)
    }
}

/// A session of a user, with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The id of the session.
    pub id: SessionId,
    /// The stored record.
    pub record: Record,
}

/// What [`SessionStore::import`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Sessions that the store did not have.
    pub added: u64,
    /// Sessions that the store had in an earlier state.
    pub updated: u64,
    /// Sessions that the store had in the same state or in a later one, and those that it did not have and
    /// that are over: it may have deleted them.
    pub unchanged: u64,
}

impl Imported {
    /// Counts a session of which the store has `ours`; returns the record to write, if any.
    fn count(&mut self, ours: Option<&Record>, theirs: &Record, now: Timestamp) -> Option<Record> {
        let (count, record) = match ours {
            // A migrated session is added all the same: its legacy token would begin it anew.
            None if !theirs.is_live(now) && !theirs.migrated => (&mut self.unchanged, None),
            None => (&mut self.added, Some(theirs.clone())),
            Some(ours) => match ours.merged_with(theirs) {
                None => (&mut self.unchanged, None),
                merged => (&mut self.updated, merged),
            },
        };
        *count += 1;
        record
    }

    fn add(&mut self, more: Self) {
        self.added += more.added;
        self.updated += more.updated;
        self.unchanged += more.unchanged;
    }
}

/// The sessions that an import deletes: they are over, and the other store has deleted them. Only logins
/// delete sessions otherwise, and while sessions move, those are decided in the former store.
fn deleted(
    mut all: Vec<StoredSession>,
    imported: &[StoredSession],
    now: Timestamp,
) -> Vec<StoredSession> {
    let imported: HashSet<_> = imported.iter().map(|session| session.id).collect();
    all.retain(|StoredSession { id, record }| {
        !record.is_live(now) && !record.migrated && !imported.contains(id)
    });
    all
}

/// A position among the users of a store, opaque; the default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCursor(pub String);

/// Some users of a store.
#[derive(Clone, Debug, Default)]
pub struct UserPage {
    /// The users.
    pub users: Vec<Subject>,
    /// Where to read on; `None` at the end.
    pub next: Option<UserCursor>,
}

impl UserPage {
    /// How many users a page has.
    const LENGTH: usize = 500;

    /// A page of a store that lists its users in the order of their names.
    fn sorted(names: impl IntoIterator<Item = String>) -> Result<Self> {
        let users = names.into_iter().map(Subject::stored).collect::<Result<Vec<_>>>()?;
        let last = users.last().filter(|_| users.len() >= Self::LENGTH);
        let next = last.map(|last| UserCursor(last.as_str().to_owned()));
        Ok(Self { users, next })
    }
}

/// The result of [`SessionStore::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The record of the session.
    pub record: Record,
    /// The sessions that were revoked because the user had too many, in no particular order.
    /// Returned again when the login is repeated, so that their access tokens are denied even if the first
    /// answer was lost.
    pub evicted: Vec<SessionId>,
}

/// The result of [`SessionStore::refresh`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// What to do with the request.
    pub decision: Decision,
    /// A discarded child whose access tokens must be denied from now on.
    pub discarded: Option<DiscardedChild>,
    /// What was stored beside the record; of the clients only those of a session whose token was reused.
    pub notes: SessionNotes,
}

/// The result of [`SessionStore::revoke`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedSession {
    /// What happened to the session.
    pub outcome: RevocationOutcome,
    /// Whether replicas have the revocation.
    pub replicated: Replicated,
}

/// What happened to a session that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// It was live and is revoked now.
    Revoked,
    /// It was over before: revoked, and it keeps that reason, or idle for too long.
    AlreadyRevoked {
        /// When it ended.
        ended_at: Timestamp,
    },
    /// The user has no such session, or it has expired.
    Unknown,
}

/// The result of [`SessionStore::revoke_all`]; the lists are in no particular order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSessions {
    /// Sessions that were live and are revoked now.
    pub revoked: Vec<SessionId>,
    /// Selected sessions that were over before, and when they ended: revoked, and they keep their
    /// reasons, or idle for too long.
    pub already_revoked: Vec<(SessionId, Timestamp)>,
    /// Whether replicas have the revocations.
    pub replicated: Replicated,
}

/// Whether a write survives the loss of the one server that acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicated {
    /// The store has no replicas, or is not configured to wait for them.
    NotAsked,
    /// As many replicas as required have it.
    Yes,
    /// Too few replicas had it in time: a failover may undo it.
    No,
}

impl Replicated {
    /// Yes or no; `None` for [`Replicated::NotAsked`].
    pub const fn answer(self) -> Option<bool> {
        match self {
            Self::NotAsked => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}
