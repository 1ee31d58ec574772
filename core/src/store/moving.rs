//! Sessions that move from one store to another while their app goes on.
//!
//! A [`MovingStore`] runs each operation in the former store first, so that processes that still use that
//! store alone share every decision, and an app that goes back has lost nothing. Then it imports what the
//! former store has of the user into the new one
//! ([`Record::merged_with`](crate::session::Record::merged_with)). Where the new store knows more of the
//! session, because processes without the former store have changed it, the new store decides. A token is
//! presented only to a store that is up to date: one that is behind would issue a second child of a token
//! that has one already, and later take one of the two for stolen.
//!
//! A process that ends between the two stores leaves the new one behind. The next operation on that user, or
//! [`copy_sessions`](super::copy_sessions), brings it up to date.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Created, FailureCounter, Imported, Refreshed, Replicated, RevocationOutcome, RevokedSession,
    RevokedSessions, SessionFilter, SessionStore, StoreHealth, StoredSession, UserCursor, UserPage,
};
use crate::error::{Error, Result};
use crate::revocation::{
    FeedCursor, FeedPage, MAX_FEED_BYTES, MAX_FEED_ENTRIES, Revocation, RevocationFeed,
};
use crate::session::{
    AccessTokenUse, ClientDetails, Decision, NewSession, PresentedToken, Record, RefreshPolicy,
    SessionState, TheftScope, UseOutcome,
};
use crate::types::{FamilyPosition, RevocationReason, SessionId, Subject, Timestamp};

/// How long a read of both feeds waits for that of the new store, before it reads the other one again.
const FEED_WAIT: Duration = Duration::from_millis(250);

/// How many times the stores are compared at most: another process may change the session between two reads.
const MAX_COMPARISONS: u32 = 2;

/// By how much the clocks of stores and processes may differ.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// A store, and the one that the app used before. While one of them cannot be reached, every operation
/// fails. The new store must be empty when the move begins: what an earlier attempt left there would count.
pub struct MovingStore {
    store: Arc<dyn SessionStore>,
    former: Arc<dyn SessionStore>,
    opened_at: Timestamp,
}

/// What both stores have of a user.
struct Both {
    new: Vec<StoredSession>,
    former: Vec<StoredSession>,
}

impl Both {
    /// Whether the decision of the former store counts, because the new one knows nothing else of the session.
    fn former_decides(&self, session: &SessionId) -> bool {
        record(&self.new, session).is_none_or(|new| Some(new) == record(&self.former, session))
    }
}

/// Revokes in the new store the sessions that the former one has revoked and since deleted. A store keeps
/// only the most recently ended sessions of a user. So a session that the former store lacks, that began
/// before `opened_at`, and that began before the latest revocation which that store still has, must have
/// ended there. One that began after `opened_at` may never have been in the former store. Returns the
/// number of revoked sessions.
pub(super) async fn revoke_deleted(
    store: &dyn SessionStore,
    subject: &Subject,
    new: &[StoredSession],
    former: &[StoredSession],
    opened_at: Timestamp,
) -> Result<u64> {
    let revoked = former.iter().filter(|stored| stored.record.state != SessionState::Live);
    let Some(latest) = revoked.map(|stored| stored.record.idle_deadline).max() else {
        return Ok(0);
    };
    let mut count = 0;
    for StoredSession { id, record: known } in new {
        let began = known.created_at;
        if known.state == SessionState::Live
            && began < opened_at.minus(CLOCK_MARGIN)
            && began <= latest
            && record(former, id).is_none()
        {
            // The reason is not known any more.
            store.revoke(subject, id, RevocationReason::Administrative).await?;
            count += 1;
        }
    }
    Ok(count)
}

fn record<'a>(sessions: &'a [StoredSession], session: &SessionId) -> Option<&'a Record> {
    sessions.iter().find(|stored| stored.id == *session).map(|stored| &stored.record)
}

impl MovingStore {
    /// Sessions that move from `former` to `store`, from `opened_at` on: the present time.
    pub fn new(
        store: Arc<dyn SessionStore>,
        former: Arc<dyn SessionStore>,
        opened_at: Timestamp,
    ) -> Self {
        Self { store, former, opened_at }
    }

    /// Imports what the former store has of a user, and revokes there what only the new one has revoked.
    async fn synchronize(&self, subject: &Subject) -> Result<Both> {
        let former = self.former.list(subject).await?;
        if !former.is_empty() {
            self.store.import(subject, &former).await?;
        }
        let new = self.store.list(subject).await?;
        for StoredSession { id, record: known } in &new {
            let SessionState::Revoked(reason) = known.state else { continue };
            if record(&former, id).is_some_and(|former| former.state == SessionState::Live) {
                self.former.revoke(subject, id, reason).await?;
            }
        }
        revoke_deleted(&*self.store, subject, &new, &former, self.opened_at).await?;
        Ok(Both { new, former })
    }

    /// After an operation in the former store: whether its decision about the session counts. Otherwise the
    /// new store has to decide.
    async fn synchronize_and_check(&self, subject: &Subject, session: &SessionId) -> Result<bool> {
        for _ in 0..MAX_COMPARISONS {
            let both = self.synchronize(subject).await?;
            if both.former_decides(session) {
                return Ok(true);
            }
            let new = record(&both.new, session);
            if new.is_some_and(|new| new.state != SessionState::Live) {
                // The former store decided before it knew of this revocation; `synchronize` has told it
                // since.
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Revokes in `store` what the other one has revoked after reuse of a token.
    async fn revoke_stolen(
        store: &dyn SessionStore,
        subject: &Subject,
        session: &SessionId,
        scope: TheftScope,
    ) -> Result<()> {
        let reason = RevocationReason::Reused;
        match scope {
            TheftScope::Session => store.revoke(subject, session, reason).await.map(drop),
            TheftScope::Subject => {
                store.revoke_all(subject, &SessionFilter::ALL, reason).await.map(drop)
            }
        }
    }
}

impl fmt::Debug for MovingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MovingStore")
            .field("store", &self.store)
            .field("former", &self.former)
            .finish_non_exhaustive()
    }
}

#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for MovingStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        let created = self.former.create(subject, session, new).await?;
        for evicted in &created.evicted {
            // The former store may have deleted it at once.
            self.store.revoke(subject, evicted, RevocationReason::Displaced).await?;
        }
        match self.synchronize_and_check(subject, session).await? {
            true => Ok(created),
            false => self.store.create(subject, session, new).await,
        }
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>> {
        let is_reuse = |refreshed: &Option<Refreshed>| {
            refreshed.as_ref().is_some_and(|it| matches!(it.decision, Decision::Reuse(_)))
        };
        let mut discarded = None;
        if self.synchronize(subject).await?.former_decides(session) {
            let decided = self.former.refresh(subject, session, token, policy, client).await?;
            let agree = self.synchronize_and_check(subject, session).await?;
            if is_reuse(&decided) {
                Self::revoke_stolen(&*self.store, subject, session, policy.on_theft).await?;
                return Ok(decided);
            }
            if agree {
                return Ok(decided);
            }
            discarded = decided.and_then(|decided| decided.discarded);
        }
        let mut decided = self.store.refresh(subject, session, token, policy, client).await?;
        if is_reuse(&decided) {
            Self::revoke_stolen(&*self.former, subject, session, policy.on_theft).await?;
        }
        // The new store may replay the child that the former one has just issued, and then names no discarded child: the
        // access token of that one must be denied all the same.
        if let (Some(discarded), Some(decided)) = (discarded, &mut decided)
            && decided.discarded.is_none()
            && is_on_later_branch(&decided.decision, discarded.family_position)
        {
            decided.discarded = Some(discarded);
        }
        Ok(decided)
    }

    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool> {
        let is_live = self.former.set_claims(subject, session, claims).await?;
        match self.synchronize_and_check(subject, session).await? {
            true => Ok(is_live),
            false => self.store.set_claims(subject, session, claims).await,
        }
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        if self.synchronize(subject).await?.former_decides(session) {
            let outcome = self.former.record_use(subject, session, token_use, on_theft).await?;
            let agree = self.synchronize_and_check(subject, session).await?;
            if outcome == Some(UseOutcome::Reuse) {
                Self::revoke_stolen(&*self.store, subject, session, on_theft).await?;
                return Ok(outcome);
            }
            if agree {
                return Ok(outcome);
            }
        }
        let outcome = self.store.record_use(subject, session, token_use, on_theft).await?;
        if outcome == Some(UseOutcome::Reuse) {
            Self::revoke_stolen(&*self.former, subject, session, on_theft).await?;
        }
        Ok(outcome)
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let former = self.former.revoke(subject, session, reason).await?;
        self.synchronize(subject).await?;
        let new = self.store.revoke(subject, session, reason).await?;
        let outcome = match (former.outcome, new.outcome) {
            // The import has revoked it in the new store.
            (RevocationOutcome::Revoked, _) | (_, RevocationOutcome::Unknown) => former.outcome,
            (_, outcome) => outcome,
        };
        Ok(RevokedSession { outcome, replicated: in_both(former.replicated, new.replicated) })
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let mut all = self.former.revoke_all(subject, which, reason).await?;
        self.synchronize(subject).await?;
        let new = self.store.revoke_all(subject, which, reason).await?;
        for id in new.revoked {
            all.already_revoked.retain(|(known, _)| *known != id);
            if !all.revoked.contains(&id) {
                all.revoked.push(id);
            }
        }
        for (id, ended_at) in new.already_revoked {
            let is_known = all.revoked.contains(&id)
                || all.already_revoked.iter().any(|(known, _)| *known == id);
            if !is_known {
                all.already_revoked.push((id, ended_at));
            }
        }
        all.replicated = in_both(all.replicated, new.replicated);
        Ok(all)
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        self.store.feed().or(self.former.feed()).map(|_| self as &dyn RevocationFeed)
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        self.store.failures()
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        let Both { mut new, former } = self.synchronize(subject).await?;
        // Sessions that are over are not imported.
        let over: Vec<_> =
            former.into_iter().filter(|stored| record(&new, &stored.id).is_none()).collect();
        new.extend(over);
        Ok(new)
    }

    async fn find(&self, subject: &Subject, session: &SessionId) -> Result<Option<Record>> {
        Ok(record(&self.list(subject).await?, session).cloned())
    }

    async fn import(&self, subject: &Subject, sessions: &[StoredSession]) -> Result<Imported> {
        self.store.import(subject, sessions).await
    }

    async fn users(&self, _: &UserCursor) -> Result<UserPage> {
        Err(Error::config(
            "store",
            "cannot list its users while `previousStore` is set: copy from that store",
        ))
    }

    /// That of the new store, and not ready unless both are.
    async fn health(&self) -> StoreHealth {
        let mut health = self.store.health().await;
        let former = self.former.health().await;
        health.ready &= former.ready;
        health.warnings.extend(former.warnings);
        health
    }
}

/// Whether a decision issues a child that replaces the one at this position.
fn is_on_later_branch(decision: &Decision, discarded: FamilyPosition) -> bool {
    let (Decision::Rotate(child) | Decision::Replay(child)) = decision else { return false };
    let FamilyPosition { generation, branch } = child.family_position;
    generation == discarded.generation && branch > discarded.branch
}

/// Whether replicas of both stores have a write.
fn in_both(former: Replicated, new: Replicated) -> Replicated {
    match (former, new) {
        (Replicated::No, _) | (_, Replicated::No) => Replicated::No,
        (Replicated::NotAsked, Replicated::NotAsked) => Replicated::NotAsked,
        _ => Replicated::Yes,
    }
}

/// The feeds of both stores. Reached only through [`SessionStore::feed`], where one of them has a feed.
#[warn(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationFeed for MovingStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        for feed in [self.former.feed(), self.store.feed()].into_iter().flatten() {
            feed.publish(revocations).await?;
        }
        Ok(())
    }

    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage> {
        let (ours, theirs) = split(cursor);
        let of_former = if self.store.feed().is_some() { Duration::ZERO } else { wait };
        let former = read_feed(self.former.feed(), &theirs, of_former).await?;
        // What was read from the former store is reported at once.
        let of_new = if former.next == theirs { wait.min(FEED_WAIT) } else { Duration::ZERO };
        // The times of publication are those of the new store, whose clock is `now`.
        let mut page = read_feed(self.store.feed(), &ours, of_new).await?;
        page.next = join(&page.next, &former.next)?;
        page.revocations.extend(former.revocations);
        page.complete &= former.complete;
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

/// A page of a feed; an empty one of a store that has no feed.
async fn read_feed(
    feed: Option<&dyn RevocationFeed>,
    cursor: &FeedCursor,
    wait: Duration,
) -> Result<FeedPage> {
    match feed {
        Some(feed) => feed.read(cursor, wait).await,
        None => Ok(FeedPage { complete: true, ..FeedPage::default() }),
    }
}

/// The positions in both feeds: the beginnings for a cursor that [`join`] did not write.
fn split(cursor: &FeedCursor) -> (FeedCursor, FeedCursor) {
    let positions: [String; 2] = serde_json::from_str(&cursor.0).unwrap_or_default();
    let [ours, theirs] = positions.map(FeedCursor);
    (ours, theirs)
}

fn join(ours: &FeedCursor, theirs: &FeedCursor) -> Result<FeedCursor> {
    let cursor = serde_json::to_string(&[&ours.0, &theirs.0]);
    cursor.map(FeedCursor).map_err(|_| Error::internal("a cursor did not serialize"))
}
