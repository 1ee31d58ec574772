//! The beginning of a session. The app has checked the password.

use serde_json::{Map, Value};

use super::event::AuditKind;
use super::{Auth, TokenPair};
use crate::error::Result;
use crate::identity::{Lineage, SessionId, Subject};
use crate::session::{DeviceLabel, NewSession, RefreshClaims, TokenSecret};

/// Who logs in, and with what.
#[derive(Clone, Debug)]
#[must_use]
pub struct Login {
    subject: Subject,
    device: DeviceLabel,
    claims: Map<String, Value>,
}

impl Login {
    /// A login of `subject`.
    pub fn new(subject: Subject) -> Self {
        Self { subject, device: DeviceLabel::default(), claims: Map::new() }
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
}

impl Auth {
    /// Begins a session and issues its first pair of tokens.
    ///
    /// # Errors
    /// [`Error::ClaimInvalid`](crate::Error::ClaimInvalid) for claims that are not the app's to
    /// set, [`Error::TokenTooLarge`](crate::Error::TokenTooLarge),
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn login(&self, login: Login) -> Result<TokenPair> {
        let engine = &self.0.engine;
        let Login { subject, device, claims } = login;
        let session = SessionId::random()?;
        let secret = TokenSecret::random()?;
        let grant = engine.grant(subject, session, Lineage::default(), claims)?;
        let access = engine.issuer.issue(&grant)?;
        let subject = grant.subject;
        let label = device.as_str().to_owned();
        let new = NewSession {
            id: secret.id(),
            idle_ttl: engine.policy.idle_ttl,
            absolute_ttl: engine.policy.absolute_ttl,
            device,
        };
        let record = engine.store.create(&subject, &session, &new).await?.record;
        let claims = RefreshClaims {
            subject,
            session,
            lineage: Lineage::default(),
            parent: None,
            secret,
            issued_at: record.created,
            expires_at: record.idle_deadline,
        };
        let refresh_token = claims.sign(&engine.refresh_keys)?;
        engine.auditor.emit(&claims.subject, session, AuditKind::Login { device: label });
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
