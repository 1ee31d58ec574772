//! One attempt after another, each shared by all who came before it began.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::RedisResult;
use tokio::sync::Mutex;

/// For questions whose answer must be younger than the asking.
pub(super) struct Round<T> {
    /// How many attempts have begun.
    begun: AtomicU64,
    /// Which one succeeded last, and its outcome.
    last: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Round<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: Mutex::new(None) }
    }
}

impl<T: Clone> Round<T> {
    /// The outcome of `attempt`, or of one that began after this call.
    pub(super) async fn next(
        &self,
        attempt: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        let before = self.begun.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        if let Some((number, outcome)) = &*last
            && *number > before
        {
            return Ok(outcome.clone());
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let outcome = attempt.await?;
        *last = Some((number, outcome.clone()));
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_during_an_attempt_shares_the_next_one() {
        let (round, attempts) = (Round::default(), AtomicU64::new(0));
        let come_after = |millis| {
            let (round, attempts) = (&round, &attempts);
            async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                let attempt = async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok(attempts.fetch_add(1, Ordering::SeqCst))
                };
                round.next(attempt).await.unwrap()
            }
        };
        let outcomes = tokio::join!(come_after(0), come_after(10), come_after(20), come_after(150));
        assert_eq!(outcomes, (0, 1, 1, 2));
    }
}
