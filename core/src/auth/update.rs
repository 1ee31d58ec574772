//! Update: the app changes the claims of a session, without a token of it.

use serde_json::{Map, Value};
use tracing::Span;
use tracing::field::display;

use super::events::AuditKind;
use super::unfinished::RevocationRequest;
use super::{Auth, Engine, metrics};
use crate::error::Result;
use crate::session::{ClientDetails, SessionTerms};
use crate::types::{FamilyPosition, SessionId, Subject};

/// New claims for a session of a user.
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionUpdate {
    subject: Subject,
    session: SessionId,
    claims: Map<String, Value>,
    at_once: bool,
    client: ClientDetails,
}

impl SessionUpdate {
    /// Replaces the app's own claims of a session of `subject`, at most 2048 bytes of JSON
    /// ([`Login::claims`](crate::Login::claims)).
    pub fn claims(subject: Subject, session: SessionId, claims: Map<String, Value>) -> Self {
        Self { subject, session, claims, at_once: false, client: ClientDetails::default() }
    }

    /// Also rejects the user's access tokens issued before, with
    /// [`Error::TokenExpired`](crate::Error::TokenExpired): their clients refresh, those of the user's
    /// other sessions too, and get the new claims. Otherwise they come with the next refresh.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Sets what the request tells of its client, for the audit event.
    pub fn client(mut self, client: ClientDetails) -> Self {
        self.client = client;
        self
    }
}

impl Auth {
    /// Replaces the claims of a session. Its access tokens have them from its next refresh on, until a
    /// refresh ([`RefreshRequest::claims`](crate::RefreshRequest::claims)) or another update replaces
    /// them. Returns whether the session is live; otherwise nothing changes.
    ///
    /// # Errors
    /// - [`Error::ArgumentInvalid`](crate::Error::ArgumentInvalid) for claims that the app may not set.
    /// - [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): call again. The claims may be
    ///   stored; with [`SessionUpdate::at_once`] this process goes on to reject the access tokens.
    /// - [`Error::TooManyAttempts`](crate::Error::TooManyAttempts), with
    ///   [`SessionUpdate::at_once`]: the claims are stored, but access tokens issued before stay valid in
    ///   other processes, as in [`Auth::logout`].
    pub async fn update_session(&self, update: SessionUpdate) -> Result<bool> {
        let span = metrics::operation_span!(INFO, "update");
        let updating = self.0.engine.update_session(update, &span);
        let outcome = |is_live: &bool| if *is_live { "updated" } else { "unchanged" };
        metrics::instrument(span.clone(), updating, outcome).await
    }
}

impl Engine {
    async fn update_session(&self, update: SessionUpdate, span: &Span) -> Result<bool> {
        let SessionUpdate { subject, session, claims, at_once, client } = update;
        let client = self.recorded(client);
        span.record("session", display(session));
        let json = SessionTerms::check_claims(&claims)?;
        // As a refresh will: an update that every refresh refuses would sign the user out.
        let grant =
            self.grant(subject.clone(), session, FamilyPosition::default(), None, claims)?;
        self.issue(&grant, self.now().plus(self.policy.absolute_ttl))?;
        let permit = self.logins.acquire(self.policy.max_in_flight.get())?;
        // From here on the new claims may be stored.
        let outdated = RevocationRequest::AccessTokens { subject: subject.clone() };
        let unfinished = self.admin.unfinished.begin(at_once.then_some(outdated));
        let is_live = self.admin.store.set_claims(&subject, &session, &json).await?;
        drop(permit);
        if !is_live {
            unfinished.done();
            return Ok(false);
        }
        let event = AuditKind::ClaimsUpdated;
        self.admin.auditor.emit_from(&subject, session, client.as_ref(), event);
        if at_once {
            self.admin.deny_access_tokens(&subject).await?;
        }
        unfinished.done();
        Ok(true)
    }
}
