//! Sessions in a file of this machine: durable, shared by several processes, no server.
//!
//! SQLite in WAL mode. One thread per store owns the connection and carries out whatever
//! operations have arrived in one transaction (group commit). Logins and revocations are
//! acknowledged once they are on the disk. Rotations are acknowledged once they are safe from
//! the death of the process; if the machine itself loses them, the signed tokens heal the record
//! ([`step`](crate::session::step)).

mod failures;
mod feed;
mod inspect;
mod rows;
mod schema;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::inspect::FileReport;
use self::rows::Rows;
use self::writer::{Durability, Writer};
use super::operations;
use super::{
    Created, FailureCounter, Refreshed, RevokedSession, RevokedSessions, SessionFilter,
    SessionStore, StoreHealth, StoredSession,
};
use crate::error::Result;
use crate::revocation::RevocationFeed;
use crate::session::{
    AccessTokenUse, Decision, NewSession, RefreshAttempt, RefreshPolicy, TheftScope, UseOutcome,
};
use crate::types::{Clock, RevocationReason, SessionId, Subject, SystemClock, Timestamp};

/// Sessions in a file.
pub struct FileStore {
    writer: Writer,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

/// How the file is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// How long an operation may wait for another process. Default 2 seconds.
    pub timeout: Duration,
    /// The clock that sessions are judged by. Default the system's.
    pub clock: Arc<dyn Clock>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), clock: Arc::new(SystemClock) }
    }
}

impl FileStore {
    /// Opens the store at `path`, or makes one where there is no file yet.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid) for `store` when the file is not a
    /// store of regrant, is damaged, is of a newer version, or cannot be opened. Such a file is
    /// left as it is.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        let connection = schema::open(path.as_ref(), options.timeout)?;
        Ok(Self { writer: Writer::start(connection, options.clock)? })
    }

    /// Runs `operation` on the sessions of `subject`.
    async fn on_user<T: Send + 'static>(
        &self,
        subject: &Subject,
        durability: fn(&T) -> Durability,
        operation: impl FnOnce(&mut Rows<'_>, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let subject = subject.clone();
        let run = move |connection: &rusqlite::Connection, now| {
            operation(&mut Rows::new(connection, &subject), now)
        };
        self.writer.write(durability, run).await
    }
}

const fn durable<T>(_: &T) -> Durability {
    Durability::Disk
}

fn durable_if_theft(refreshed: &Option<Refreshed>) -> Durability {
    match refreshed {
        Some(Refreshed { decision: Decision::Theft(_), .. }) => Durability::Disk,
        _ => Durability::Process,
    }
}

fn durable_if_revoked(confirmation: &Option<UseOutcome>) -> Durability {
    match confirmation {
        Some(UseOutcome::Theft) => Durability::Disk,
        _ => Durability::Process,
    }
}

#[async_trait]
impl SessionStore for FileStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        let (session, new) = (*session, new.clone());
        self.on_user(subject, durable, move |rows, now| {
            operations::create(rows, &session, &new, now)
        })
        .await
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        attempt: &RefreshAttempt,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>> {
        let (session, attempt, policy) = (*session, *attempt, *policy);
        self.on_user(subject, durable_if_theft, move |rows, now| {
            operations::refresh(rows, &session, &attempt, &policy, now)
        })
        .await
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        let (session, token_use) = (*session, *token_use);
        self.on_user(subject, durable_if_revoked, move |rows, now| {
            operations::record_use(rows, &session, &token_use, on_theft, now)
        })
        .await
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let session = *session;
        self.on_user(subject, durable, move |rows, now| {
            operations::revoke(rows, &session, reason, now)
        })
        .await
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let which = *which;
        self.on_user(subject, durable, move |rows, now| {
            operations::revoke_all(rows, &which, reason, now)
        })
        .await
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        Some(self)
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        let subject = subject.clone();
        self.writer
            .read(move |connection, now| {
                operations::list(&mut Rows::new(connection, &subject), now)
            })
            .await
    }

    async fn health(&self) -> StoreHealth {
        StoreHealth::of_answering("file", self).await
    }
}
