//! What a verified access token says.

use std::collections::HashMap;
use std::fmt;
use std::time::SystemTime;

use regrant::access::VerifiedAccess;

use crate::RegrantError;
use crate::claim_value::{self, ClaimValue};
use crate::instant::{system_time, timestamp};

/// What a verified access token says. Its text form leaves the app's claims out.
#[derive(Clone, PartialEq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct AccessClaims {
    /// The user: the configured subject claim, else `sub`. A whole number becomes its digits.
    pub subject: String,
    /// The session (`sid`), if the token is of one.
    pub session_id: Option<String>,
    /// How many rotations lie between the login and the token (`gen`).
    pub generation: Option<u32>,
    /// Which of its parent's children the token is (`brn`): 0 unless an earlier one was lost.
    pub branch: Option<u32>,
    /// `exp`: the token is accepted before this instant, and for the leeway after it.
    pub expires_at: SystemTime,
    /// `iat`.
    pub issued_at: Option<SystemTime>,
    /// `nbf`.
    pub not_before: Option<SystemTime>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`, whether it was written as one text or as an array. Empty when absent.
    pub audience: Vec<String>,
    /// `jti`.
    pub id: Option<String>,
    /// All claims by name, the app's own included.
    pub claims: HashMap<String, ClaimValue>,
    /// All claims as JSON text, byte for byte as they were signed.
    pub payload_json: String,
}

impl TryFrom<VerifiedAccess> for AccessClaims {
    type Error = RegrantError;

    fn try_from(access: VerifiedAccess) -> Result<Self, RegrantError> {
        let family_position = access.family_position();
        Ok(Self {
            subject: access.subject().as_str().to_owned(),
            session_id: access.session().map(|id| id.to_string()),
            generation: family_position.map(|family_position| family_position.generation),
            branch: family_position.map(|family_position| family_position.branch),
            expires_at: system_time(access.expires_at()),
            issued_at: access.issued_at().map(system_time),
            not_before: access.not_before().map(system_time),
            issuer: access.issuer().map(str::to_owned),
            audience: access.audience().into_iter().map(str::to_owned).collect(),
            id: access.id().map(str::to_owned),
            claims: claim_value::all(access.custom()?),
            payload_json: access.payload().to_owned(),
        })
    }
}

impl fmt::Debug for AccessClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessClaims")
            .field("subject", &self.subject)
            .field("session_id", &self.session_id)
            .field("generation", &self.generation)
            .field("branch", &self.branch)
            .field("expires_at", &timestamp(self.expires_at))
            .finish_non_exhaustive()
    }
}
