//! The beginning of a session. The app has checked the password.

use serde_json::{Map, Value};
use tracing::field::display;
use tracing::{Instrument, Span};

use super::event::AuditKind;
use super::{Auth, Engine, TokenPair};
use crate::dpop::VerifiedProof;
use crate::error::Result;
use crate::observe;
use crate::session::{DeviceLabel, NewSession, RefreshClaims, TokenSecret};
use crate::store::Created;
use crate::types::{FamilyPosition, SessionId, Subject};

/// Who logs in, and with what.
#[derive(Clone, Debug)]
#[must_use]
pub struct Login {
    subject: Subject,
    device: DeviceLabel,
    claims: Map<String, Value>,
    proof: Option<VerifiedProof>,
}

impl Login {
    /// A login of `subject`.
    pub fn new(subject: Subject) -> Self {
        Self { subject, device: DeviceLabel::default(), claims: Map::new(), proof: None }
    }

    /// The name that people will know the device by.
    pub fn device(mut self, device: DeviceLabel) -> Self {
        self.device = device;
        self
    }

    /// The app's own claims for the access token.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// Binds the session to the key that signed `proof` (RFC 9449 §5): its refresh tokens are good
    /// with a proof by that key only, and so are its access tokens unless the configuration says
    /// otherwise.
    pub fn proof(mut self, proof: VerifiedProof) -> Self {
        self.proof = Some(proof);
        self
    }
}

impl Auth {
    /// Begins a session and issues its first pair of tokens. Where the user has as many sessions
    /// as one may have ([`SessionPolicy::max_sessions`](crate::session::SessionPolicy)), the
    /// least recently refreshed gives way.
    ///
    /// # Errors
    /// [`Error::ClaimInvalid`](crate::Error::ClaimInvalid) for claims that are not the app's to
    /// set, [`Error::TokenTooLarge`](crate::Error::TokenTooLarge),
    /// [`Error::DpopProofMissing`](crate::Error::DpopProofMissing) where the configuration asks for a
    /// proof, [`Error::DpopProofReplayed`](crate::Error::DpopProofReplayed),
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn login(&self, login: Login) -> Result<TokenPair> {
        let span = observe::operation_span!(INFO, "login");
        let pair = self.0.engine.begin(login, &span).instrument(span.clone()).await;
        observe::login(&span, &pair);
        pair
    }
}

impl Engine {
    async fn begin(&self, login: Login, span: &Span) -> Result<TokenPair> {
        let Login { subject, device, claims, proof } = login;
        let session = SessionId::random()?;
        span.record("session", display(session));
        let secret = TokenSecret::random()?;
        let key = self.key_of_login(proof.as_ref())?;
        let grant = self.grant(subject, session, FamilyPosition::default(), key, claims)?;
        let access = self.issue(&grant)?;
        let subject = grant.subject;
        let label = device.as_str().to_owned();
        let new = NewSession {
            id: secret.id(),
            idle_ttl: self.policy.idle_ttl,
            absolute_ttl: self.policy.absolute_ttl,
            device,
            max_sessions: self.policy.max_sessions,
            legacy_login: None,
        };
        let Created { record, displaced } =
            self.admin.store.create(&subject, &session, &new).await?;
        let claims = RefreshClaims {
            subject,
            session,
            family_position: FamilyPosition::default(),
            parent: None,
            secret,
            key,
            issued_at: record.created_at,
            expires_at: record.idle_deadline,
        };
        let refresh_token = claims.sign(&self.refresh_keys())?;
        self.admin.auditor.emit(&claims.subject, session, AuditKind::Login { device: label });
        self.admin.on_evicted(&claims.subject, &displaced).await;
        Ok(TokenPair {
            access_token: access.token,
            access_expires_at: access.expires_at,
            refresh_token,
            refresh_expires_at: claims.expires_at,
            session,
            subject: claims.subject,
        })
    }
}
