//! The end of all sessions of a user, or of those that are meant.

use super::{Auth, Ended, SessionAdmin};
use crate::error::Result;
use crate::migration::RevokedBefore;
use crate::observe;
use crate::revocation::RevocationTarget;
use crate::store::SessionFilter;
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// Whose sessions are to end, and which of them: all, unless it says otherwise.
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

    /// Not this session: "everywhere but here". Its access tokens go on working.
    pub fn except(mut self, session: SessionId) -> Self {
        self.which.except = Some(session);
        self
    }

    /// Only sessions that began before this instant: those from before the password was changed,
    /// whoever asks when. Of access tokens that name no session, those that were issued before it.
    pub fn before(mut self, instant: Timestamp) -> Self {
        self.which.created_before = Some(instant);
        self
    }

    /// The reason that the sessions are told. Default
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

impl Auth {
    /// Ends all sessions of a user, or those that the request means; tells how many were live.
    /// Access tokens that name no session, as the app that was here before issued them, are
    /// refused too, also where one session is left alone: it cannot be told which are its own.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): ask again.
    pub async fn logout_everywhere(&self, request: impl Into<LogoutEverywhere>) -> Result<usize> {
        let ended = self.0.engine.admin.logout_everywhere(request).await?;
        ended.if_told().map(|revoked| revoked.len())
    }
}

impl SessionAdmin {
    /// As [`Auth::logout_everywhere`]; tells which they were.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): ask again.
    pub async fn logout_everywhere(&self, request: impl Into<LogoutEverywhere>) -> Result<Ended> {
        let request = request.into();
        let span = observe::operation_span!(INFO, "revoke_all");
        observe::within(span, self.end_all(&request), Ended::outcome).await
    }

    async fn end_all(&self, request: &LogoutEverywhere) -> Result<Ended> {
        let LogoutEverywhere { subject, which, reason } = request;
        let now = self.clock.now();
        // What is yet to come is not ended in advance.
        let before = which.created_before.map_or(now, |instant| instant.min(now));
        // First: a token of the old app that is taken over from here on is refused by this, and
        // one that was taken over before has a session.
        if let Some(legacy_store) = &self.legacy_store {
            let until = match which.created_before {
                Some(instant) if instant <= now => just_before(instant),
                _ => now,
            };
            let ended = RevokedBefore { until, except: which.except };
            legacy_store.end_all_of(subject, &ended).await?;
        }
        let answer = self.store.revoke_all(subject, which, *reason).await?;
        // Tokens of the app that was here before know no session: they end by their user's name.
        let user = RevocationTarget::Subject { subject: subject.clone(), issued_until: before };
        Ok(self.after_revocation(subject, answer, Some(user), *reason).await)
    }
}

const fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_sub(1))
}
