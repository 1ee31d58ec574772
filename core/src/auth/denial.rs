//! How a revocation takes effect: the access tokens that it ends are denied in this process at once, and
//! in the others through the revocation feed, which each process follows (`background.rs`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::logout::CLOCK_MARGIN;
use super::unfinished::RevocationRequest;
use super::{SessionAdmin, metrics};
use crate::error::{Error, Result};
use crate::revocation::{DenyList, Revocation, RevocationTarget};
use crate::types::{RevocationReason, Subject, Timestamp};

/// How many sessions one call revokes one by one. Beyond that it publishes a cut-off time: all clients
/// of the user refresh once, and the store knows which of their sessions are revoked.
const MAX_AT_ONCE: usize = 500;

/// How many users a feed has room for, of whom each revokes as much as it may, in one call or within the lifetime of an
/// access token.
const USERS_AT_ONCE: usize = 40;
const USERS: usize = 10;

impl SessionAdmin {
    /// Notes the lifetime of an access token that was verified.
    pub(super) fn saw(&self, expires_at: Timestamp) {
        let left = expires_at.since(self.clock.now()).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        self.longest_seen.fetch_max(left, Ordering::Relaxed);
    }

    /// How long revocations are remembered: also for tokens that were issued with a longer lifetime, by another
    /// process or before it was shortened.
    pub(super) fn retention(&self) -> Duration {
        let seen = Duration::from_millis(self.longest_seen.load(Ordering::Relaxed));
        match seen > self.longest_access {
            true => seen.saturating_add(CLOCK_MARGIN),
            false => self.longest_access,
        }
    }

    /// Denies access tokens in this process.
    pub(super) fn deny_locally(&self, target: RevocationTarget) -> Revocation {
        let now = self.clock.now();
        let revocation = Revocation::new(target, now.plus(self.retention()));
        if self.denied.deny(&revocation, now) {
            self.auditor.emit_revoked(&revocation.target);
        }
        metrics::set(&metrics::DENY_LIST_ENTRIES, self.denied.len() as f64);
        revocation
    }

    /// Denies access tokens of a user in this process and publishes that to the feed. Of the
    /// `repeated` targets only those are published that the feed does not have yet.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`]: denied here, and perhaps published.
    /// [`Error::TooManyAttempts`]: denied here, and not published.
    pub(super) async fn deny_everywhere(
        &self,
        subject: &Subject,
        new: Vec<RevocationTarget>,
        repeated: Vec<RevocationTarget>,
    ) -> Result<()> {
        let (published, unpublished): (Vec<_>, Vec<_>) =
            repeated.into_iter().partition(|target| self.is_published_or_deferred(subject, target));
        for target in published {
            self.deny_locally(target);
        }
        let targets = new.into_iter().chain(unpublished);
        let mut revocations: Vec<_> = targets.map(|target| self.deny_locally(target)).collect();
        let Some(feed) = self.store.feed().filter(|_| !revocations.is_empty()) else {
            return Ok(());
        };
        let now = self.clock.now();
        let denied_here = revocations.clone();
        // One user must not fill a short feed, whose end all clients would notice.
        let at_once = MAX_AT_ONCE.min(feed.max_entries() / USERS_AT_ONCE);
        if revocations.len() > at_once {
            // Covers the current second and, if a cut-off time has moved `iat` ahead, the next.
            revocations = vec![self.deny_locally(RevocationTarget::UserCutoff {
                subject: subject.clone(),
                issued_until: now.plus(Duration::from_secs(1)),
                except: None,
            })];
        }
        let most = feed.max_entries() / USERS;
        self.publications.admit(subject, revocations.len(), most, self.retention(), now)?;
        feed.publish(&revocations).await.inspect_err(|_| {
            // They are published later, which must not count twice.
            self.publications.take_back(subject, revocations.len());
        })?;
        for revocation in denied_here.iter().chain(&revocations) {
            self.denied.deny_published(revocation, now);
        }
        Ok(())
    }

    /// Whether the feed has this revocation, or will have it soon.
    fn is_published_or_deferred(&self, subject: &Subject, target: &RevocationTarget) -> bool {
        self.denied.is_published(target, Duration::ZERO)
            || self.denied.is_published(target, DenyList::REPEAT_INTERVAL)
                && self.publications.defer(subject, target, self.clock.now())
    }

    /// Denies as [`SessionAdmin::deny_everywhere`] does, where a failure to publish must not fail
    /// the caller. The store has revoked already, so another process learns of the revocation at
    /// the token's first use there.
    pub(super) async fn deny_everywhere_best_effort(
        &self,
        subject: &Subject,
        new: Vec<RevocationTarget>,
        repeated: Vec<RevocationTarget>,
    ) {
        // The store has revoked these sessions and keeps their reasons: repeating it publishes them.
        let request = |target: &RevocationTarget| match target {
            RevocationTarget::Session { session } => Some(RevocationRequest::Session {
                subject: subject.clone(),
                session: *session,
                reason: RevocationReason::Administrative,
                client: None,
            }),
            _ => None,
        };
        let unfinished = self.unfinished.begin(new.iter().chain(&repeated).filter_map(request));
        let denied = self.deny_everywhere(subject, new, repeated).await;
        if let Err(error) = &denied {
            tracing::warn!(target: "regrant::store", %error, "failed to publish a revocation to the feed");
        }
        if !matches!(denied, Err(Error::StoreUnavailable { .. })) {
            unfinished.done();
        }
    }

    /// Denies the access tokens that a user has, everywhere. The sessions go on.
    ///
    /// # Errors
    /// As [`SessionAdmin::deny_everywhere`].
    pub(super) async fn deny_access_tokens(&self, subject: &Subject) -> Result<()> {
        let target = RevocationTarget::UserCutoff {
            subject: subject.clone(),
            issued_until: self.clock.now(),
            except: None,
        };
        self.deny_everywhere(subject, vec![target], Vec::new()).await
    }

    /// Publishes the cut-off times that [`SessionAdmin::deny_everywhere`] deferred.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`]: they are kept for the next call.
    pub(super) async fn publish_deferred(&self) -> Result<()> {
        let now = self.clock.now();
        let mut outcome = Ok(());
        for (subject, targets) in self.publications.take_due(now) {
            if outcome.is_ok() {
                match self.deny_everywhere(&subject, targets.clone(), Vec::new()).await {
                    Ok(()) => continue,
                    Err(error @ Error::StoreUnavailable { .. }) => outcome = Err(error),
                    // The limit of this user, which says nothing about others.
                    Err(_) => {}
                }
            }
            for target in &targets {
                self.publications.defer(&subject, target, now);
            }
        }
        outcome
    }
}
