//! The store as [`Auth`](crate::Auth) uses it: every operation is timed and its failures are counted.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::metrics::{self, REVOCATIONS_UNREPLICATED, STORE_ERRORS, STORE_OPERATION_SECONDS};
use crate::error::Result;
use crate::revocation::{
    FeedCursor, FeedPage, MAX_FEED_BYTES, MAX_FEED_ENTRIES, Revocation, RevocationFeed,
};
use crate::session::{
    AccessTokenUse, ClientDetails, NewSession, PresentedToken, Record, RefreshPolicy, TheftScope,
    UseOutcome,
};
use crate::store::{
    Created, FailureCounter, FailureKey, Failures, HealthCache, Imported, Refreshed, Replicated,
    RevokedSession, RevokedSessions, SessionFilter, SessionStore, StoreHealth, StoredSession,
    UserCursor, UserPage,
};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// Wraps any store, and records the duration and failures of its operations.
pub(super) struct InstrumentedStore(Arc<dyn SessionStore>, HealthCache);

impl InstrumentedStore {
    pub(super) fn new(store: Arc<dyn SessionStore>) -> Self {
        Self(store, HealthCache::default())
    }
}

impl fmt::Debug for InstrumentedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

async fn timed<T>(operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let answer = answer.await;
    let outcome = if answer.is_ok() { "ok" } else { "error" };
    let labels = [("operation", operation), ("outcome", outcome)];
    metrics::seconds(&STORE_OPERATION_SECONDS, &labels, start.elapsed());
    count_failure(operation, &answer);
    answer
}

fn count_failure<T>(operation: &'static str, answer: &Result<T>) {
    if let Err(error) = answer {
        metrics::count(&STORE_ERRORS, &[("operation", operation)]);
        let cause = std::error::Error::source(error);
        tracing::debug!(target: "regrant::store", operation, %error, cause, "store operation failed");
    }
}

fn count_unreplicated(replicated: Replicated) {
    if replicated == Replicated::No {
        metrics::count(&REVOCATIONS_UNREPLICATED, &[]);
    }
}

// The lint: a default method that is not forwarded would hide the store's own.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for InstrumentedStore {
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
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>> {
        timed("refresh", self.0.refresh(subject, session, token, policy, client)).await
    }

    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool> {
        timed("set_claims", self.0.set_claims(subject, session, claims)).await
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
        count_unreplicated(answer.replicated);
        Ok(answer)
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let answer = timed("revoke_all", self.0.revoke_all(subject, which, reason)).await?;
        count_unreplicated(answer.replicated);
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

    async fn import(&self, subject: &Subject, sessions: &[StoredSession]) -> Result<Imported> {
        self.0.import(subject, sessions).await
    }

    async fn users(&self, cursor: &UserCursor) -> Result<UserPage> {
        self.0.users(cursor).await
    }

    async fn find(&self, subject: &Subject, session: &SessionId) -> Result<Option<Record>> {
        timed("find", self.0.find(subject, session)).await
    }

    async fn health(&self) -> StoreHealth {
        self.1.get(self.0.health()).await
    }
}

/// Reached only through [`SessionStore::failures`], where the store has one.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl FailureCounter for InstrumentedStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        match self.0.failures() {
            Some(failures) => timed("count_failure", failures.count(key, window)).await,
            None => Ok(Failures { count: 0, left: Duration::ZERO }),
        }
    }
}

/// Reached only through [`SessionStore::feed`], where the store has one.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationFeed for InstrumentedStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        match self.0.feed() {
            Some(feed) => timed("tell", feed.publish(revocations)).await,
            None => Ok(()),
        }
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let Some(feed) = self.0.feed() else { return Ok(FeedPage::default()) };
        let page = feed.read(cursor, wait).await;
        count_failure("read_feed", &page);
        page
    }

    fn max_entries(&self) -> usize {
        self.0.feed().map_or(MAX_FEED_ENTRIES, RevocationFeed::max_entries)
    }

    fn max_bytes(&self) -> usize {
        self.0.feed().map_or(MAX_FEED_BYTES, RevocationFeed::max_bytes)
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        match self.0.feed() {
            Some(feed) => feed.now().await,
            None => Ok(None),
        }
    }
}
