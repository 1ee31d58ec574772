//! What a presented refresh token claims: one of this server, or one of the app that was here
//! before, which is taken over first.

use super::Engine;
use super::event::AuditKind;
use crate::error::{Error, Result};
use crate::migration::{Found, LegacyToken, Migration, Place, Standing, Taken};
use crate::session::{Decision, Record, RefreshClaims};
use crate::types::{RevocationReason, SessionId, Timestamp};

/// A refresh token whose form and signature were checked, and whose user is known.
pub(super) struct PresentedRefreshToken<'a> {
    pub(super) claims: RefreshClaims,
    old: Option<Old<'a>>,
}

impl PresentedRefreshToken<'_> {
    /// Whether it is a token of the app that was here before, which a refresh would take over.
    pub(super) fn is_to_be_adopted(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.standing == Standing::New)
    }

    /// Whether it is a token that an old process has logged out after it was taken over.
    pub(super) fn is_logged_out(&self) -> bool {
        matches!(self.old, Some(Old { standing: Standing::LoggedOut(_), .. }))
    }
}

struct Old<'a> {
    adoption: &'a Migration,
    token: LegacyToken<'a>,
    standing: Standing,
}

impl Engine {
    /// The token as one of the app that was here before, if it is one and they are accepted.
    ///
    /// # Errors
    /// The `reject` errors for one that pretends to be.
    pub(super) fn legacy_token<'a>(
        &'a self,
        token: &'a str,
    ) -> Result<Option<(&'a Migration, LegacyToken<'a>)>> {
        match &self.adoption {
            Some(adoption) if LegacyToken::is_announced(token) => {
                Ok(Some((adoption, adoption.read(token)?)))
            }
            _ => Ok(None),
        }
    }

    /// Whose token this is. Changes nothing.
    ///
    /// # Errors
    /// The `reject` errors; for an old token also [`Error::RefreshExpired`],
    /// [`Error::SessionUnknown`] and [`Error::StoreUnavailable`].
    pub(super) async fn claimed<'a>(&'a self, token: &'a str) -> Result<PresentedRefreshToken<'a>> {
        let Some((adoption, token)) = self.legacy_token(token)? else {
            let claims = RefreshClaims::verify(token, &self.refresh_keys())?;
            return Ok(PresentedRefreshToken { claims, old: None });
        };
        token.check_times(self.admin.clock.now())?;
        let found = adoption.find(&token).await?;
        let Found { subject, standing } = found.ok_or(Error::SessionUnknown)?;
        let end = match standing {
            Standing::New => Record::MAX_TIMESTAMP,
            Standing::Adopted(end) | Standing::LoggedOut(end) => end,
        };
        let claims = token.claims(subject, end);
        Ok(PresentedRefreshToken { claims, old: Some(Old { adoption, token, standing }) })
    }

    /// An old token's session begun, or ended, as the old app has it: from here on the session
    /// decides alone. Others stay as they are.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(super) async fn settled<'a>(
        &self,
        claimed: PresentedRefreshToken<'a>,
    ) -> Result<PresentedRefreshToken<'a>> {
        let PresentedRefreshToken { mut claims, old } = claimed;
        let Some(old) = old else { return Ok(PresentedRefreshToken { claims, old }) };
        match old.standing {
            Standing::New => {
                let to = (old.standing, Place::Kept);
                let (_, end) = self.take_over(old.adoption, &old.token, &claims, to).await?;
                claims = old.token.claims(claims.subject, end);
            }
            Standing::Adopted(_) => {}
            Standing::LoggedOut(_) => {
                let reason = RevocationReason::Logout;
                self.end_session(&claims.subject, &claims.session, reason).await?;
            }
        }
        Ok(PresentedRefreshToken { claims, old: Some(old) })
    }

    /// Begins the session of an old token that stands as `standing` says, and ends it where the
    /// old app has ended it. Tells whether it lives, and until when.
    pub(super) async fn take_over(
        &self,
        adoption: &Migration,
        token: &LegacyToken<'_>,
        claims: &RefreshClaims,
        (standing, place): (Standing, Place),
    ) -> Result<(bool, Timestamp)> {
        let (subject, now) = (&claims.subject, self.admin.clock.now());
        let store = self.admin.store.as_ref();
        let taken = adoption.take_over(token, subject, place, store, &self.policy, now).await?;
        let (end, ended) = match taken {
            Taken::Adopted(end) => (end, None),
            Taken::LoggedOut(end) => (end, Some(RevocationReason::Logout)),
            Taken::Ended(end) => (end, Some(RevocationReason::LogoutEverywhere)),
        };
        match ended {
            Some(reason) => drop(self.end_session(subject, &claims.session, reason).await?),
            None if standing == Standing::New => {
                self.admin.auditor.emit(subject, claims.session, AuditKind::Adopted);
            }
            None => {}
        }
        Ok((ended.is_none(), end))
    }

    /// Logs an old token out here and in the old app; tells whether it was logged in.
    ///
    /// The old key goes first: an adoption that is under way finds it gone and ends its session.
    pub(super) async fn logout_old(
        &self,
        adoption: &Migration,
        token: &LegacyToken<'_>,
    ) -> Result<bool> {
        let (was_there, mark) = adoption.legacy_store().remove(token.text, &token.session).await?;
        let Some(mark) = mark else { return Ok(was_there) };
        self.end_session(&mark.subject, &token.session, RevocationReason::Logout).await
    }

    /// A session that was ended here is ended in the old app too, as soon as its old token shows.
    pub(super) async fn refuse_old(&self, claimed: &PresentedRefreshToken<'_>, refusal: Decision) {
        let Some(Old { adoption, token, .. }) = &claimed.old else { return };
        if !matches!(refusal, Decision::Theft(_) | Decision::Revoked(_)) {
            return;
        }
        let session: SessionId = token.session;
        if let Err(error) = adoption.legacy_store().remove(token.text, &session).await {
            tracing::warn!(target: "regrant::store", %error, %session, "an ended session's old key was not removed");
        }
    }
}
