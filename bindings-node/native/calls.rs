//! The calls that go on beside JavaScript: what they take is checked, then the core is asked.

use std::sync::Arc;

use napi_derive::napi;
use regrant::access::VerifiedAccess;
use regrant::session::DeviceLabel;
use regrant::types::{Clock, Timestamp};
use regrant::{Auth, Login, LogoutEverywhere, RefreshRequest, Result};
use serde::Serialize;

use crate::input;
use crate::proof::PresentedProof;

/// What a call needs. Each call has a clone of its own and borrows nothing from JavaScript.
#[derive(Clone)]
pub struct Calls {
    pub auth: Auth,
    pub clock: Arc<dyn Clock>,
}

/// What a refresh may say beside its token.
#[napi(object, object_to_js = false)]
pub struct RefreshAsked {
    /// The user that the client says it is.
    #[napi(ts_type = "string | undefined")]
    pub expected: Option<String>,
    /// Asks for a next refresh token, or for none.
    #[napi(ts_type = "boolean | undefined")]
    pub rotate: Option<bool>,
    /// The app's own claims, as JSON text of an object.
    #[napi(ts_type = "string | undefined")]
    pub claims: Option<String>,
    /// The proof that came with the request.
    #[napi(ts_type = "PresentedProof | undefined")]
    pub proof: Option<PresentedProof>,
    /// The address of the client.
    #[napi(ts_type = "string | undefined")]
    pub address: Option<String>,
}

/// Tokens, and the time on the clock that their expiries go by.
#[derive(Serialize)]
struct AsOf<T> {
    now: Timestamp,
    #[serde(flatten)]
    tokens: T,
}

impl Calls {
    pub async fn verify_checked(
        &self,
        token: &str,
        stale_policy: &str,
        proof: Option<PresentedProof>,
    ) -> Result<VerifiedAccess> {
        let stale_policy = input::stale_policy(stale_policy)?;
        let access = match proof {
            None => self.auth.verify(token)?,
            Some(proof) => self.verify_with_proof(token, &proof)?,
        };
        self.auth.apply_stale_policy(access, stale_policy).await
    }

    pub fn verify_with_proof(&self, token: &str, proof: &PresentedProof) -> Result<VerifiedAccess> {
        self.auth.verify_with_proof(token, &proof.check(&self.auth)?)
    }

    pub async fn login(
        &self,
        subject: String,
        device: Option<String>,
        claims: Option<String>,
        proof: Option<PresentedProof>,
    ) -> Result<impl Serialize + use<>> {
        let mut login = Login::new(input::subject(subject)?)
            .device(DeviceLabel::lossy(&device.unwrap_or_default()))
            .claims(input::claims(claims)?);
        if let Some(proof) = proof {
            login = login.proof(proof.check(&self.auth)?);
        }
        let tokens = self.auth.login(login).await?;
        Ok(AsOf { now: self.clock.now(), tokens })
    }

    pub async fn refresh(
        &self,
        token: &str,
        asked: RefreshAsked,
    ) -> Result<impl Serialize + use<>> {
        let RefreshAsked { expected, rotate, claims, proof, address } = asked;
        let mut request = RefreshRequest::new(token).claims(input::claims(claims)?);
        if let Some(expected) = expected {
            request = request.expect_subject(input::subject(expected)?);
        }
        if let Some(address) = address {
            request = request.address(&address);
        }
        if let Some(rotate) = rotate {
            request = request.rotate(rotate);
        }
        if let Some(proof) = proof {
            request = request.proof(proof.check(&self.auth)?);
        }
        let tokens = self.auth.refresh(request).await?;
        Ok(AsOf { now: self.clock.now(), tokens })
    }

    pub async fn revoke_session(
        &self,
        subject: String,
        session: &str,
        reason: &str,
    ) -> Result<bool> {
        let (subject, session) = (input::subject(subject)?, input::session_id(session)?);
        self.auth.revoke_session(&subject, &session, input::reason(reason)?).await
    }

    /// But perhaps one (`except`), or those from before an instant in ms.
    pub async fn logout_everywhere(
        &self,
        subject: String,
        except: Option<String>,
        before: Option<f64>,
        reason: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let mut request = LogoutEverywhere::new(input::subject(subject)?);
        if let Some(session) = except {
            request = request.except(input::session_id(&session)?);
        }
        if let Some(instant) = before {
            request = request.before(input::instant(instant, "before")?);
        }
        if let Some(name) = reason {
            request = request.reason(input::reason(&name)?);
        }
        self.auth.logout_everywhere(request).await
    }

    pub async fn sessions(
        &self,
        subject: String,
        current: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let current = current.as_deref().map(input::session_id).transpose()?;
        self.auth.sessions(&input::subject(subject)?, current.as_ref()).await
    }
}
