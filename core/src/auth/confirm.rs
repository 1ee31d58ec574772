//! What becomes of a session once one of its access tokens was seen in use.

use tracing::field::display;

use super::{Auth, Engine};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::observe;
use crate::revocation::{Denial, RevocationTarget};
use crate::session::{AccessTokenUse, UseOutcome};
use crate::types::{SessionId, Subject};

impl Auth {
    /// Tells the store that an access token was seen in use: for verifiers that stand apart from
    /// this facade. [`Auth::verify`] does so by itself, in the background.
    ///
    /// # Errors
    /// [`Error::AccessRevoked`] when the session is over, or is so now because the token gave a
    /// second holder away; [`Error::StoreUnavailable`]: not told, which delays the detection of
    /// a theft and does no other harm.
    pub async fn confirm(&self, access: &VerifiedAccess) -> Result<()> {
        let (Some(session), Some(family_position)) = (access.session(), access.family_position())
        else {
            return Ok(());
        };
        let engine = &self.0.engine;
        let denied = engine.admin.denied.check(access) == Some(Denial::DiscardedChild);
        match engine
            .sighted(access.subject(), session, AccessTokenUse { family_position, denied })
            .await?
        {
            Seen::Live | Seen::Unknown => Ok(()),
            Seen::Ended => Err(Error::AccessRevoked),
        }
    }
}

/// What the store knows of the session whose access token was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is live.
    Live,
    /// It is over, perhaps because of this very sighting.
    Ended,
    /// The store has lost it. Nobody is signed out by that before the token expires.
    Unknown,
}

impl Engine {
    /// Tells the store of a sighting and follows what it knows.
    pub(super) async fn sighted(
        &self,
        subject: &Subject,
        session: SessionId,
        token_use: AccessTokenUse,
    ) -> Result<Seen> {
        let span = observe::operation_span!(DEBUG, "confirm");
        span.record("session", display(session));
        let following = self.follow_sighting(subject, session, token_use);
        observe::within(span, following, |seen| match seen {
            Seen::Live => "live",
            Seen::Ended => "ended",
            Seen::Unknown => "unknown",
        })
        .await
    }

    async fn follow_sighting(
        &self,
        subject: &Subject,
        session: SessionId,
        token_use: AccessTokenUse,
    ) -> Result<Seen> {
        match self
            .admin
            .store
            .record_use(subject, &session, &token_use, self.policy.on_theft)
            .await?
        {
            Some(UseOutcome::Confirmed | UseOutcome::Unchanged) => Ok(Seen::Live),
            Some(UseOutcome::Theft) => {
                let how = if token_use.denied { "denied_access" } else { "abandoned_branch" };
                self.after_theft(subject, session, how).await;
                Ok(Seen::Ended)
            }
            // Ended elsewhere, perhaps by another process: its access tokens end here too.
            Some(UseOutcome::Revoked(_) | UseOutcome::Expired) => {
                self.admin.deny_locally(RevocationTarget::Session { session });
                Ok(Seen::Ended)
            }
            None => Ok(Seen::Unknown),
        }
    }
}
