//! What happened, for the app's audit log: through a callback and through `tracing`.

use std::sync::Arc;

use serde::Serialize;

use crate::observe;
use crate::types::{Clock, RevocationReason, SessionId, Subject, Timestamp};

/// Something that happened to a session. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditEvent {
    /// When; milliseconds since 1970.
    pub at: Timestamp,
    /// Whose session.
    pub subject: Subject,
    /// Which session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// What happened; serialized as `type` and its fields.
    #[serde(flatten)]
    pub kind: AuditKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
#[non_exhaustive]
pub enum AuditKind {
    /// A session began.
    Login {
        /// The label of the device; empty when the app gave none.
        device: String,
    },
    /// A refresh token of the app that was here before was taken over as a session.
    Adopted,
    /// A refresh was answered with new tokens.
    Refreshed {
        /// Whether the refresh token was replaced too.
        rotated: bool,
    },
    /// A refresh was answered with the same tokens once more.
    Reissued,
    /// A refresh came with a token that its holder had already replaced; nothing was issued.
    Superseded,
    /// A second holder was recognised and the session revoked.
    Theft {
        /// How: `fork`, `parent_returned`, `abandoned_branch`, `older_token` or `denied_access`.
        how: &'static str,
    },
    /// A session was ended.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// Whether replicas of the store have it; absent where that was not asked. Where it is
        /// `false`, a failover of the store may bring the session back: revoke it again.
        #[serde(skip_serializing_if = "Option::is_none")]
        replicated: Option<bool>,
    },
}

impl AuditKind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::Adopted => "adopted",
            Self::Refreshed { .. } => "refreshed",
            Self::Reissued => "reissued",
            Self::Superseded => "superseded",
            Self::Theft { .. } => "theft",
            Self::Revoked { .. } => "revoked",
        }
    }
}

/// A function that is told of each event, on whatever thread it happens. It must not block.
pub(super) type Listener = Arc<dyn Fn(&AuditEvent) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Auditor {
    pub(super) listener: Option<Listener>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Auditor {
    pub(super) fn emit(&self, subject: &Subject, session: SessionId, kind: AuditKind) {
        let name = kind.name();
        observe::audited(&kind);
        let event = AuditEvent { at: self.clock.now(), subject: subject.clone(), session, kind };
        if let AuditKind::Theft { how } = event.kind {
            tracing::warn!(target: "regrant::audit", event = name, how, %subject, %session, "a session has a second holder");
        } else {
            tracing::info!(target: "regrant::audit", event = name, %subject, %session, "a session changed");
        }
        if let Some(listener) = &self.listener {
            listener(&event);
        }
    }
}
