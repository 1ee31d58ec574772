//! What each process does about revocations in the background: it denies what others publish to the
//! feed, and repeats what the store did not take.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::logout::{CLOCK_MARGIN, LogoutEverywhere, is_unfinished};
use super::unfinished::RevocationRequest;
use super::{Engine, SessionAdmin, metrics};
use crate::error::{Error, Result};
use crate::revocation::{FeedCursor, FeedPage, RevocationFeed};
use crate::store::SessionStore;
use crate::types::{Timestamp, jitter};

/// How long one read of the feed waits for news. A quiet feed proves this often that it is alive.
const FEED_WAIT: Duration = Duration::from_secs(1);

/// The delay between attempts to read the feed; it doubles with each failure.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(50);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(2);

/// Applies what other processes publish to the deny list of this one, from the beginning of the
/// feed on: revocations from before this process started count too. Ends within [`FEED_WAIT`] of
/// the drop of the last [`Auth`](super::Auth).
pub(super) async fn follow_feed(store: Arc<dyn SessionStore>, engine: Weak<Engine>) {
    let Some(feed) = store.feed() else { return };
    let mut follower = FeedFollower::default();
    loop {
        let page = feed.read(&follower.cursor, FEED_WAIT).await;
        let Some(engine) = engine.upgrade() else { return };
        let span = metrics::operation_span!(DEBUG, "follow_feed");
        let applying = async {
            follower.apply(&engine, feed, page?).await?;
            engine.admin.publish_deferred().await
        };
        let applied = metrics::instrument(span, applying, |()| "ok").await;
        engine.update_gauges();
        drop(engine);
        if let Some(delay) = follower.retry_delay(applied) {
            sleep(delay + jitter(delay)).await;
        }
    }
}

#[derive(Default)]
struct FeedFollower {
    cursor: FeedCursor,
    /// The time of the latest read.
    read_at: Option<Timestamp>,
    /// Whether the end of the feed was reached once. Only what is published later is measured.
    caught_up: bool,
    /// The delay after the latest failure; `None` while reads succeed.
    delay: Option<Duration>,
}

impl FeedFollower {
    async fn apply(
        &mut self,
        engine: &Engine,
        feed: &dyn RevocationFeed,
        page: FeedPage,
    ) -> Result<()> {
        let now = engine.now();
        let admin = &engine.admin;
        for mut revocation in page.revocations {
            if self.caught_up {
                // Just published, whatever the clock of the publisher says.
                let expires_at = now.plus(admin.retention());
                revocation.expires_at = revocation.expires_at.max(expires_at);
            }
            if admin.denied.deny_published(&revocation, now) {
                admin.auditor.emit_revoked(&revocation.target);
            }
        }
        admin.denied.prune(now);
        self.cursor = page.next;
        // A clock that was ahead and is corrected had made revocations expire that are in force.
        let is_set_back = self.read_at.replace(now).is_some_and(|at| now.plus(CLOCK_MARGIN) < at);
        if is_set_back {
            self.cursor = FeedCursor::default();
        }
        if page.complete {
            engine.revocation_lag.set_read_at(now);
        }
        // Measured last, so that nothing waits for the store's clock.
        if self.caught_up && !page.published_at.is_empty() {
            measure_delivery(feed, &page.published_at).await;
        }
        self.caught_up |= page.complete;
        Ok(())
    }

    fn retry_delay(&mut self, applied: Result<()>) -> Option<Duration> {
        let previous = self.delay;
        self.delay = match &applied {
            Ok(()) => None,
            Err(_) => Some(previous.map_or(MIN_RETRY_DELAY, |it| (it * 2).min(MAX_RETRY_DELAY))),
        };
        match (applied, previous) {
            (Err(error), None) => {
                let cause = std::error::Error::source(&error);
                tracing::warn!(target: "regrant::store", %error, cause, "cannot read the revocation feed; revocations by other processes are unknown here until it recovers");
            }
            (Ok(()), Some(_)) => {
                tracing::info!(target: "regrant::store", "revocation feed recovered");
            }
            _ => {}
        }
        self.delay
    }
}

/// Records how long revocations took to arrive, between two readings of the store's clock.
async fn measure_delivery(feed: &dyn RevocationFeed, published_at: &[Timestamp]) {
    if let Ok(Some(now)) = feed.now().await {
        for at in published_at {
            metrics::seconds(&metrics::DELIVERY_SECONDS, &[], now.since(*at));
        }
    }
}

/// The delay before a revocation that the store did not take is repeated; it doubles with each failure.
const MIN_REPEAT_DELAY: Duration = Duration::from_millis(500);
const MAX_REPEAT_DELAY: Duration = Duration::from_secs(4);

/// How many repetitions may fail before the others wait for the next round.
const FAILURES_OF_A_ROUND: usize = 8;

impl SessionAdmin {
    /// Repeats revocations that the store did not take. Returns whether none is left.
    ///
    /// A round ends after some failures, because a store that is unavailable need not be asked for each
    /// one, and the next round begins with others: one part of a store may be unavailable for long.
    async fn repeat_unfinished(&self, round: usize) -> bool {
        let mut requests = self.unfinished.all();
        if !requests.is_empty() {
            let first = round.wrapping_mul(FAILURES_OF_A_ROUND) % requests.len();
            requests.rotate_left(first);
        }
        let mut failures = 0;
        for request in requests {
            let is_left = match request.clone() {
                RevocationRequest::Session { subject, session, reason, client } => is_unfinished(
                    &self.try_revoke_one(&subject, &session, reason, client.as_ref()).await,
                ),
                RevocationRequest::Everywhere { subject, which, reason, client } => {
                    let request = LogoutEverywhere { subject, which, reason, client };
                    is_unfinished(&self.try_revoke_all(&request).await)
                }
                RevocationRequest::AccessTokens { subject } => {
                    let denied = self.deny_access_tokens(&subject).await;
                    matches!(denied, Err(Error::StoreUnavailable { .. }))
                }
            };
            if !is_left {
                self.unfinished.remove(&request);
                continue;
            }
            failures += 1;
            if failures == FAILURES_OF_A_ROUND {
                break;
            }
        }
        self.unfinished.is_empty()
    }
}

/// Repeats what the store did not take, whenever `woken` says that there is something, until the last
/// [`Auth`](super::Auth) is dropped.
pub(super) async fn repeat_unfinished(engine: Weak<Engine>, mut woken: mpsc::Receiver<()>) {
    while woken.recv().await.is_some() {
        let mut delay = MIN_REPEAT_DELAY;
        for round in 0.. {
            sleep(delay + jitter(delay)).await;
            let Some(engine) = engine.upgrade() else { return };
            if engine.admin.repeat_unfinished(round).await {
                break;
            }
            delay = (delay * 2).min(MAX_REPEAT_DELAY);
        }
    }
}
