//! Logout: revokes one session of a user, or all of them, in every process.
//!
//! A revocation is first written to the store, so that no refresh succeeds. Then the access tokens
//! of the session are denied: in this process at once, and in the others through the revocation
//! feed, which each process follows ([`follow_feed`]).

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;
use tracing::Span;
use tracing::field::display;

use super::events::AuditKind;
use super::{Auth, Engine, SessionAdmin, metrics};
use crate::error::Result;
use crate::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed, RevocationTarget};
use crate::session::{SessionState, TheftScope};
use crate::store::{
    Replicated, RevocationOutcome, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

impl Auth {
    /// Revokes the session of a refresh token, expired or not. Returns whether it was live.
    ///
    /// # Errors
    /// The `reject` errors for a token that this server did not issue;
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn logout(&self, refresh_token: &str) -> Result<bool> {
        let span = metrics::operation_span!(INFO, "logout");
        let logout = self.0.engine.logout(refresh_token, &span);
        let outcome = |was_live: &bool| if *was_live { "ended" } else { "unchanged" };
        metrics::instrument(span.clone(), logout, outcome).await
    }

    /// Revokes one session of a user. Returns whether it was live. Its access tokens are denied in
    /// this process at once, and in other processes as soon as they have read the feed.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): call again.
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        let report = self.0.engine.admin.revoke_session(subject, session, reason).await?;
        Ok(!report.published_or_error()?.is_empty())
    }

    /// Revokes all sessions of a user, or those that the request selects. Returns how many were
    /// live.
    ///
    /// Access tokens that name no session, as legacy apps issue them, are denied too, even where
    /// one session is excepted: nothing tells which of them belong to it.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): call again.
    pub async fn logout_everywhere(&self, request: impl Into<LogoutEverywhere>) -> Result<usize> {
        let report = self.0.engine.admin.logout_everywhere(request).await?;
        Ok(report.published_or_error()?.len())
    }
}

/// A user and which of the user's sessions to revoke: all, unless restricted.
///
/// ```
/// # use regrant::LogoutEverywhere;
/// # use regrant::types::{SessionId, Subject};
/// # let (user, here) = (Subject::new("user-1")?, SessionId::random()?);
/// let everywhere_but_here = LogoutEverywhere::new(user).except(here);
/// # Ok::<(), regrant::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LogoutEverywhere {
    subject: Subject,
    which: SessionFilter,
    reason: RevocationReason,
}

impl LogoutEverywhere {
    /// All sessions of `subject`.
    pub fn new(subject: Subject) -> Self {
        Self { subject, which: SessionFilter::ALL, reason: RevocationReason::LogoutEverywhere }
    }

    /// Keeps this session and its access tokens: "everywhere but here".
    pub fn except(mut self, session: SessionId) -> Self {
        self.which.except = Some(session);
        self
    }

    /// Revokes only sessions that began before `instant`, such as a change of the password, and
    /// denies access tokens without a session only if they were issued before it. An instant in
    /// the future counts as now.
    pub fn before(mut self, instant: Timestamp) -> Self {
        self.which.created_before = Some(instant);
        self
    }

    /// Sets the reason that is stored and given to the clients. Default
    /// [`LogoutEverywhere`](RevocationReason::LogoutEverywhere).
    pub fn reason(mut self, reason: RevocationReason) -> Self {
        self.reason = reason;
        self
    }
}

impl From<Subject> for LogoutEverywhere {
    fn from(subject: Subject) -> Self {
        Self::new(subject)
    }
}

impl From<&Subject> for LogoutEverywhere {
    fn from(subject: &Subject) -> Self {
        Self::new(subject.clone())
    }
}

/// The result of a revocation.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct RevocationReport {
    /// The sessions that were live until now.
    pub revoked: Vec<SessionId>,
    /// The selected sessions that were over before: revoked, and they keep their reasons, or idle
    /// for too long.
    pub already_revoked: Vec<SessionId>,
    /// Whether enough replicas of the store confirmed the revocation; `None` where none were
    /// asked. After `false` a failover may restore the sessions.
    pub replicated: Option<bool>,
    /// Whether the revocation was published to the feed. After an error the sessions are revoked
    /// all the same, but their access tokens stay valid in other processes until they expire:
    /// call again.
    pub published: Result<()>,
}

impl RevocationReport {
    /// The sessions that were live until now, or the error of publishing.
    fn published_or_error(self) -> Result<Vec<SessionId>> {
        self.published.map(|()| self.revoked)
    }

    const fn outcome(&self) -> &'static str {
        match (&self.published, self.revoked.is_empty()) {
            (Err(_), _) => "store_error",
            (Ok(()), true) => "unchanged",
            (Ok(()), false) => "ended",
        }
    }
}

impl Engine {
    async fn logout(&self, refresh_token: &str, span: &Span) -> Result<bool> {
        if let Some(legacy) = self.legacy(refresh_token) {
            return legacy.logout(self, refresh_token, span).await;
        }
        let claims = self.verify_refresh_token(refresh_token)?;
        span.record("session", display(claims.session));
        self.end_session(&claims.subject, &claims.session, RevocationReason::Logout).await
    }

    /// As [`Auth::revoke_session`], without a span of its own.
    pub(crate) async fn end_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        let report = self.admin.end_session(subject, session, reason).await?;
        Ok(!report.published_or_error()?.is_empty())
    }

    /// The store detected a theft and revoked what the policy says: denies the access tokens.
    pub(super) async fn on_theft(&self, subject: &Subject, session: SessionId, how: &'static str) {
        let mut targets = vec![RevocationTarget::Session { session }];
        if self.policy.on_theft == TheftScope::Subject {
            match self.admin.revoked_sessions(subject).await {
                Ok(sessions) => targets.extend(sessions),
                Err(error) => {
                    tracing::warn!(target: "regrant::store", %error, "failed to deny the access tokens of a user's other sessions after a theft");
                }
            }
        }
        self.admin.deny_everywhere_best_effort(targets).await;
        self.admin.auditor.emit(subject, session, AuditKind::Theft { how });
    }
}

impl SessionAdmin {
    /// Revokes one session of a user. Its access tokens are denied in other processes as soon as
    /// they have read the feed.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): call again.
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevocationReport> {
        let span = metrics::operation_span!(INFO, "revoke");
        span.record("session", display(session));
        let revoking = self.end_session(subject, session, reason);
        metrics::instrument(span, revoking, RevocationReport::outcome).await
    }

    /// Revokes as [`Auth::logout_everywhere`] does, and reports the sessions.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): call again.
    pub async fn logout_everywhere(
        &self,
        request: impl Into<LogoutEverywhere>,
    ) -> Result<RevocationReport> {
        let request = request.into();
        let span = metrics::operation_span!(INFO, "revoke_all");
        metrics::instrument(span, self.end_all(&request), RevocationReport::outcome).await
    }

    async fn end_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevocationReport> {
        let RevokedSession { outcome, replicated } =
            self.store.revoke(subject, session, reason).await?;
        let (revoked, already_revoked) = match outcome {
            RevocationOutcome::Revoked => (vec![*session], Vec::new()),
            RevocationOutcome::AlreadyRevoked => (Vec::new(), vec![*session]),
            RevocationOutcome::Unknown => (Vec::new(), Vec::new()),
        };
        let stored = RevokedSessions { revoked, already_revoked, replicated };
        Ok(self.on_revoked(subject, stored, None, reason).await)
    }

    async fn end_all(&self, request: &LogoutEverywhere) -> Result<RevocationReport> {
        let LogoutEverywhere { subject, which, reason } = request;
        let now = self.clock.now();
        let before = which.created_before.map_or(now, |instant| instant.min(now));
        // Legacy tokens first: one that is migrated from here on is refused, and one that was
        // migrated before has a session, which is revoked below.
        if let Some(legacy) = &self.legacy {
            let until = match which.created_before {
                Some(instant) if instant <= now => just_before(instant),
                _ => now,
            };
            legacy.revoke_all(subject, until, which.except).await?;
        }
        let stored = self.store.revoke_all(subject, which, *reason).await?;
        // Legacy access tokens name no session: they are denied by their user.
        let user = RevocationTarget::Subject { subject: subject.clone(), issued_until: before };
        Ok(self.on_revoked(subject, stored, Some(user), *reason).await)
    }

    /// The store revoked these sessions: denies their access tokens everywhere and emits events.
    ///
    /// Sessions that were already revoked are published again, because the caller may be retrying
    /// after a failure to publish. The store returns only sessions of this user.
    async fn on_revoked(
        &self,
        subject: &Subject,
        stored: RevokedSessions,
        user: Option<RevocationTarget>,
        reason: RevocationReason,
    ) -> RevocationReport {
        let RevokedSessions { revoked, already_revoked, replicated } = stored;
        let sessions = revoked.iter().chain(&already_revoked);
        let sessions: Vec<_> =
            sessions.map(|sid| RevocationTarget::Session { session: *sid }).collect();
        if !sessions.is_empty() && replicated == Replicated::No {
            tracing::warn!(target: "regrant::store", "revocation not replicated; a failover may restore the session");
        }
        let published = self.deny_everywhere(sessions.into_iter().chain(user)).await;
        let replicated = replicated.answer();
        for session in &revoked {
            self.auditor.emit(subject, *session, AuditKind::Revoked { reason, replicated });
        }
        RevocationReport { revoked, already_revoked, replicated, published }
    }

    /// A login evicted these sessions and the store revoked them: denies their access tokens and
    /// emits events.
    pub(super) async fn on_evicted(&self, subject: &Subject, evicted: &[SessionId]) {
        let targets = evicted.iter().map(|session| RevocationTarget::Session { session: *session });
        self.deny_everywhere_best_effort(targets).await;
        let reason = RevocationReason::Displaced;
        for session in evicted {
            let kind = AuditKind::Revoked { reason, replicated: None };
            self.auditor.emit(subject, *session, kind);
        }
    }

    /// Denies access tokens in this process.
    pub(super) fn deny_locally(&self, target: RevocationTarget) -> Revocation {
        let now = self.clock.now();
        let revocation = Revocation { target, expires_at: now.plus(self.longest_access) };
        self.denied.deny(&revocation, now);
        metrics::set(&metrics::DENY_LIST_ENTRIES, self.denied.len() as f64);
        revocation
    }

    /// Denies access tokens in this process and publishes that to the feed.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): denied here, and perhaps
    /// published.
    async fn deny_everywhere(
        &self,
        targets: impl IntoIterator<Item = RevocationTarget>,
    ) -> Result<()> {
        let revocations: Vec<_> = targets.into_iter().map(|what| self.deny_locally(what)).collect();
        match self.store.feed() {
            Some(feed) if !revocations.is_empty() => feed.publish(&revocations).await,
            _ => Ok(()),
        }
    }

    /// Denies as [`SessionAdmin::deny_everywhere`] does, where a failure to publish must not fail
    /// the caller. The store has revoked already, so another process learns of the revocation at
    /// the token's first use there.
    pub(super) async fn deny_everywhere_best_effort(
        &self,
        targets: impl IntoIterator<Item = RevocationTarget>,
    ) {
        if let Err(error) = self.deny_everywhere(targets).await {
            tracing::warn!(target: "regrant::store", %error, "failed to publish a revocation to the feed");
        }
    }

    async fn revoked_sessions(&self, subject: &Subject) -> Result<Vec<RevocationTarget>> {
        let sessions = self.store.list(subject).await?;
        Ok(sessions
            .into_iter()
            .filter(|stored| stored.record.state != SessionState::Live)
            .map(|stored| RevocationTarget::Session { session: stored.id })
            .collect())
    }
}

const fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_sub(1))
}

/// How long one read of the feed waits for news. A quiet feed proves this often that it is alive.
const FEED_WAIT: Duration = Duration::from_secs(1);

/// The delay between attempts to read the feed; it doubles with each failure.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(50);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(2);

/// Applies what other processes publish to the deny list of this one, from the beginning of the
/// feed on: revocations from before this process started count too. Ends within [`FEED_WAIT`] of
/// the drop of the last [`Auth`].
pub(super) async fn follow_feed(store: Arc<dyn SessionStore>, engine: Weak<Engine>) {
    let Some(feed) = store.feed() else { return };
    let mut follower = FeedFollower::default();
    loop {
        let page = feed.read(&follower.cursor, FEED_WAIT).await;
        let Some(engine) = engine.upgrade() else { return };
        let span = metrics::operation_span!(DEBUG, "follow_feed");
        let applying = async { follower.apply(&engine, feed, page?).await };
        let applied = metrics::instrument(span, applying, |()| "ok").await;
        engine.update_gauges();
        drop(engine);
        if let Some(delay) = follower.retry_delay(applied) {
            sleep(delay + jitter(delay)).await;
        }
    }
}

#[derive(Default)]
struct FeedFollower {
    cursor: FeedCursor,
    /// Whether the end of the feed was reached once. Only what is published later is measured.
    caught_up: bool,
    /// The delay after the latest failure; `None` while reads succeed.
    delay: Option<Duration>,
}

impl FeedFollower {
    async fn apply(
        &mut self,
        engine: &Engine,
        feed: &dyn RevocationFeed,
        page: FeedPage,
    ) -> Result<()> {
        let now = engine.now();
        for revocation in &page.revocations {
            engine.admin.denied.deny(revocation, now);
        }
        self.cursor = page.next;
        if page.complete {
            engine.revocation_lag.set_read_at(now);
        }
        // Measured last, so that nothing waits for the store's clock.
        if self.caught_up && !page.published_at.is_empty() {
            measure_delivery(feed, &page.published_at).await;
        }
        self.caught_up |= page.complete;
        Ok(())
    }

    fn retry_delay(&mut self, applied: Result<()>) -> Option<Duration> {
        let previous = self.delay;
        self.delay = match &applied {
            Ok(()) => None,
            Err(_) => Some(previous.map_or(MIN_RETRY_DELAY, |it| (it * 2).min(MAX_RETRY_DELAY))),
        };
        match (applied, previous) {
            (Err(error), None) => {
                let cause = std::error::Error::source(&error);
                tracing::warn!(target: "regrant::store", %error, cause, "cannot read the revocation feed; revocations by other processes are unknown here until it recovers");
            }
            (Ok(()), Some(_)) => {
                tracing::info!(target: "regrant::store", "revocation feed recovered");
            }
            _ => {}
        }
        self.delay
    }
}

/// Records how long revocations took to arrive, between two readings of the store's clock.
async fn measure_delivery(feed: &dyn RevocationFeed, published_at: &[Timestamp]) {
    if let Ok(Some(now)) = feed.now().await {
        for at in published_at {
            metrics::seconds(&metrics::DELIVERY_SECONDS, &[], now.since(*at));
        }
    }
}

/// A random share of `delay`, so that processes do not retry all at once.
fn jitter(delay: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter, which does no harm.
    let share = getrandom::fill(&mut byte).map_or(0, |()| u32::from(byte[0]));
    delay * share / 255
}
