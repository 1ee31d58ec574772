//! What a server would say to a token now, found out without changing anything: for operators.

use std::time::Duration;

use serde::Serialize;

use super::refresh::refusal_error;
use super::{Auth, Renewal};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::revocation::{DenyList, FeedCursor};
use crate::session::{Decision, Record, SessionState, step};
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// A refresh that would be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RefreshIntrospection {
    /// Whose session it is.
    pub subject: Subject,
    /// Which session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// When the token was issued; milliseconds since 1970.
    pub issued_at: Timestamp,
    /// When the token, or for an old token its session, ends; milliseconds since 1970.
    pub expires_at: Timestamp,
    /// How it would be answered.
    pub renewal: Renewal,
    /// Whether it is a token of the app that was here before, which would be taken over.
    pub adopts: bool,
}

impl Auth {
    /// What [`Auth::verify`] would say to an access token in a process that knows of every
    /// revocation: asks the feed, and the store about the session. Changes nothing; the store is
    /// not told that the token was seen.
    ///
    /// # Errors
    /// As [`Auth::verify`], and [`Error::StoreUnavailable`].
    pub async fn introspect_access(&self, token: &str) -> Result<VerifiedAccess> {
        let access = self.0.verifying.now().verify(token)?;
        let denied_here = self.0.engine.admin.denied.check(&access);
        if denied_here.is_some() || self.all_denied().await?.check(&access).is_some() {
            return Err(Error::AccessRevoked);
        }
        let Some(session) = access.session() else { return Ok(access) };
        match self.record(access.subject(), session).await? {
            Some(Record { state: SessionState::Revoked(_), .. }) => Err(Error::AccessRevoked),
            // A session that the store lost signs nobody out before its access token expires.
            Some(_) | None => Ok(access),
        }
    }

    /// What [`Auth::refresh`] would say to a refresh token now, by the clock of this machine.
    /// Changes nothing.
    ///
    /// # Errors
    /// As [`Auth::refresh`]. [`Error::RefreshReused`] says that a refresh would be taken for a
    /// theft, and would revoke the session.
    pub async fn introspect_refresh(&self, token: &str) -> Result<RefreshIntrospection> {
        let engine = &self.0.engine;
        let claimed = engine.claimed(token).await?;
        if claimed.is_logged_out() {
            return Err(Error::SessionRevoked { reason: RevocationReason::Logout });
        }
        let claims = &claimed.claims;
        let policy = engine.policy.for_refresh(None);
        let record = self.record(&claims.subject, claims.session).await?;
        let renewal = match record {
            Some(record) => {
                match step(&record, &claims.attempt(), engine.admin.clock.now(), &policy).decision {
                    Decision::Rotate(_) => Renewal::Issued,
                    Decision::Replay(_) => Renewal::Reissued,
                    Decision::Renew => Renewal::Kept,
                    refusal => return Err(refusal_error(refusal)),
                }
            }
            None if !claimed.is_to_be_adopted() => return Err(engine.unknown(claims)),
            None if policy.rotate => Renewal::Issued,
            None => Renewal::Kept,
        };
        Ok(RefreshIntrospection {
            subject: claims.subject.clone(),
            session: claims.session,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            renewal,
            adopts: claimed.is_to_be_adopted(),
        })
    }

    async fn record(&self, subject: &Subject, session: SessionId) -> Result<Option<Record>> {
        let sessions = self.0.engine.admin.store.list(subject).await?;
        Ok(sessions.into_iter().find(|stored| stored.id == session).map(|stored| stored.record))
    }

    /// All that the feed holds.
    async fn all_denied(&self) -> Result<DenyList> {
        let engine = &self.0.engine;
        let denied = DenyList::default();
        let Some(feed) = engine.admin.store.feed() else { return Ok(denied) };
        let mut cursor = FeedCursor::default();
        loop {
            let page = feed.read(&cursor, Duration::ZERO).await?;
            for revocation in &page.revocations {
                denied.deny(revocation, engine.admin.clock.now());
            }
            if page.complete {
                return Ok(denied);
            }
            cursor = page.next;
        }
    }
}
