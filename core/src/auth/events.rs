//! Audit events: what happened to sessions, for the app's audit log, through a callback and
//! through `tracing`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;

use super::metrics;
use crate::revocation::RevocationTarget;
use crate::session::ClientDetails;
use crate::types::{Clock, RevocationReason, SessionId, Subject, Timestamp};

/// An event in the life of a session. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditEvent {
    /// When; milliseconds since 1970.
    pub at: Timestamp,
    /// The user of the session.
    pub subject: Subject,
    /// The session; serialized as `sessionId`.
    #[serde(rename = "sessionId")]
    pub session: SessionId,
    /// The client whose request caused it, where that is known and recorded; serialized as `address` and
    /// `userAgent`.
    #[serde(flatten)]
    pub client: Option<ClientDetails>,
    /// What happened; serialized as `type` and its fields.
    #[serde(flatten)]
    pub kind: AuditKind,
}

/// The kind of an [`AuditEvent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
#[non_exhaustive]
pub enum AuditKind {
    /// A session started.
    Login {
        /// The device label; empty when the app gave none.
        device: String,
        /// Who acts in place of the user (RFC 8693 §4.1): the `sub` of the claim `act`, if the login has
        /// that claim.
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<String>,
    },
    /// A refresh token of a legacy app became a session; serialized as `adopted`.
    #[serde(rename = "adopted")]
    Migrated,
    /// A refresh was answered with new tokens.
    Refreshed {
        /// Whether the refresh token was replaced too.
        rotated: bool,
    },
    /// A refresh was answered with the same refresh token once more; serialized as `reissued`.
    #[serde(rename = "reissued")]
    Replayed,
    /// A refresh presented a token that its holder had already replaced; nothing was issued.
    Superseded,
    /// A refresh was refused: its token or its session has expired, or the session is revoked or unknown.
    Refused {
        /// The code of the error, such as `ERR_SESSION_REVOKED`.
        code: &'static str,
    },
    /// The app replaced the claims of the session; serialized as `updated`.
    #[serde(rename = "updated")]
    ClaimsUpdated,
    /// Reuse of a refresh token was detected and the session revoked (RFC 9700 §4.14.2). Which of the
    /// clients is the thief, nobody can tell.
    #[serde(rename_all = "camelCase")]
    Theft {
        /// How: `fork`, `parent_returned`, `abandoned_branch`, `older_token` or `denied_access`.
        how: &'static str,
        /// The client of the login.
        #[serde(skip_serializing_if = "Option::is_none")]
        created_from: Option<Box<ClientDetails>>,
        /// The client of the latest refresh.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_refreshed_from: Option<Box<ClientDetails>>,
    },
    /// A session was revoked.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// Whether enough replicas of the store confirmed the revocation; absent where none were
        /// asked. After `false` a failover may restore the session: revoke it again.
        #[serde(skip_serializing_if = "Option::is_none")]
        replicated: Option<bool>,
    },
}

impl AuditKind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::Migrated => "adopted",
            Self::Refreshed { .. } => "refreshed",
            Self::Replayed => "reissued",
            Self::Superseded => "superseded",
            Self::Refused { .. } => "refused",
            Self::ClaimsUpdated => "updated",
            Self::Theft { .. } => "theft",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// Counts what no operation counts by its outcome.
    fn count(&self) {
        let reason = match self {
            Self::Migrated => return metrics::count(&metrics::MIGRATIONS, &[]),
            Self::Theft { how, .. } => {
                metrics::count(&metrics::THEFTS, &[("how", how)]);
                RevocationReason::Reused
            }
            Self::Revoked { reason, .. } => *reason,
            Self::Login { .. }
            | Self::Refreshed { .. }
            | Self::Replayed
            | Self::Superseded
            | Self::ClaimsUpdated
            | Self::Refused { .. } => return,
        };
        metrics::count(&metrics::SESSIONS_REVOKED, &[("reason", reason.as_str())]);
    }
}

/// Access tokens that this process rejects from now on, whichever process revoked them: what an open
/// connection is to be checked against. An absent field selects all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RevokedAccess {
    /// Those of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Those of this session; serialized as `sessionId`.
    #[serde(rename = "sessionId", skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Not those of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_session: Option<SessionId>,
    /// Those issued up to this instant; milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_until: Option<Timestamp>,
}

impl RevokedAccess {
    /// `None` for what ends no session.
    fn of(target: &RevocationTarget) -> Option<Self> {
        let nothing =
            Self { subject: None, session: None, except_session: None, issued_until: None };
        match target {
            RevocationTarget::Session { session } => {
                Some(Self { session: Some(*session), ..nothing })
            }
            RevocationTarget::UserSession { subject, session } => {
                Some(Self { subject: Some(subject.clone()), session: Some(*session), ..nothing })
            }
            RevocationTarget::UserCutoff { subject, issued_until, except } => Some(Self {
                subject: Some(subject.clone()),
                except_session: *except,
                issued_until: Some(*issued_until),
                ..nothing
            }),
            RevocationTarget::Subject { .. } | RevocationTarget::Child { .. } => None,
            RevocationTarget::Cutoff { issued_until } => {
                Some(Self { issued_until: Some(*issued_until), ..nothing })
            }
        }
    }
}

/// Called on each event, on the thread where it happens. Must not block.
pub(super) type Listener = Arc<dyn Fn(&AuditEvent) + Send + Sync>;

/// Called when access tokens are revoked. Must not block.
pub(super) type RevocationListener = Arc<dyn Fn(&RevokedAccess) + Send + Sync>;

/// Emits events to the metrics, the log and the listeners.
#[derive(Clone)]
pub(crate) struct Auditor {
    pub(super) listener: Option<Listener>,
    pub(super) on_revoked: Option<RevocationListener>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Auditor {
    /// Access tokens are denied that were not denied before.
    pub(super) fn emit_revoked(&self, target: &RevocationTarget) {
        if let Some(listener) = &self.on_revoked
            && let Some(revoked) = RevokedAccess::of(target)
        {
            call(|| listener(&revoked));
        }
    }

    pub(crate) fn emit(&self, subject: &Subject, session: SessionId, kind: AuditKind) {
        self.emit_from(subject, session, None, kind);
    }

    /// Emits an event that a request of `client` caused.
    pub(super) fn emit_from(
        &self,
        subject: &Subject,
        session: SessionId,
        client: Option<&ClientDetails>,
        kind: AuditKind,
    ) {
        let name = kind.name();
        kind.count();
        let (at, subject, client) = (self.clock.now(), subject.clone(), client.cloned());
        let event = AuditEvent { at, subject, session, client, kind };
        let subject = &event.subject;
        if let AuditKind::Theft { how, .. } = event.kind {
            tracing::warn!(target: "regrant::audit", event = name, how, %subject, %session, "refresh token reuse detected, session revoked");
        } else {
            tracing::info!(target: "regrant::audit", event = name, %subject, %session, "session event");
        }
        if let Some(listener) = &self.listener {
            call(|| listener(&event));
        }
    }
}

/// Calls the app. A panic must not end the task that follows the feed: its process would hear of no revocation any more.
fn call(listener: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(listener)).is_err() {
        tracing::error!(target: "regrant::audit", "a listener of the app panicked");
    }
}
