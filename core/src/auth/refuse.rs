//! What is refused from now on: here at once, and in every other process by way of the feed.

use super::{AuditKind, Engine, SessionAdmin};
use crate::access::VerifiedAccess;
use crate::error::Result;
use crate::observe;
use crate::revocation::{Revocation, RevocationTarget, TokenIdentity};
use crate::session::{SessionState, TheftScope};
use crate::types::{RevocationReason, SessionId, Subject};

impl<'a> From<&'a VerifiedAccess> for TokenIdentity<'a> {
    fn from(access: &'a VerifiedAccess) -> Self {
        Self {
            subject: access.subject(),
            session: access.session(),
            family_position: access.family_position(),
            issued_at: access.issued_at(),
        }
    }
}

impl SessionAdmin {
    /// Refuses in this process.
    pub(super) fn deny_locally(&self, target: RevocationTarget) -> Revocation {
        let now = self.clock.now();
        let revocation = Revocation { target, expires_at: now.plus(self.longest_access) };
        self.denied.deny(&revocation, now);
        observe::deny_list(self.denied.len());
        revocation
    }

    /// Refuses in every process. Once this is done, whoever reads the feed finds it.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable): refused here, and perhaps
    /// elsewhere.
    pub(super) async fn refuse(
        &self,
        targets: impl IntoIterator<Item = RevocationTarget>,
    ) -> Result<()> {
        let revocations: Vec<_> =
            targets.into_iter().map(|target| self.deny_locally(target)).collect();
        match self.store.feed() {
            Some(feed) if !revocations.is_empty() => feed.publish(&revocations).await,
            _ => Ok(()),
        }
    }

    /// As [`SessionAdmin::refuse`], where nobody waits for it: the store has revoked already, so what
    /// other processes do not hear of they see in the store at the token's first use there.
    pub(super) async fn deny_everywhere_best_effort(
        &self,
        targets: impl IntoIterator<Item = RevocationTarget>,
    ) {
        if let Err(error) = self.refuse(targets).await {
            tracing::warn!(target: "regrant::store", %error, "other processes were not told of a revocation");
        }
    }

    /// The sessions of a user that were ended, as the store knows them.
    pub(super) async fn ended_sessions(&self, subject: &Subject) -> Result<Vec<RevocationTarget>> {
        let sessions = self.store.list(subject).await?;
        Ok(sessions
            .into_iter()
            .filter(|stored| stored.record.state != SessionState::Live)
            .map(|stored| RevocationTarget::Session { session: stored.id })
            .collect())
    }

    /// A login had sessions give way and the store has revoked them: follow suit.
    pub(super) async fn on_evicted(&self, subject: &Subject, displaced: &[SessionId]) {
        let ended = displaced.iter().map(|session| RevocationTarget::Session { session: *session });
        self.deny_everywhere_best_effort(ended).await;
        let reason = RevocationReason::Displaced;
        for session in displaced {
            let kind = AuditKind::Revoked { reason, replicated: None };
            self.auditor.emit(subject, *session, kind);
        }
    }
}

impl Engine {
    /// A theft was seen and the store has revoked what the policy says: follow suit.
    pub(super) async fn after_theft(
        &self,
        subject: &Subject,
        session: SessionId,
        how: &'static str,
    ) {
        let mut ended = vec![RevocationTarget::Session { session }];
        if self.policy.on_theft == TheftScope::Subject {
            match self.admin.ended_sessions(subject).await {
                Ok(sessions) => ended.extend(sessions),
                Err(error) => {
                    tracing::warn!(target: "regrant::store", %error, "the access tokens of a user's other sessions were not refused");
                }
            }
        }
        self.admin.deny_everywhere_best_effort(ended).await;
        self.admin.auditor.emit(subject, session, AuditKind::Theft { how });
    }
}
