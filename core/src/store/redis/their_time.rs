//! The clock of a server, seen from here: so that a question can say until when it is meant.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;

/// How far a server's clock is ahead of this process's own.
///
/// It is read off what the server says when it is connected to, and again when the server finds
/// that a question came too late although it did not.
pub(super) struct TheirTime {
    began: Instant,
    /// The server's clock when this one began, in milliseconds since 1970.
    then: AtomicI64,
}

/// Where it is not known.
const UNKNOWN: i64 = i64::MIN;

impl TheirTime {
    pub(super) fn unknown() -> Self {
        Self { began: Instant::now(), then: AtomicI64::new(UNKNOWN) }
    }

    /// The server said `millis` to a question that was sent at `asked`.
    pub(super) fn learn(&self, asked: Instant, millis: i64) {
        // It said so not before it was asked: taken for that instant, its clock is rather too
        // late, and no question that comes in time is refused.
        self.then.store(millis.saturating_sub(self.since(asked)), Ordering::Relaxed);
    }

    /// What its clock shows at that instant.
    pub(super) fn at(&self, instant: Instant) -> Option<i64> {
        let then = self.then.load(Ordering::Relaxed);
        (then != UNKNOWN).then(|| then.saturating_add(self.since(instant)))
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
        let asked = Instant::now();
        assert_eq!(time.at(asked), None);
        tokio::time::advance(Duration::from_millis(40)).await;
        time.learn(asked, 1_000);
        assert_eq!(time.at(asked + Duration::from_secs(2)), Some(3_000));
        // Its clock was set forward.
        let asked = Instant::now();
        time.learn(asked, 500_000);
        assert_eq!(time.at(asked + Duration::from_millis(5)), Some(500_005));
    }
}
