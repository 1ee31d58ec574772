//! The end of sessions.

use tracing::Span;
use tracing::field::display;

use super::event::AuditKind;
use super::{Auth, Ended, Engine, SessionAdmin};
use crate::error::Result;
use crate::observe;
use crate::revocation::RevocationTarget;
use crate::session::RefreshClaims;
use crate::store::{Replicated, RevocationOutcome, RevokedSession, RevokedSessions};
use crate::types::{RevocationReason, SessionId, Subject};

impl Auth {
    /// Ends the session of a refresh token, expired or not; tells whether it was live.
    ///
    /// # Errors
    /// The `reject` errors for what is not a refresh token of this server;
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn logout(&self, refresh_token: &str) -> Result<bool> {
        let span = observe::operation_span!(INFO, "logout");
        let ending = self.0.engine.end(refresh_token, &span);
        observe::within(span.clone(), ending, ended).await
    }

    /// Ends one session of a user; tells whether it was live. Its access tokens are refused from
    /// now on: here at once, in other processes as soon as they have read the feed.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): ask again.
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        let ended = self.0.engine.admin.revoke_session(subject, session, reason).await?;
        ended.if_told().map(|revoked| !revoked.is_empty())
    }
}

const fn ended(was_live: &bool) -> &'static str {
    if *was_live { "ended" } else { "unchanged" }
}

impl Engine {
    async fn end(&self, refresh_token: &str, span: &Span) -> Result<bool> {
        if let Some((adoption, token)) = self.legacy_token(refresh_token)? {
            span.record("session", display(token.session));
            return self.logout_old(adoption, &token).await;
        }
        let claims = RefreshClaims::verify(refresh_token, &self.refresh_keys())?;
        span.record("session", display(claims.session));
        self.end_session(&claims.subject, &claims.session, RevocationReason::Logout).await
    }

    /// As [`Auth::revoke_session`].
    pub(super) async fn end_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        let ended = self.admin.end_session(subject, session, reason).await?;
        ended.if_told().map(|revoked| !revoked.is_empty())
    }
}

impl SessionAdmin {
    /// Ends one session of a user. Its access tokens are refused from now on, in other processes
    /// as soon as they have read the feed.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): ask again.
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<Ended> {
        let span = observe::operation_span!(INFO, "revoke");
        span.record("session", display(session));
        let ending = self.end_session(subject, session, reason);
        observe::within(span, ending, Ended::outcome).await
    }

    async fn end_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<Ended> {
        let RevokedSession { outcome, replicated } =
            self.store.revoke(subject, session, reason).await?;
        let (revoked, already_revoked) = match outcome {
            RevocationOutcome::Revoked => (vec![*session], Vec::new()),
            RevocationOutcome::AlreadyRevoked => (Vec::new(), vec![*session]),
            RevocationOutcome::Unknown => (Vec::new(), Vec::new()),
        };
        let answer = RevokedSessions { revoked, already_revoked, replicated };
        Ok(self.after_revocation(subject, answer, None, reason).await)
    }

    /// The store has ended these sessions: refuse their access tokens, everywhere, and tell.
    ///
    /// Told again of those that had been ended: the caller may be asking again because the others
    /// could not be told. But only what is the user's own.
    pub(super) async fn after_revocation(
        &self,
        subject: &Subject,
        answer: RevokedSessions,
        user: Option<RevocationTarget>,
        reason: RevocationReason,
    ) -> Ended {
        let RevokedSessions { revoked, already_revoked, replicated } = answer;
        let sessions = revoked.iter().chain(&already_revoked);
        let sessions: Vec<_> =
            sessions.map(|sid| RevocationTarget::Session { session: *sid }).collect();
        if !sessions.is_empty() {
            warn_unless(replicated);
        }
        let told = self.refuse(sessions.into_iter().chain(user)).await;
        let replicated = replicated.answer();
        for session in &revoked {
            self.auditor.emit(subject, *session, AuditKind::Revoked { reason, replicated });
        }
        Ended { revoked, already_revoked, replicated, told }
    }
}

fn warn_unless(replicated: Replicated) {
    if replicated == Replicated::No {
        tracing::warn!(target: "regrant::store", "too few replicas have a revocation: a failover may bring the session back");
    }
}
