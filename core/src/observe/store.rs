//! Any store, with its operations timed and its failures counted: stores themselves need not
//! know that they are watched.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::metric::{REVOCATIONS_UNREPLICATED, STORE_ERRORS, STORE_OPERATION_SECONDS};
use super::record::{count, seconds};
use crate::error::Result;
use crate::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed};
use crate::session::{
    AccessTokenUse, NewSession, RefreshAttempt, RefreshPolicy, TheftScope, UseOutcome,
};
use crate::store::{
    Created, FailureCounter, FailureKey, Failures, Refreshed, Replicated, RevokedSession,
    RevokedSessions, SessionFilter, SessionStore, StoreHealth, StoredSession,
};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// A store that is watched.
pub(crate) struct ObservedStore(pub(crate) Arc<dyn SessionStore>);

impl fmt::Debug for ObservedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

async fn timed<T>(operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let answer = answer.await;
    let outcome = if answer.is_ok() { "ok" } else { "error" };
    let labels = [("operation", operation), ("outcome", outcome)];
    seconds(&STORE_OPERATION_SECONDS, &labels, start.elapsed());
    failed(operation, &answer);
    answer
}

fn failed<T>(operation: &'static str, answer: &Result<T>) {
    if let Err(error) = answer {
        count(&STORE_ERRORS, &[("operation", operation)]);
        let cause = std::error::Error::source(error);
        tracing::debug!(target: "regrant::store", operation, %error, cause, "the store failed an operation");
    }
}

fn count_unless(replicated: Replicated) {
    if replicated == Replicated::No {
        count(&REVOCATIONS_UNREPLICATED, &[]);
    }
}

// A method that is not passed on would hide the store's own.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for ObservedStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        timed("create", self.0.create(subject, session, new)).await
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        attempt: &RefreshAttempt,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>> {
        timed("refresh", self.0.refresh(subject, session, attempt, policy)).await
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        timed("confirm", self.0.record_use(subject, session, token_use, on_theft)).await
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let answer = timed("revoke", self.0.revoke(subject, session, reason)).await?;
        count_unless(answer.replicated);
        Ok(answer)
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let answer = timed("revoke_all", self.0.revoke_all(subject, which, reason)).await?;
        count_unless(answer.replicated);
        Ok(answer)
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        self.0.feed().map(|_| self as &dyn RevocationFeed)
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        self.0.failures().map(|_| self as &dyn FailureCounter)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        timed("list", self.0.list(subject)).await
    }

    async fn health(&self) -> StoreHealth {
        self.0.health().await
    }
}

/// Reached only by way of [`SessionStore::failures`], where there is one.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl FailureCounter for ObservedStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        match self.0.failures() {
            Some(failures) => timed("count_failure", failures.count(key, window)).await,
            None => Ok(Failures { count: 0, left: Duration::ZERO }),
        }
    }
}

/// Reached only by way of [`SessionStore::feed`], where there is one.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationFeed for ObservedStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        match self.0.feed() {
            Some(feed) => timed("tell", feed.publish(revocations)).await,
            None => Ok(()),
        }
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let Some(feed) = self.0.feed() else { return Ok(FeedPage::default()) };
        let page = feed.read(cursor, wait).await;
        failed("read_feed", &page);
        page
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        match self.0.feed() {
            Some(feed) => feed.now().await,
            None => Ok(None),
        }
    }
}
