//! Follows the feed of revocations, so that what any process revokes is refused here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::Engine;
use crate::revocation::Cursor;
use crate::store::SessionStore;

/// How long one reading waits for news: so often a quiet feed shows that it is alive.
const WAIT: Duration = Duration::from_secs(1);

/// Between attempts while the store is away.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Ends, within one wait, when the facade is dropped. Starts at the feed's beginning: what was
/// revoked before this process started counts too.
pub(super) async fn follow(store: Arc<dyn SessionStore>, engine: Weak<Engine>) {
    let Some(feed) = store.feed() else { return };
    let mut cursor = Cursor::default();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let page = feed.read(&cursor, WAIT).await;
        let Some(engine) = engine.upgrade() else { return };
        match page {
            Ok(page) => {
                let now = engine.clock.now();
                for revocation in &page.revocations {
                    engine.denied.refuse(revocation, now);
                }
                cursor = page.next;
                if page.complete {
                    engine.freshness.read_at(now);
                }
                pause = SHORTEST_PAUSE;
            }
            Err(error) => {
                tracing::debug!(target: "regrant::store", %error, "the revocation feed was not read");
                drop(engine);
                sleep(pause + jitter(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Up to as much again, so that processes do not come back all at once.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter, which does no harm.
    let share = getrandom::fill(&mut byte).map_or(0, |()| u32::from(byte[0]));
    pause * share / 255
}
