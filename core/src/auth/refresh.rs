//! Refresh: exchanges a refresh token for a new access token (RFC 6749 §6), with the rotation and
//! reuse detection of RFC 9700 §4.14.2.
//!
//! [`Engine::try_refresh`] is the flow: verify the token, check the request, let the store decide
//! ([`decide_refresh`](crate::session::decide_refresh)), issue. A request that is rejected
//! before the store decides changes nothing, except that its DPoP proof counts as used (RFC 9449 §11.1).

use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::display;
use tracing::{Instrument, Span};

use super::events::AuditKind;
use super::{Auth, Engine, RefreshAttempt, metrics};
use crate::access::AccessGrant;
use crate::dpop::PresentedProof;
use crate::error::{Error, Result};
use crate::revocation::RevocationTarget;
use crate::session::{
    ClientDetails, Decision, RefreshClaims, RefreshPolicy, SessionNotes, SessionTerms,
};
use crate::store::{FailureKey, Refreshed};
use crate::types::{AccessToken, RefreshToken, RevocationReason, SessionId, Subject, Timestamp};

/// A refresh token, and what the client and the app ask for with it.
#[derive(Clone)]
#[must_use]
pub struct RefreshRequest<'a> {
    pub(crate) token: &'a str,
    expected: Option<Subject>,
    rotate: Option<bool>,
    claims: Option<Map<String, Value>>,
    proof: Option<PresentedProof>,
    address: Option<FailureKey>,
    client: ClientDetails,
}

impl<'a> RefreshRequest<'a> {
    /// A request with `token` as the client sent it, without a scheme in front.
    pub fn new(token: &'a str) -> Self {
        Self {
            token,
            expected: None,
            rotate: None,
            claims: None,
            proof: None,
            address: None,
            client: ClientDetails::default(),
        }
    }

    /// Sets the user that the client claims to be. It is compared with the token's, never trusted.
    pub fn expect_subject(mut self, subject: Subject) -> Self {
        self.expected = Some(subject);
        self
    }

    /// Overrides the policy's rotation: whether the response carries a next refresh token. `false`
    /// has an effect only while the session has never rotated. A session that has rotated once
    /// always rotates, so that a thief cannot choose to stay undetected; the client must store
    /// [`RefreshResponse::refresh_token`] whenever there is one.
    pub fn rotate(mut self, rotate: bool) -> Self {
        self.rotate = Some(rotate);
        self
    }

    /// Sets the app's own claims for this access token and later ones. Without it the session keeps those
    /// that it has: of the login ([`Login::claims`](crate::Login::claims)), of the latest
    /// [`Auth::update_session`], or of the latest refresh that set them. They travel in the next refresh
    /// token, so in a session that does not rotate they last for this access token only; there use
    /// [`Auth::update_session`].
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = Some(claims);
        self
    }

    /// Sets the DPoP proof of the request, which is checked if the session is bound to a key.
    pub fn proof(mut self, proof: PresentedProof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// Sets the client's address. Failures with invalid tokens are counted by it; see
    /// [`FailureLimit`](crate::session::FailureLimit). Behind a trusted proxy, pass the address
    /// from `Forwarded` or `X-Forwarded-For`. It is stored with the session too
    /// ([`SessionPolicy::record_clients`](crate::session::SessionPolicy::record_clients)).
    pub fn address(mut self, address: &str) -> Self {
        self.address = Some(FailureKey::address(address));
        self.client = self.client.address(address);
        self
    }

    /// Sets the client's user agent, which is stored with the session.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        self.client = self.client.user_agent(user_agent);
        self
    }
}

/// How a refresh was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Renewal {
    /// With a new refresh token ([`Decision::Rotate`]); serialized as `issued`.
    #[serde(rename = "issued")]
    Rotated,
    /// With the same refresh token as a moment ago ([`Decision::Replay`]); serialized as
    /// `reissued`.
    #[serde(rename = "reissued")]
    Replayed,
    /// With an access token alone: rotation is off and the session has never rotated
    /// ([`Decision::Renew`]); serialized as `kept`.
    #[serde(rename = "kept")]
    Renewed,
}

impl Renewal {
    /// The value of the label `outcome` in metrics and spans.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Rotated => "issued",
            Self::Replayed => "reissued",
            Self::Renewed => "kept",
        }
    }
}

/// The response to a refresh.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RefreshResponse {
    /// The new access token.
    pub access_token: AccessToken,
    /// When the access token expires; milliseconds since 1970.
    pub access_expires_at: Timestamp,
    /// Replaces the presented token. `None` with rotation off, if the session has never rotated:
    /// the client keeps the presented one.
    pub refresh_token: Option<RefreshToken>,
    /// When the refresh token that the client now holds expires; milliseconds since 1970.
    pub refresh_expires_at: Timestamp,
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// The user of the session, whatever the client claimed.
    pub subject: Subject,
    /// How the refresh was answered.
    pub renewal: Renewal,
    /// Whether browsers keep the cookies of the session when they close.
    pub persistent: bool,
    /// Whether the access token is bound to a key of the client.
    #[serde(skip)]
    pub(crate) is_bound: bool,
}

/// Whose session a refresh token belongs to; see [`Auth::refresh_identity`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RefreshIdentity {
    /// The user.
    pub subject: Subject,
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// The app's claims that the session has so far.
    pub claims: Map<String, Value>,
}

impl Auth {
    /// Exchanges a refresh token for a new access token and, with rotation, the next refresh
    /// token. A repeated request within the grace period, or within
    /// [`unused_grace`](crate::session::SessionPolicy::unused_grace) while nobody has used the new
    /// pair, gets the same refresh token again.
    ///
    /// # Errors
    /// By what the client has to do ([`Error::advice`]):
    /// - `sign_in`: [`Error::RefreshExpired`], [`Error::SessionUnknown`],
    ///   [`Error::SessionRevoked`], [`Error::RefreshReused`].
    /// - `retry`: [`Error::StoreUnavailable`], [`Error::RefreshSuperseded`],
    ///   [`Error::TooManyAttempts`], and for a DPoP-bound session [`Error::DpopNonceRequired`] (repeat with
    ///   its nonce): the client keeps its token.
    /// - `reject`: for a token that this server did not issue; [`Error::SubjectMismatch`]; for a
    ///   DPoP-bound session [`Error::DpopProofMissing`], [`Error::DpopProofInvalid`] and
    ///   [`Error::DpopProofReplayed`]. These leave the session as it is.
    /// - `fix`: [`Error::ArgumentInvalid`] for reserved claims or more than 2048 bytes of them;
    ///   [`Error::ConfigInvalid`] for `dpop` where a bound session presents a proof and DPoP is not
    ///   configured.
    pub async fn refresh(&self, request: RefreshRequest<'_>) -> Result<RefreshResponse> {
        let span = metrics::operation_span!(INFO, "refresh");
        let start = Instant::now();
        let response = self.0.engine.refresh(request, &span).instrument(span.clone()).await;
        let outcome = metrics::record_outcome(&span, &response, |ok| ok.renewal.outcome());
        metrics::count(&metrics::REFRESHES, &[("outcome", outcome)]);
        metrics::seconds(&metrics::REFRESH_SECONDS, &[], start.elapsed());
        response
    }

    /// Returns whose session a refresh token belongs to, with the claims that it has so far, for apps that
    /// look up their own claims before [`Auth::refresh`]. Checks the token as [`Auth::refresh_subject`] does,
    /// and reads the session's current claims from the store. A session that is revoked, expired or
    /// unknown is no error here: only [`Auth::refresh`] tells.
    ///
    /// # Errors
    /// As [`Auth::refresh_subject`], [`Error::StoreUnavailable`], and [`Error::TooManyAttempts`] for a token that was
    /// refused too often.
    pub async fn refresh_identity(&self, token: &str) -> Result<RefreshIdentity> {
        let engine = &self.0.engine;
        let claims = engine.presented_claims(token).await?;
        // A token that the refresh will refuse unasked need not reach the store for this either.
        engine.admit(&mut RefreshAttempt::new(None, Span::none()), &claims)?;
        let RefreshClaims { subject, session, terms, .. } = claims;
        let record = engine.record(&subject, session).await?;
        let updated = record.and_then(|record| record.notes.claims);
        Ok(RefreshIdentity { subject, session, claims: terms.updated(updated.as_deref())?.claims })
    }

    /// Returns the user of a refresh token after checking its form, type and signature. Does no I/O,
    /// except for a legacy token, whose user is known to the legacy store alone.
    ///
    /// # Errors
    /// Those with the advice `reject`, such as [`Error::TokenMalformed`], [`Error::TypMismatch`] and
    /// [`Error::SignatureInvalid`]. Only [`Auth::refresh`] tells whether the token is still good. For a
    /// legacy token also [`Error::SessionUnknown`], [`Error::RefreshExpired`] and
    /// [`Error::StoreUnavailable`].
    pub async fn refresh_subject(&self, token: &str) -> Result<Subject> {
        Ok(self.0.engine.presented_claims(token).await?.subject)
    }

    /// Whether sessions rotate unless a request asks otherwise.
    pub(crate) fn rotates(&self) -> bool {
        self.0.engine.policy().rotation
    }

    /// The session of a token that this server signed, whatever became of it. Does no I/O: `None` for a legacy
    /// token.
    pub(crate) fn session_of_refresh_token(&self, token: &str) -> Option<SessionId> {
        self.0.engine.verify_refresh_token(token).ok().map(|claims| claims.session)
    }

    /// Whether this server signed `token`, whatever became of its session. Does no I/O.
    pub(crate) fn has_signed_refresh_token(&self, token: &str) -> bool {
        self.0.engine.verify_refresh_token(token).is_ok()
    }
}

/// A request after all checks for which the store is not needed.
pub(crate) struct CheckedRequest {
    grant: AccessGrant,
    policy: RefreshPolicy,
    /// Whether the app gave the claims of the grant, in place of those that the session has.
    replaces_claims: bool,
    /// The client's details, if it sent any and the app's policy records them.
    client: Option<ClientDetails>,
}

impl CheckedRequest {
    pub(crate) const fn client(&self) -> Option<&ClientDetails> {
        self.client.as_ref()
    }
}

impl Engine {
    async fn presented_claims(&self, token: &str) -> Result<RefreshClaims> {
        match self.legacy(token) {
            Some(legacy) => legacy.claims(self, token).await,
            None => self.verify_refresh_token(token),
        }
    }

    async fn refresh(&self, request: RefreshRequest<'_>, span: &Span) -> Result<RefreshResponse> {
        let _permit = self.in_flight.acquire(self.policy.max_in_flight.get())?;
        let mut attempt = RefreshAttempt::new(request.address, span.clone());
        match self.try_refresh(request, &mut attempt).await {
            Ok(response) => Ok(response),
            Err(error) => Err(self.count_failure(attempt, error).await),
        }
    }

    async fn try_refresh(
        &self,
        request: RefreshRequest<'_>,
        attempt: &mut RefreshAttempt,
    ) -> Result<RefreshResponse> {
        if let Some(legacy) = self.legacy(request.token) {
            return legacy.refresh(self, request, attempt).await;
        }
        let presented = self.verify_refresh_token(request.token)?;
        let checked = self.check_request(&presented, request, attempt)?;
        self.exchange(&presented, checked).await
    }

    /// Checks everything about a request that the store is not needed for: the failure limit, the
    /// DPoP proof, which this uses up, the expected subject, the claims.
    pub(crate) fn check_request(
        &self,
        presented: &RefreshClaims,
        request: RefreshRequest<'_>,
        attempt: &mut RefreshAttempt,
    ) -> Result<CheckedRequest> {
        self.admit(attempt, presented)?;
        attempt.span.record("session", display(presented.session));
        self.check_refresh_proof(presented.key, request.proof.as_ref())?;
        if request.expected.is_some_and(|expected| expected != presented.subject) {
            return Err(Error::SubjectMismatch);
        }
        let terms = &presented.terms;
        if let Some(claims) = &request.claims {
            SessionTerms::check_claims(claims)?;
        }
        let replaces_claims = request.claims.is_some();
        let grant = self.grant(
            presented.subject.clone(),
            presented.session,
            presented.family_position,
            presented.key,
            request.claims.unwrap_or_else(|| terms.claims.clone()),
        )?;
        let policy = terms.refresh_policy(&self.policy, request.rotate);
        let client = self.recorded(request.client);
        Ok(CheckedRequest { grant, policy, replaces_claims, client })
    }

    /// Lets the store decide about the presented token, and issues what it grants.
    pub(crate) async fn exchange(
        &self,
        presented: &RefreshClaims,
        checked: CheckedRequest,
    ) -> Result<RefreshResponse> {
        let RefreshClaims { subject, session, .. } = presented;
        let CheckedRequest { mut grant, policy, replaces_claims, client } = checked;
        let client = client.as_ref();
        // Before the store reads the session: new claims that deny the tokens before them deny this one if it lacks them.
        let issued_at = self.issue_time(subject, Some(*session));
        let refreshed = self
            .admin
            .store
            .refresh(subject, session, &presented.presented_token(), &policy, client)
            .await?;
        let Refreshed { decision, discarded, notes } = refreshed.ok_or_else(|| {
            let error = self.session_unknown_or_expired(presented);
            self.emit_refused(presented, client, &error);
            error
        })?;
        if let Some(child) = discarded {
            let target = RevocationTarget::Child { session: *session, child };
            self.admin.deny_everywhere_best_effort(subject, vec![target], Vec::new()).await;
        }
        let (child, expires_at, renewal, event) = match decision {
            Decision::Rotate(child) => {
                let event = AuditKind::Refreshed { rotated: true };
                (Some(child), child.expires_at, Renewal::Rotated, event)
            }
            Decision::Replay(child) => {
                (Some(child), child.expires_at, Renewal::Replayed, AuditKind::Replayed)
            }
            Decision::Renew { expires_at } => {
                (None, expires_at, Renewal::Renewed, AuditKind::Refreshed { rotated: false })
            }
            refusal => return Err(self.refuse(presented, client, notes, refusal).await),
        };
        if self.admin.denied.is_revoked(subject, session) {
            return Err(self.revoke_again(presented, client).await);
        }

        let mut terms = presented.terms.clone().updated(notes.claims.as_deref())?;
        if replaces_claims {
            terms.claims.clone_from(&grant.claims);
        } else {
            grant.claims.clone_from(&terms.claims);
        }
        grant.family_position = child.map_or(grant.family_position, |it| Some(it.family_position));
        let access = self.issue_at(issued_at, &grant, expires_at)?;
        let is_bound = grant.key.is_some();
        let persistent = terms.is_persistent();
        let next = child.map(|child| presented.child(&child, terms));
        let refresh_token = next.as_ref().map(|next| self.sign_refresh_token(next)).transpose()?;
        self.admin.auditor.emit_from(subject, *session, client, event);
        Ok(RefreshResponse {
            access_token: access.token,
            access_expires_at: access.expires_at,
            refresh_token,
            // Without rotation the token of the login lasts for the whole session.
            refresh_expires_at: match next {
                Some(next) => next.expires_at,
                None => presented.expires_at.max(expires_at),
            },
            session: *session,
            subject: subject.clone(),
            renewal,
            persistent,
            is_bound,
        })
    }

    async fn refuse(
        &self,
        presented: &RefreshClaims,
        client: Option<&ClientDetails>,
        notes: SessionNotes,
        refusal: Decision,
    ) -> Error {
        let RefreshClaims { subject, session, .. } = presented;
        let error = refusal_error(refusal);
        match refusal {
            Decision::Superseded => {
                self.admin.auditor.emit_from(subject, *session, client, AuditKind::Superseded);
            }
            Decision::Reuse(how) => {
                self.on_theft(subject, *session, client, notes, how.as_str()).await;
            }
            Decision::Revoked(reason) => {
                self.deny_revoked(subject, *session, reason).await;
                self.emit_refused(presented, client, &error);
            }
            _ => self.emit_refused(presented, client, &error),
        }
        error
    }

    /// The deny list knows that the session is revoked and the store does not: the store lost the
    /// revocation in a failover or a crash, and with it the reason.
    async fn revoke_again(
        &self,
        presented: &RefreshClaims,
        client: Option<&ClientDetails>,
    ) -> Error {
        let RefreshClaims { subject, session, .. } = presented;
        let reason = RevocationReason::Administrative;
        tracing::warn!(target: "regrant::store", %session, "the store lost a revocation; revoking the session again");
        match self.admin.store.revoke(subject, session, reason).await {
            Ok(_) => {
                let error = Error::SessionRevoked { reason };
                self.emit_refused(presented, client, &error);
                error
            }
            Err(error) => error,
        }
    }

    fn emit_refused(
        &self,
        presented: &RefreshClaims,
        client: Option<&ClientDetails>,
        error: &Error,
    ) {
        let kind = AuditKind::Refused { code: error.code().as_str() };
        self.admin.auditor.emit_from(&presented.subject, presented.session, client, kind);
    }

    /// The client of a request, where it is known and the app's policy records it.
    pub(super) fn recorded(&self, client: ClientDetails) -> Option<ClientDetails> {
        client.known().filter(|_| self.policy.record_clients)
    }

    /// The error for a token whose session the store does not have. Stores drop expired records,
    /// so past the token's `exp` that is the likely cause.
    pub(crate) fn session_unknown_or_expired(&self, presented: &RefreshClaims) -> Error {
        if self.now() >= presented.expires_at {
            Error::RefreshExpired
        } else {
            Error::SessionUnknown
        }
    }
}

/// The error for a decision that grants nothing.
pub(super) fn refusal_error(refusal: Decision) -> Error {
    match refusal {
        Decision::Superseded => Error::RefreshSuperseded,
        Decision::Reuse(_) => Error::RefreshReused,
        Decision::Revoked(reason) => Error::SessionRevoked { reason },
        Decision::Expired => Error::RefreshExpired,
        Decision::Rotate(_) | Decision::Replay(_) | Decision::Renew { .. } => {
            Error::internal("expected a refusal")
        }
    }
}
