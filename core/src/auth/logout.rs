//! The end of sessions.

use tracing::Span;
use tracing::field::display;

use super::event::AuditKind;
use super::{Auth, Engine};
use crate::error::Result;
use crate::identity::{SessionId, Subject};
use crate::observe;
use crate::revocation::{RevocationReason, Revoked};
use crate::session::RefreshClaims;
use crate::store::{Replicated, RevocationOutcome, RevokedSession};

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
        let span = observe::operation_span!(INFO, "revoke");
        span.record("session", display(session));
        let ending = self.0.engine.end_session(subject, session, reason);
        observe::within(span, ending, ended).await
    }
}

const fn ended(was_live: &bool) -> &'static str {
    if *was_live { "ended" } else { "unchanged" }
}

impl Engine {
    async fn end(&self, refresh_token: &str, span: &Span) -> Result<bool> {
        if let Some((adoption, token)) = self.old_token(refresh_token)? {
            span.record("session", display(token.session));
            return self.logout_old(adoption, &token).await;
        }
        let claims = RefreshClaims::verify(refresh_token, &self.refresh_keys)?;
        span.record("session", display(claims.session));
        self.end_session(&claims.subject, &claims.session, RevocationReason::Logout).await
    }

    /// Ends one session and tells every process; see [`Auth::revoke_session`].
    pub(super) async fn end_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        let RevokedSession { outcome, replicated } =
            self.store.revoke(subject, session, reason).await?;
        let was_live = outcome == RevocationOutcome::Revoked;
        // Told again where it had been ended: the caller may be asking again because the others
        // could not be told. But only what is the user's own.
        if outcome != RevocationOutcome::Unknown {
            self.refuse([Revoked::Session { sid: *session }]).await?;
            warn_unless(replicated);
        }
        if was_live {
            let replicated = replicated.answer();
            self.auditor.emit(subject, *session, AuditKind::Revoked { reason, replicated });
        }
        Ok(was_live)
    }
}

pub(super) fn warn_unless(replicated: Replicated) {
    if replicated == Replicated::No {
        tracing::warn!(target: "regrant::store", "too few replicas have a revocation: a failover may bring the session back");
    }
}
