//! The end of sessions.

use super::event::AuditKind;
use super::{Auth, Engine};
use crate::error::Result;
use crate::identity::{SessionId, Subject};
use crate::revocation::{RevocationReason, Revoked};
use crate::session::RefreshClaims;

impl Auth {
    /// Ends the session of a refresh token, expired or not; tells whether it was live.
    ///
    /// # Errors
    /// The `reject` errors for what is not a refresh token of this server;
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn logout(&self, refresh_token: &str) -> Result<bool> {
        let engine = &self.0.engine;
        if let Some((adoption, token)) = engine.old_token(refresh_token)? {
            return engine.logout_old(adoption, &token).await;
        }
        let claims = RefreshClaims::verify(refresh_token, &engine.refresh_keys)?;
        engine.end_session(&claims.subject, &claims.session, RevocationReason::Logout).await
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
        self.0.engine.end_session(subject, session, reason).await
    }

    /// Ends all sessions of a user; tells how many were live.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): ask again.
    pub async fn logout_everywhere(&self, subject: &Subject) -> Result<usize> {
        let engine = &self.0.engine;
        let reason = RevocationReason::LogoutEverywhere;
        // First: a token of the old app that is taken over from here on is refused by this, and
        // one that was taken over before has a session.
        if let Some(adoption) = &engine.adoption {
            adoption.old_store().end_all_of(subject, engine.clock.now()).await?;
        }
        let sessions = engine.store.revoke_all(subject, reason).await?;
        let mut ended = engine.ended_sessions(subject).await?;
        // Tokens of the app that was here before know no session: they end by their user's name.
        ended.push(Revoked::Subject { sub: subject.clone(), before: engine.clock.now() });
        engine.refuse(ended).await?;
        for session in &sessions {
            engine.auditor.emit(subject, *session, AuditKind::Revoked { reason });
        }
        Ok(sessions.len())
    }
}

impl Engine {
    /// Ends one session and tells every process; see [`Auth::revoke_session`].
    pub(super) async fn end_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<bool> {
        let was_live = self.store.revoke(subject, session, reason).await?;
        let ended = Revoked::Session { sid: *session };
        // Told again where it had been ended: the caller may be asking again because the others
        // could not be told. But only what is the user's own.
        if was_live || self.ended_sessions(subject).await?.contains(&ended) {
            self.refuse([ended]).await?;
        }
        if was_live {
            self.auditor.emit(subject, *session, AuditKind::Revoked { reason });
        }
        Ok(was_live)
    }
}
