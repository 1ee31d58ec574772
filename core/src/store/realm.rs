//! The sessions of one realm in a store that several realms may share.
//!
//! A [`RealmStore`] gives every user a name of its own in each realm ([`Realm`]) and marks each
//! revocation with the realm, so no store has to know what a realm is. The sessions of previous realms
//! stay where they are and go on until they expire: what is not found in the current realm is looked
//! for in those. A theft revokes sessions of its own realm only; the caller revokes those of the others
//! ([`SessionStore::revoke_all`]) and repeats that if it fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Created, FailureCounter, FailureKey, Failures, Imported, Refreshed, Replicated,
    RevocationOutcome, RevokedSession, RevokedSessions, SessionFilter, SessionStore, StoreHealth,
    StoredSession, UserCursor, UserPage,
};
use crate::error::Result;
use crate::revocation::{
    FeedCursor, FeedPage, MAX_FEED_BYTES, MAX_FEED_ENTRIES, Revocation, RevocationFeed,
    RevocationTarget,
};
use crate::session::{
    AccessTokenUse, ClientDetails, NewSession, PresentedToken, Record, RefreshPolicy, TheftScope,
    UseOutcome,
};
use crate::types::{Realm, Realms, RevocationReason, SessionId, Subject, Timestamp};

/// The sessions of one realm, and those of previous realms that go on. [`Auth`](crate::Auth) and
/// [`SessionAdmin`](crate::auth::SessionAdmin) put it around the store that they are given.
pub struct RealmStore {
    store: Arc<dyn SessionStore>,
    realms: Realms,
}

impl RealmStore {
    /// The sessions of these realms in `store`.
    pub fn new(store: Arc<dyn SessionStore>, realms: Realms) -> Self {
        Self { store, realms }
    }

    /// The user's name in the current realm, and then in each of the previous ones.
    fn names(&self, subject: &Subject) -> Vec<Subject> {
        self.realms.iter().map(|realm| realm.qualify(subject)).collect()
    }
}

impl fmt::Debug for RealmStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

// The lint: a default method that is not forwarded would hide the store's own.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for RealmStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        let names = self.names(subject);
        // A legacy token that was migrated in a previous realm keeps its session, and stays revoked
        // where that was. The ids of other sessions are new.
        let previous = if new.legacy_login.is_some() { &names[1..] } else { &[] };
        for name in previous {
            if self.store.find(name, session).await?.is_some() {
                return self.store.create(name, session, new).await;
            }
        }
        self.store.create(&names[0], session, new).await
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>> {
        for name in self.names(subject) {
            let refreshed = self.store.refresh(&name, session, token, policy, client).await?;
            if refreshed.is_some() {
                return Ok(refreshed);
            }
        }
        Ok(None)
    }

    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool> {
        for name in self.names(subject) {
            if self.store.set_claims(&name, session, claims).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        for name in self.names(subject) {
            let outcome = self.store.record_use(&name, session, token_use, on_theft).await?;
            if outcome.is_some() {
                return Ok(outcome);
            }
        }
        Ok(None)
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let names = self.names(subject);
        let mut revoked = self.store.revoke(&names[0], session, reason).await?;
        for name in &names[1..] {
            if revoked.outcome != RevocationOutcome::Unknown {
                break;
            }
            revoked = self.store.revoke(name, session, reason).await?;
        }
        Ok(revoked)
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let names = self.names(subject);
        let mut all = self.store.revoke_all(&names[0], which, reason).await?;
        for name in &names[1..] {
            let more = self.store.revoke_all(name, which, reason).await?;
            all.revoked.extend(more.revoked);
            all.already_revoked.extend(more.already_revoked);
            if more.replicated == Replicated::No {
                all.replicated = Replicated::No;
            }
        }
        Ok(all)
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        self.store.feed().map(|_| self as &dyn RevocationFeed)
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        self.store.failures().map(|_| self as &dyn FailureCounter)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        let mut all = Vec::new();
        for name in self.names(subject) {
            all.extend(self.store.list(&name).await?);
        }
        Ok(all)
    }

    /// The name of the user in the store, as [`users`](Self::users) lists it.
    async fn import(&self, subject: &Subject, sessions: &[StoredSession]) -> Result<Imported> {
        self.store.import(subject, sessions).await
    }

    async fn users(&self, cursor: &UserCursor) -> Result<UserPage> {
        self.store.users(cursor).await
    }

    async fn find(&self, subject: &Subject, session: &SessionId) -> Result<Option<Record>> {
        for name in self.names(subject) {
            let record = self.store.find(&name, session).await?;
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
    }

    async fn health(&self) -> StoreHealth {
        self.store.health().await
    }
}

/// Reached only through [`SessionStore::failures`], where the store has one.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl FailureCounter for RealmStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        match self.store.failures() {
            Some(failures) => failures.count(&key.in_realm(&self.realms.current), window).await,
            None => Ok(Failures { count: 0, left: Duration::ZERO }),
        }
    }
}

/// Reached only through [`SessionStore::feed`], where the store has one.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationFeed for RealmStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let Some(feed) = self.store.feed() else { return Ok(()) };
        // While a realm is renamed, other processes know it by its previous name only. What is left of
        // the realm without a name is common to apps that must not deny each other's tokens.
        let previous = self.realms.iter().skip(1).filter_map(Realm::tag).map(Some);
        let tags: Vec<_> = std::iter::once(self.realms.current.tag()).chain(previous).collect();
        let mut marked = Vec::with_capacity(revocations.len());
        for revocation in revocations {
            let tags = if names_session(&revocation.target) { &[None][..] } else { &tags };
            marked.extend(tags.iter().map(|tag| {
                let realm = tag.map(Into::into);
                Revocation { realm, ..revocation.clone() }
            }));
        }
        feed.publish(&marked).await
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let Some(feed) = self.store.feed() else { return Ok(FeedPage::default()) };
        let mut page = feed.read(cursor, wait).await?;
        page.revocations.retain_mut(|revocation| {
            let tag = revocation.realm.take();
            let is_known = self.realms.iter().any(|realm| realm.tag() == tag.as_deref());
            is_known || tag.is_none() && names_session(&revocation.target)
        });
        Ok(page)
    }

    fn max_entries(&self) -> usize {
        self.store.feed().map_or(MAX_FEED_ENTRIES, RevocationFeed::max_entries)
    }

    fn max_bytes(&self) -> usize {
        self.store.feed().map_or(MAX_FEED_BYTES, RevocationFeed::max_bytes)
    }

    async fn now(&self) -> Result<Option<Timestamp>> {
        match self.store.feed() {
            Some(feed) => feed.now().await,
            None => Ok(None),
        }
    }
}

/// Whether a revocation means the same in every realm: the ids of sessions are unique, and a full feed
/// has lost entries of all realms.
const fn names_session(target: &RevocationTarget) -> bool {
    matches!(
        target,
        RevocationTarget::Session { .. }
            | RevocationTarget::Child { .. }
            | RevocationTarget::Cutoff { .. }
    )
}

impl FailureKey {
    /// The key of the same user in a realm.
    fn in_realm(&self, realm: &Realm) -> Self {
        match realm.tag() {
            Some(tag) => Self::of(b"realm", &[tag.as_bytes(), self.as_bytes()].concat()),
            None => *self,
        }
    }
}
