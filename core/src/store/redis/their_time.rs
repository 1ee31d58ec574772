//! The clock of a server, seen from here: so that a question can say until when it is meant.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;

/// How far a server's clock is ahead of this process's own.
///
/// It is read off what the server says when it is connected to, and again when the server finds
/// that a question came too late although it did not.
pub(super) struct TheirTime {
    began: Instant,
    /// The server's clock when this one began, in milliseconds since 1970; not later than it was.
    then: AtomicI64,
}

/// Before it is known every question comes too late, and the answer to that tells it.
const UNKNOWN: i64 = i64::MIN;

impl TheirTime {
    pub(super) fn unknown() -> Self {
        Self { began: Instant::now(), then: AtomicI64::new(UNKNOWN) }
    }

    /// The server said `millis` in an answer that was here at `answered`.
    pub(super) fn learn(&self, answered: Instant, millis: i64) {
        // It said so no later than that: taken for that instant, its clock is rather too early.
        // A question that comes in time may be refused for it, and is then asked again; one that
        // comes too late never passes.
        self.then.store(millis.saturating_sub(self.since(answered)), Ordering::Relaxed);
    }

    /// What its clock shows at that instant, or a little later.
    pub(super) fn at(&self, instant: Instant) -> i64 {
        match self.then.load(Ordering::Relaxed) {
            UNKNOWN => 0,
            then => then.saturating_add(self.since(instant)),
        }
    }

    fn since(&self, instant: Instant) -> i64 {
        let span = instant.saturating_duration_since(self.began);
        i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_from_what_was_said() {
        let time = TheirTime::unknown();
        let begun = Instant::now();
        assert_eq!(time.at(begun), 0);
        tokio::time::advance(Duration::from_millis(40)).await;
        time.learn(Instant::now(), 1_000);
        assert_eq!(time.at(begun + Duration::from_millis(40)), 1_000);
        assert_eq!(time.at(begun + Duration::from_secs(2)), 2_960);
        // Its clock was set forward.
        time.learn(Instant::now(), 500_000);
        assert_eq!(time.at(Instant::now() + Duration::from_millis(5)), 500_005);
    }
}
