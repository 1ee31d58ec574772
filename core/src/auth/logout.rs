//! Logout: revokes one session of a user, or all of them, in every process.
//!
//! A revocation is first written to the store, so that no refresh succeeds. Then the access tokens
//! of the session are denied (`denial.rs`).

use std::time::Duration;

use tracing::Span;
use tracing::field::display;

use super::events::AuditKind;
use super::unfinished::RevocationRequest;
use super::{Auth, Engine, SessionAdmin, metrics};
use crate::dpop::PresentedProof;
use crate::error::{Error, Result};
use crate::revocation::RevocationTarget;
use crate::session::{ClientDetails, RefreshClaims, SessionNotes, TheftScope};
use crate::store::{Replicated, RevocationOutcome, RevokedSession, RevokedSessions, SessionFilter};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

impl Auth {
    /// Revokes the session of a refresh token, expired or not. Returns whether it was live. Once it has
    /// begun it is finished, also if the future is dropped, as a server does when its client disconnects.
    ///
    /// # Errors
    /// - The `reject` errors for a token that this server did not issue.
    /// - For a session that is bound to a key [`Error::DpopProofMissing`] ([`Logout::proof`]),
    ///   [`Error::DpopProofInvalid`], [`Error::DpopProofReplayed`] and [`Error::DpopNonceRequired`].
    /// - [`Error::StoreUnavailable`]: the access tokens are denied in this process, which repeats the
    ///   revocation in the background until the store has it, for as long as the process runs. A call
    ///   that succeeds tells that the store has it. While the legacy store is unavailable,
    ///   the logout of a legacy token changes nothing: call again.
    /// - [`Error::TooManyAttempts`]: the session is revoked and its access tokens are denied in this
    ///   process, but they stay valid in others, because the user has ended more than 1,000 sessions
    ///   within the lifetime of an access token.
    pub async fn logout(&self, request: impl Into<Logout<'_>>) -> Result<bool> {
        let request = request.into();
        let span = metrics::operation_span!(INFO, "logout");
        let logout = self.0.engine.logout(request, &span);
        let outcome = |was_live: &bool| if *was_live { "ended" } else { "unchanged" };
        metrics::instrument(span.clone(), logout, outcome).await
    }

    /// Revokes one session of a user. Returns whether it was live. Its access tokens are denied in
    /// this process at once, and in other processes as soon as they have read the feed, also where the
    /// store has lost the session.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] and [`Error::TooManyAttempts`], as [`Auth::logout`].
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        self.revoke_session_from(subject, session, reason, ClientDetails::default()).await
    }

    /// As [`Auth::revoke_session`]; the audit event names the client that asked for it.
    ///
    /// # Errors
    /// As [`Auth::revoke_session`].
    pub async fn revoke_session_from(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
        client: ClientDetails,
    ) -> Result<bool> {
        let engine = &self.0.engine;
        let client = engine.recorded(client);
        let revoking = engine.admin.revoke_session_from(subject, session, reason, client.as_ref());
        Ok(!revoking.await?.published_or_error()?.is_empty())
    }

    /// Revokes all sessions of a user, or those that the request selects. Returns how many were
    /// live.
    ///
    /// Access tokens that name no session, as legacy apps issue them, are denied too, even where
    /// one session is excepted: nothing tells which of them belong to it. So are those of sessions that
    /// the store has lost, with [`Error::TokenExpired`]: their clients
    /// refresh and are told to sign in.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] and [`Error::TooManyAttempts`], as [`Auth::logout`].
    pub async fn logout_everywhere(&self, request: impl Into<LogoutEverywhere>) -> Result<usize> {
        let engine = &self.0.engine;
        let mut request = request.into();
        request.client = request.client.and_then(|client| engine.recorded(client));
        let report = engine.admin.logout_everywhere(request).await?;
        Ok(report.published_or_error()?.len())
    }
}

/// A refresh token whose session is to be revoked, and what its request tells. A `&str` is one too:
/// `auth.logout(token)`.
#[derive(Clone)]
#[must_use]
pub struct Logout<'a> {
    token: &'a str,
    proof: Option<PresentedProof>,
    client: ClientDetails,
}

impl<'a> Logout<'a> {
    /// The session of `token`, as the client sent it, without a scheme in front.
    pub fn new(token: &'a str) -> Self {
        Self { token, proof: None, client: ClientDetails::default() }
    }

    /// Sets the DPoP proof of the request, which is checked if the session is bound to a key: a thief
    /// of its refresh token cannot revoke it either.
    pub fn proof(mut self, proof: PresentedProof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// Sets what the request tells of its client, for the audit event.
    pub fn client(mut self, client: ClientDetails) -> Self {
        self.client = client;
        self
    }
}

impl<'a> From<&'a str> for Logout<'a> {
    fn from(token: &'a str) -> Self {
        Self::new(token)
    }
}

impl<'a> From<&'a String> for Logout<'a> {
    fn from(token: &'a String) -> Self {
        Self::new(token)
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
    pub(super) subject: Subject,
    pub(super) which: SessionFilter,
    pub(super) reason: RevocationReason,
    pub(super) client: Option<ClientDetails>,
}

impl LogoutEverywhere {
    /// All sessions of `subject`.
    pub fn new(subject: Subject) -> Self {
        let reason = RevocationReason::LogoutEverywhere;
        Self { subject, which: SessionFilter::ALL, reason, client: None }
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

    /// Sets what the request tells of its client, for the audit events.
    pub fn client(mut self, client: ClientDetails) -> Self {
        self.client = client.known();
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
    async fn logout(&self, request: Logout<'_>, span: &Span) -> Result<bool> {
        let Logout { token, proof, client } = request;
        let client = self.recorded(client);
        if let Some(legacy) = self.legacy(token) {
            return legacy.logout(self, token, client.as_ref(), span).await;
        }
        let claims = self.verify_refresh_token(token)?;
        span.record("session", display(claims.session));
        self.check_refresh_proof(claims.key, proof.as_ref())?;
        let RefreshClaims { subject, session, .. } = &claims;
        self.revoke_one(subject, session, RevocationReason::Logout, client.as_ref()).await
    }

    /// Revokes the session of a refresh token that this server issued, or that a legacy app did.
    pub(crate) async fn revoke_one(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
        client: Option<&ClientDetails>,
    ) -> Result<bool> {
        let report = self.admin.revoke_one(subject, session, reason, client).await?;
        Ok(!report.published_or_error()?.is_empty())
    }

    /// Denies the access tokens of a session that the store has revoked: perhaps by another process, or, after a theft, by
    /// an attempt of this one whose answer was lost, so that nobody has heard of it.
    pub(super) async fn deny_revoked(
        &self,
        subject: &Subject,
        session: SessionId,
        reason: RevocationReason,
    ) {
        let target = RevocationTarget::Session { session };
        if reason != RevocationReason::Reused {
            self.admin.deny_locally(target);
            return;
        }
        let is_unheard = !self.admin.denied.is_published(&target, Duration::ZERO);
        if is_unheard && self.policy.on_theft == TheftScope::Subject {
            // First, as long as the theft is unheard of: an attempt that ends in between is repeated whole.
            self.revoke_others_after_theft(subject, session).await;
        }
        self.admin.deny_everywhere_best_effort(subject, Vec::new(), vec![target]).await;
    }

    /// The user's other sessions, but not those that began since the theft: the deadline of a revoked session is its end.
    async fn revoke_others_after_theft(&self, subject: &Subject, session: SessionId) {
        let Ok(Some(record)) = self.record(subject, session).await else { return };
        let until = record.idle_deadline.plus(Duration::from_millis(1));
        let others = LogoutEverywhere::new(subject.clone()).before(until);
        self.revoke_after_theft(&others.reason(RevocationReason::Reused)).await;
    }

    async fn revoke_after_theft(&self, request: &LogoutEverywhere) {
        if let Err(error) = self.admin.revoke_all(request).await {
            tracing::warn!(target: "regrant::store", %error, "failed to revoke a user's other sessions after a theft; trying again");
        }
    }

    /// The store detected a theft and revoked what the policy says: denies the access tokens.
    pub(super) async fn on_theft(
        &self,
        subject: &Subject,
        session: SessionId,
        client: Option<&ClientDetails>,
        notes: SessionNotes,
        how: &'static str,
    ) {
        let SessionNotes { created_from, refreshed_from, .. } = match self.policy.record_clients {
            true => notes,
            // Stored before that was turned off.
            false => SessionNotes::default(),
        };
        let kind = AuditKind::Theft { how, created_from, last_refreshed_from: refreshed_from };
        self.admin.auditor.emit_from(subject, session, client, kind);
        let denying = self.admin.deny_everywhere_best_effort(
            subject,
            vec![RevocationTarget::Session { session }],
            Vec::new(),
        );
        if self.policy.on_theft != TheftScope::Subject {
            return denying.await;
        }
        // Those of other realms are live, and the access tokens of all are valid.
        let mut all = LogoutEverywhere::new(subject.clone()).reason(RevocationReason::Reused);
        all.client = client.cloned();
        // Both have begun when a caller can go.
        tokio::join!(denying, self.revoke_after_theft(&all));
    }
}

impl SessionAdmin {
    /// Revokes one session of a user. Its access tokens are denied in other processes as soon as
    /// they have read the feed.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`]: call again.
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevocationReport> {
        self.revoke_session_from(subject, session, reason, None).await
    }

    async fn revoke_session_from(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
        client: Option<&ClientDetails>,
    ) -> Result<RevocationReport> {
        let span = metrics::operation_span!(INFO, "revoke");
        span.record("session", display(session));
        let revoking = self.revoke_one(subject, session, reason, client);
        metrics::instrument(span, revoking, RevocationReport::outcome).await
    }

    /// Revokes as [`Auth::logout_everywhere`] does, and reports the sessions.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`]: call again.
    pub async fn logout_everywhere(
        &self,
        request: impl Into<LogoutEverywhere>,
    ) -> Result<RevocationReport> {
        let request = request.into();
        let span = metrics::operation_span!(INFO, "revoke_all");
        metrics::instrument(span, self.revoke_all(&request), RevocationReport::outcome).await
    }

    async fn revoke_one(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
        client: Option<&ClientDetails>,
    ) -> Result<RevocationReport> {
        let unfinished = self.unfinished.begin([RevocationRequest::Session {
            subject: subject.clone(),
            session: *session,
            reason,
            client: client.cloned(),
        }]);
        let report = self.try_revoke_one(subject, session, reason, client).await;
        if !is_unfinished(&report) {
            unfinished.done();
        }
        report
    }

    async fn revoke_all(&self, request: &LogoutEverywhere) -> Result<RevocationReport> {
        let LogoutEverywhere { subject, mut which, reason, client } = request.clone();
        // A session that begins before the repetition is not meant.
        let until = Timestamp::from_millis(self.clock.now().as_millis().saturating_add(1));
        which.created_before = Some(which.created_before.map_or(until, |it| it.min(until)));
        let repetition = RevocationRequest::Everywhere { subject, which, reason, client };
        let unfinished = self.unfinished.begin([repetition]);
        let report = self.try_revoke_all(request).await;
        if !is_unfinished(&report) {
            unfinished.done();
        }
        report
    }

    /// Denies the access tokens in this process even if the store fails.
    pub(super) async fn try_revoke_one(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
        client: Option<&ClientDetails>,
    ) -> Result<RevocationReport> {
        let unknown =
            || RevocationTarget::UserSession { subject: subject.clone(), session: *session };
        let deny_here = |_: &Error| drop(self.deny_locally(unknown()));
        let _permit = self.in_flight.acquire(self.max_in_flight).inspect_err(deny_here)?;
        let stored = self.store.revoke(subject, session, reason).await.inspect_err(deny_here)?;
        let RevokedSession { outcome, replicated } = stored;
        let (mut revoked, mut already_revoked, mut others) = (Vec::new(), Vec::new(), Vec::new());
        match outcome {
            RevocationOutcome::Revoked => revoked.push(*session),
            RevocationOutcome::AlreadyRevoked { ended_at } => {
                already_revoked.push((*session, ended_at));
            }
            // The store may have lost it, and its access tokens are still valid.
            RevocationOutcome::Unknown => others.push(unknown()),
        }
        let stored = RevokedSessions { revoked, already_revoked, replicated };
        Ok(self.on_revoked(subject, stored, others, reason, client).await)
    }

    /// Denies the access tokens in this process even if the store fails.
    pub(super) async fn try_revoke_all(
        &self,
        request: &LogoutEverywhere,
    ) -> Result<RevocationReport> {
        let LogoutEverywhere { subject, which, reason, client } = request;
        let now = self.clock.now();
        let before = which.created_before.map_or(now, |instant| instant.min(now));
        // Access tokens of legacy apps name no session, and the store may have lost sessions: both
        // are denied by their user. Sessions from the second of `created_before` may be kept.
        let session_tokens_until = match which.created_before {
            Some(instant) if instant <= now => instant.minus(Duration::from_secs(1)),
            _ => now,
        };
        let of_user = || {
            [
                RevocationTarget::Subject { subject: subject.clone(), issued_until: before },
                RevocationTarget::UserCutoff {
                    subject: subject.clone(),
                    issued_until: session_tokens_until,
                    except: which.except,
                },
            ]
        };
        let deny_here = |_: &Error| {
            for target in of_user() {
                self.deny_locally(target);
            }
        };
        let _permit = self.in_flight.acquire(self.max_in_flight).inspect_err(deny_here)?;
        // Legacy tokens first: one that is migrated from here on is refused, and one that was
        // migrated before has a session, which is revoked below.
        if let Some(legacy) = &self.legacy {
            let until = match which.created_before {
                Some(instant) if instant <= now => just_before(instant),
                _ => now,
            };
            legacy.revoke_all(subject, until, which.except).await.inspect_err(deny_here)?;
        }
        let stored = self.store.revoke_all(subject, which, *reason).await.inspect_err(deny_here)?;
        Ok(self.on_revoked(subject, stored, of_user().to_vec(), *reason, client.as_ref()).await)
    }

    /// The store revoked these sessions: denies their access tokens everywhere and emits events.
    ///
    /// Sessions that were already revoked are published again where that has failed before, because
    /// the caller may be retrying. The store returns only sessions of this user.
    async fn on_revoked(
        &self,
        subject: &Subject,
        stored: RevokedSessions,
        others: Vec<RevocationTarget>,
        reason: RevocationReason,
        client: Option<&ClientDetails>,
    ) -> RevocationReport {
        let RevokedSessions { revoked, already_revoked, replicated } = stored;
        let target = |session: &SessionId| RevocationTarget::Session { session: *session };
        if revoked.len() + already_revoked.len() > 0 && replicated == Replicated::No {
            tracing::warn!(target: "regrant::store", "revocation not replicated; a failover may restore the session");
        }
        let new: Vec<_> = revoked.iter().map(target).collect();
        let now = self.clock.now();
        // Of a session that ended long ago no access token is alive.
        let is_recent = |session: &SessionId, ended_at: Timestamp| {
            now < ended_at.plus(self.retention().saturating_add(CLOCK_MARGIN))
                || self.denied.is_revoked(subject, session)
        };
        let recent = already_revoked.iter().filter(|(id, ended_at)| is_recent(id, *ended_at));
        let repeated = recent.map(|(id, _)| target(id)).chain(others).collect();
        let replicated = replicated.answer();
        // Before anything is awaited: a repetition finds nothing that was live.
        for session in &revoked {
            let kind = AuditKind::Revoked { reason, replicated };
            self.auditor.emit_from(subject, *session, client, kind);
        }
        let published = self.deny_everywhere(subject, new, repeated).await;
        let already_revoked = already_revoked.into_iter().map(|(session, _)| session).collect();
        RevocationReport { revoked, already_revoked, replicated, published }
    }

    /// A login evicted these sessions and the store revoked them: denies their access tokens and
    /// emits events.
    pub(super) async fn on_evicted(
        &self,
        subject: &Subject,
        evicted: &[SessionId],
        client: Option<&ClientDetails>,
    ) {
        let reason = RevocationReason::Displaced;
        for session in evicted {
            let kind = AuditKind::Revoked { reason, replicated: None };
            self.auditor.emit_from(subject, *session, client, kind);
        }
        let target = |session: &SessionId| RevocationTarget::Session { session: *session };
        let targets = evicted.iter().map(target).collect();
        self.deny_everywhere_best_effort(subject, targets, Vec::new()).await;
    }
}

/// Whether a revocation could not be stored or published, and may be later.
pub(super) const fn is_unfinished(report: &Result<RevocationReport>) -> bool {
    matches!(
        report,
        Err(Error::StoreUnavailable { .. })
            | Ok(RevocationReport { published: Err(Error::StoreUnavailable { .. }), .. })
    )
}

/// How far the clocks of processes and store may differ before a revocation counts as over too early.
pub(super) const CLOCK_MARGIN: Duration = Duration::from_secs(300);

const fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_sub(1))
}
