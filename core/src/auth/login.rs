//! Login: starts a session and issues its first pair of tokens. The app has checked the password.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::display;
use tracing::{Instrument, Span};

use super::events::AuditKind;
use super::{Auth, Engine, metrics};
use crate::access::{AccessGrant, IssuedAccess};
use crate::dpop::PresentedProof;
use crate::error::{Error, Result};
use crate::session::{
    ClientDetails, DeviceLabel, NewSession, RefreshClaims, SessionPolicy, SessionTerms, TokenSecret,
};
use crate::store::Created;
use crate::types::{AccessToken, FamilyPosition, RefreshToken, SessionId, Subject, Timestamp};

/// A login: the user, and optionally a device label, claims and a DPoP proof.
#[derive(Clone, Debug)]
#[must_use]
pub struct Login {
    subject: Subject,
    device: DeviceLabel,
    claims: Map<String, Value>,
    idle_ttl: Option<Duration>,
    absolute_ttl: Option<Duration>,
    until_browser_closes: bool,
    proof: Option<PresentedProof>,
    client: ClientDetails,
}

impl Login {
    /// A login of `subject`.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            device: DeviceLabel::default(),
            claims: Map::new(),
            idle_ttl: None,
            absolute_ttl: None,
            until_browser_closes: false,
            proof: None,
            client: ClientDetails::default(),
        }
    }

    /// Sets the label by which users recognise the device in their list of sessions.
    pub fn device(mut self, device: DeviceLabel) -> Self {
        self.device = device;
        self
    }

    /// Sets the app's own claims for the access tokens of the session, at most 2048 bytes of JSON. They
    /// come back with every refresh until one sets others
    /// ([`RefreshRequest::claims`](crate::RefreshRequest::claims)) or [`Auth::update_session`] does. The
    /// client can read them.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// The session expires when it is not refreshed for this long, in place of
    /// [`SessionPolicy::idle_ttl`]: at least the lifetime of an access token. If it exceeds the
    /// absolute lifetime of the policy and none is given, the absolute lifetime is the same.
    pub fn idle_ttl(mut self, ttl: Duration) -> Self {
        self.idle_ttl = Some(ttl);
        self
    }

    /// The session expires this long after the login, in place of [`SessionPolicy::absolute_ttl`]: at
    /// least the lifetime of an access token and a given idle lifetime.
    pub fn absolute_ttl(mut self, ttl: Duration) -> Self {
        self.absolute_ttl = Some(ttl);
        self
    }

    /// Whether browsers keep the cookies of the session when they close: "remember me". Default `true`.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.until_browser_closes = !persistent;
        self
    }

    /// Sets where the login comes from. It is stored with the session and listed
    /// ([`SessionPolicy::record_clients`]).
    pub fn client(mut self, client: ClientDetails) -> Self {
        self.client = client;
        self
    }

    /// Binds the session to the key that signed `proof` (RFC 9449 §5). Its refresh tokens then
    /// need a proof by that key, and so do its access tokens unless
    /// [`DpopPolicy::bind_access_tokens`](super::DpopPolicy::bind_access_tokens) is off.
    pub fn proof(mut self, proof: PresentedProof) -> Self {
        self.proof = Some(proof);
        self
    }
}

/// The tokens of a new session.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TokenPair {
    /// Goes with every request.
    pub access_token: AccessToken,
    /// When the access token expires; milliseconds since 1970.
    pub access_expires_at: Timestamp,
    /// Goes to the refresh endpoint and nowhere else.
    pub refresh_token: RefreshToken,
    /// When the refresh token expires unless it is used before; milliseconds since 1970.
    pub refresh_expires_at: Timestamp,
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// The user.
    pub subject: Subject,
    /// Whether browsers keep the cookies of the session when they close.
    pub persistent: bool,
}

impl Auth {
    /// Starts a session and issues its first pair of tokens. A login over the limit of
    /// [`SessionPolicy::max_sessions`](crate::session::SessionPolicy) revokes the least recently
    /// refreshed sessions of the user.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for claims that the app may not set,
    /// [`Error::DpopProofMissing`] where the policy requires a
    /// proof, [`Error::DpopProofInvalid`],
    /// [`Error::DpopNonceRequired`],
    /// [`Error::DpopProofReplayed`],
    /// [`Error::StoreUnavailable`].
    pub async fn login(&self, login: Login) -> Result<TokenPair> {
        let span = metrics::operation_span!(INFO, "login");
        let pair = self.0.engine.login(login, &span).instrument(span.clone()).await;
        let outcome = metrics::record_outcome(&span, &pair, |_| "issued");
        metrics::count(&metrics::LOGINS, &[("outcome", outcome)]);
        pair
    }

    /// Issues an access token without a session, for a service that calls another one in its own name.
    /// Nothing refreshes it; [`Auth::logout_everywhere`] of its subject revokes it.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for claims that the app may not set.
    pub fn issue_access_token(
        &self,
        subject: Subject,
        claims: Map<String, Value>,
    ) -> Result<IssuedAccess> {
        let engine = &self.0.engine;
        let grant = AccessGrant { claims, ..AccessGrant::new(subject) };
        let issued_at = engine.issue_time(&grant.subject, None);
        engine.signers.load().access.issue_at(issued_at, &grant, None)
    }
}

impl Engine {
    async fn login(&self, login: Login, span: &Span) -> Result<TokenPair> {
        let lifetimes = self.lifetimes(&login)?;
        let Login { subject, device, claims, proof, .. } = login;
        let client = self.recorded(login.client);
        let own_idle_ttl = login.idle_ttl.map(|_| lifetimes.idle);
        let terms = SessionTerms::new(claims.clone(), own_idle_ttl, login.until_browser_closes)?;
        let session = SessionId::random()?;
        span.record("session", display(session));
        let secret = TokenSecret::random()?;
        let key = self.login_key(proof.as_ref())?;
        let grant = self.grant(subject, session, FamilyPosition::default(), key, claims)?;
        let access = self.issue(&grant, self.now().plus(lifetimes.absolute))?;
        let subject = grant.subject;
        let label = device.as_str().to_owned();
        let actor = terms.claims.get("act").and_then(|act| act.get("sub")?.as_str());
        let actor = actor.map(ToOwned::to_owned);
        let new = NewSession {
            id: secret.id(),
            idle_ttl: lifetimes.idle,
            absolute_ttl: lifetimes.absolute,
            device,
            max_sessions: self.policy.max_sessions,
            legacy_login: None,
            client: client.clone(),
        };
        let permit = self.logins.acquire(self.policy.max_in_flight.get())?;
        let Created { record, evicted } = self.admin.store.create(&subject, &session, &new).await?;
        drop(permit);
        let claims = RefreshClaims {
            subject,
            session,
            family_position: FamilyPosition::default(),
            parent: None,
            secret,
            key,
            terms,
            issued_at: record.created_at,
            // Without rotation the client keeps this token for the whole session.
            expires_at: if self.policy.rotation { record.idle_deadline } else { record.expires_at },
        };
        let refresh_token = self.sign_refresh_token(&claims)?;
        let event = AuditKind::Login { device: label, actor };
        self.admin.auditor.emit_from(&claims.subject, session, client.as_ref(), event);
        self.admin.on_evicted(&claims.subject, &evicted, client.as_ref()).await;
        Ok(TokenPair {
            access_token: access.token,
            access_expires_at: access.expires_at,
            refresh_token,
            refresh_expires_at: claims.expires_at,
            session,
            subject: claims.subject,
            persistent: claims.terms.is_persistent(),
        })
    }

    /// The lifetimes of a new session.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for lifetimes that contradict each other or that of access tokens,
    /// because nothing refreshes a session before its access token expires.
    fn lifetimes(&self, login: &Login) -> Result<Lifetimes> {
        let access = self.signers.load().access.policy().ttl();
        let SessionPolicy { idle_ttl, absolute_ttl, .. } = self.policy;
        let given_idle = login.idle_ttl.unwrap_or(idle_ttl);
        let absolute = login.absolute_ttl.unwrap_or(absolute_ttl.max(given_idle));
        for (argument, ttl) in [("absoluteTtl", absolute), ("idleTtl", given_idle)] {
            if ttl < access {
                return Err(Error::argument(argument, "must not be shorter than access.ttl"));
            }
        }
        if login.idle_ttl.is_some() && absolute < given_idle {
            return Err(Error::argument("absoluteTtl", "must not be shorter than idleTtl"));
        }
        Ok(Lifetimes { idle: given_idle.min(absolute), absolute })
    }
}

/// The lifetimes of a session.
struct Lifetimes {
    idle: Duration,
    absolute: Duration,
}
