//! The sessions of a user, as people want to see them: "where am I logged in?"

use serde::Serialize;

use super::{Auth, SessionAdmin};
use crate::error::Result;
use crate::session::SessionState;
use crate::types::{RevocationReason, SessionId, Subject, Timestamp};

/// Whether a session can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "state")]
pub enum SessionStatus {
    /// It can be refreshed.
    Live,
    /// It was ended; kept, with those that ended last, until it would have expired.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// When; milliseconds since 1970.
        ended_at: Timestamp,
    },
}

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionInfo {
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub id: SessionId,
    /// The label of the device; empty when the app gave none.
    pub device: String,
    /// When the user logged in; milliseconds since 1970.
    pub created_at: Timestamp,
    /// When it was last refreshed, or the login; milliseconds since 1970.
    pub last_refreshed_at: Timestamp,
    /// When it ends unless it is refreshed before, or ended; milliseconds since 1970.
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
    /// Whether it can be used; serialized as `state`, `reason` and `endedAt`.
    #[serde(flatten)]
    pub status: SessionStatus,
}

impl Auth {
    /// As [`SessionAdmin::sessions`].
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn sessions(
        &self,
        subject: &Subject,
        current: Option<&SessionId>,
    ) -> Result<Vec<SessionInfo>> {
        self.0.engine.admin.sessions(subject, current).await
    }
}

impl SessionAdmin {
    /// The sessions of a user: live ones first, each group by last use, newest first. Sessions
    /// that idled out are left out. `current` marks the one that asks.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    pub async fn sessions(
        &self,
        subject: &Subject,
        current: Option<&SessionId>,
    ) -> Result<Vec<SessionInfo>> {
        let now = self.clock.now();
        let mut sessions: Vec<SessionInfo> = self
            .store
            .list(subject)
            .await?
            .into_iter()
            .filter(|stored| {
                stored.record.state != SessionState::Live || stored.record.is_live(now)
            })
            .map(|stored| SessionInfo {
                id: stored.id,
                device: stored.record.device.as_str().to_owned(),
                created_at: stored.record.created_at,
                last_refreshed_at: stored.record.last_refreshed(),
                expires_at: stored.record.idle_deadline,
                current: current == Some(&stored.id),
                status: match stored.record.state {
                    SessionState::Live => SessionStatus::Live,
                    SessionState::Revoked(reason) => {
                        let ended_at = stored.record.idle_deadline;
                        SessionStatus::Revoked { reason, ended_at }
                    }
                },
            })
            .collect();
        sessions.sort_by_key(|session| {
            (session.status != SessionStatus::Live, std::cmp::Reverse(session.last_refreshed_at))
        });
        Ok(sessions)
    }
}
