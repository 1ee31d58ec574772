//! What a client is given.

use serde::Serialize;

use crate::types::{AccessToken, RefreshToken, SessionId, Subject, Timestamp};

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
}

/// How a refresh was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// With a new refresh token.
    Issued,
    /// With the same refresh token as a moment ago.
    Reissued,
    /// With an access token alone: rotation is off.
    Kept,
}

/// The answer to a refresh.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Renewed {
    /// Goes with every request.
    pub access_token: AccessToken,
    /// When the access token expires; milliseconds since 1970.
    pub access_expires_at: Timestamp,
    /// Takes the place of the one that was presented. `None` with rotation off: keep that one.
    pub refresh_token: Option<RefreshToken>,
    /// When the refresh token that the client now holds expires; milliseconds since 1970.
    pub refresh_expires_at: Timestamp,
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// The user: the session's, whatever the client claimed.
    pub subject: Subject,
    /// How the refresh was answered.
    pub renewal: Renewal,
}
