//! Introspection: how a server would answer a token now, found out without changing anything
//! (compare RFC 7662). For operators.

use std::time::Duration;

use serde::Serialize;

use super::refresh::refusal_error;
use super::verify::refuse_denied;
use super::{Auth, Engine, Renewal};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::revocation::{DenyList, FeedCursor};
use crate::session::{Decision, Record, RefreshClaims, SessionState, deadline, decide_refresh};
use crate::types::{SessionId, Subject, Timestamp};

/// A refresh that would be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RefreshIntrospection {
    /// The user of the session.
    pub subject: Subject,
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// When the token was issued; milliseconds since 1970.
    pub issued_at: Timestamp,
    /// When the token expires unless it is used before: the idle deadline of the session, for the
    /// session's newest token, or else the expiry of the token; milliseconds since 1970.
    pub expires_at: Timestamp,
    /// How the refresh would be answered.
    pub renewal: Renewal,
    /// Whether it is a legacy token that the refresh would migrate; serialized as `adopts`.
    #[serde(rename = "adopts")]
    pub migrates: bool,
}

impl RefreshIntrospection {
    pub(crate) fn new(claims: RefreshClaims, renewal: Renewal, migrates: bool) -> Self {
        let RefreshClaims { subject, session, issued_at, expires_at, .. } = claims;
        Self { subject, session, issued_at, expires_at, renewal, migrates }
    }
}

impl Auth {
    /// Returns what [`Auth::verify`] would return in a process that knows of every revocation:
    /// reads the whole feed, and the session's record from the store. Changes nothing; the use of
    /// the token is not reported.
    ///
    /// # Errors
    /// As [`Auth::verify`], and [`Error::StoreUnavailable`].
    pub async fn introspect_access(&self, token: &str) -> Result<VerifiedAccess> {
        let access = self.0.verifier.load().verify(token)?;
        let engine = &self.0.engine;
        refuse_denied(engine.admin.denied.check(&access))?;
        refuse_denied(engine.read_whole_feed().await?.check(&access))?;
        let Some(session) = access.session() else { return Ok(access) };
        match engine.record(access.subject(), session).await? {
            Some(Record { state: SessionState::Revoked(_), .. }) => Err(Error::AccessRevoked),
            // Access tokens of a session that the store lost stay valid until they expire.
            Some(_) | None => Ok(access),
        }
    }

    /// Returns how [`Auth::refresh`] would answer a refresh token now, by this machine's clock.
    /// Changes nothing.
    ///
    /// # Errors
    /// As [`Auth::refresh`]. [`Error::RefreshReused`] means that a refresh would detect a theft
    /// and revoke the session.
    pub async fn introspect_refresh(&self, token: &str) -> Result<RefreshIntrospection> {
        let engine = &self.0.engine;
        if let Some(legacy) = engine.legacy(token) {
            return legacy.introspect(engine, token).await;
        }
        let claims = engine.verify_refresh_token(token)?;
        let granted = engine.would_renew(&claims).await?;
        let (renewal, expires_at) =
            granted.ok_or_else(|| engine.session_unknown_or_expired(&claims))?;
        Ok(RefreshIntrospection { expires_at, ..RefreshIntrospection::new(claims, renewal, false) })
    }
}

impl Engine {
    /// How a refresh with `claims` would be answered, and when the token expires. `None` if the store has
    /// no such session.
    pub(crate) async fn would_renew(
        &self,
        claims: &RefreshClaims,
    ) -> Result<Option<(Renewal, Timestamp)>> {
        let Some(record) = self.record(&claims.subject, claims.session).await? else {
            return Ok(None);
        };
        let (token, policy) =
            (claims.presented_token(), claims.terms.refresh_policy(&self.policy, None));
        let renewal = match decide_refresh(&record, &token, self.now(), &policy).decision {
            Decision::Rotate(_) => Renewal::Rotated,
            Decision::Replay(_) => Renewal::Replayed,
            Decision::Renew { .. } => Renewal::Renewed,
            refusal => return Err(refusal_error(refusal)),
        };
        Ok(Some((renewal, deadline(&record, &token).min(record.expires_at))))
    }

    pub(crate) async fn record(
        &self,
        subject: &Subject,
        session: SessionId,
    ) -> Result<Option<Record>> {
        let _permit = self.admin.queries.acquire(self.admin.max_in_flight)?;
        self.admin.store.find(subject, &session).await
    }

    async fn read_whole_feed(&self) -> Result<DenyList> {
        let denied = DenyList::default();
        let Some(feed) = self.admin.store.feed() else { return Ok(denied) };
        let mut cursor = FeedCursor::default();
        loop {
            let page = feed.read(&cursor, Duration::ZERO).await?;
            for revocation in &page.revocations {
                denied.deny(revocation, self.now());
            }
            if page.complete {
                return Ok(denied);
            }
            cursor = page.next;
        }
    }
}
