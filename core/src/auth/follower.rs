//! Follows the feed of revocations, so that what any process revokes is refused here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::Engine;
use crate::error::Result;
use crate::observe;
use crate::revocation::{FeedCursor, FeedPage, RevocationFeed};
use crate::store::SessionStore;
use crate::types::Timestamp;

/// How long one reading waits for news: so often a quiet feed shows that it is alive.
const WAIT: Duration = Duration::from_secs(1);

/// Between attempts while the store is away.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Ends, within one wait, when the facade is dropped. Starts at the feed's beginning: what was
/// revoked before this process started counts too.
pub(super) async fn follow(store: Arc<dyn SessionStore>, engine: Weak<Engine>) {
    let Some(feed) = store.feed() else { return };
    let mut follower = Follower::default();
    loop {
        let page = feed.read(&follower.cursor, WAIT).await;
        let Some(engine) = engine.upgrade() else { return };
        let span = observe::operation_span!(DEBUG, "follow_feed");
        let took = async { follower.take(&engine, feed, page?).await };
        let taken = observe::within(span, took, |()| "ok").await;
        engine.update_gauges();
        drop(engine);
        if let Some(pause) = follower.after(taken) {
            sleep(pause + jitter(pause)).await;
        }
    }
}

#[derive(Default)]
struct Follower {
    cursor: FeedCursor,
    /// Whether the end was reached once: what comes from then on is news.
    live: bool,
    /// The pause after the latest failure; none while the feed is being read.
    pause: Option<Duration>,
}

impl Follower {
    async fn take(
        &mut self,
        engine: &Engine,
        feed: &dyn RevocationFeed,
        page: FeedPage,
    ) -> Result<()> {
        let now = engine.admin.clock.now();
        for revocation in &page.revocations {
            engine.admin.denied.deny(revocation, now);
        }
        self.cursor = page.next;
        if page.complete {
            engine.freshness.read_at(now);
        }
        if self.live && !page.published_at.is_empty() {
            // Asked after the fact, so that nothing waits for it.
            measure(feed, &page.published_at).await;
        }
        self.live |= page.complete;
        Ok(())
    }

    /// How long to pause after a reading.
    fn after(&mut self, taken: Result<()>) -> Option<Duration> {
        let before = self.pause;
        self.pause = taken
            .as_ref()
            .err()
            .map(|_| before.map_or(SHORTEST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)));
        match (taken, before) {
            (Err(error), None) => {
                let cause = std::error::Error::source(&error);
                tracing::warn!(target: "regrant::store", %error, cause, "the revocation feed cannot be read: logouts of other processes are not known here until it can");
            }
            (Ok(()), Some(_)) => {
                tracing::info!(target: "regrant::store", "the revocation feed is being read again");
            }
            _ => {}
        }
        self.pause
    }
}

/// Measures how long news was on its way, between two readings of one clock.
async fn measure(feed: &dyn RevocationFeed, published_at: &[Timestamp]) {
    if let Ok(Some(now)) = feed.now().await {
        published_at.iter().for_each(|published_at| observe::delivered(now.since(*published_at)));
    }
}

/// Up to as much again, so that processes do not come back all at once.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter, which does no harm.
    let share = getrandom::fill(&mut byte).map_or(0, |()| u32::from(byte[0]));
    pause * share / 255
}
