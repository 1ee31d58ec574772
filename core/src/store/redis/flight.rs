//! One attempt at a time, shared by all who need its outcome.
//!
//! While a server is away, requests must not each try to reach it: whoever comes first tries, the
//! others wait for that attempt. Once one has failed, all fail at once with its error until a
//! wait is over ([`Backoff`]), and also while the next attempt is under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{RedisError, RedisResult};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::backoff::{Backoff, jitter};
use super::connector::no_answer;

type Outcome<T> = Option<RedisResult<T>>;

pub(super) struct Flight<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    running: Option<watch::Receiver<Outcome<T>>>,
    /// No attempt begins before this instant.
    not_before: Option<Instant>,
    /// What the last attempt failed with.
    failure: Option<RedisError>,
    backoff: Backoff,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(super) fn new() -> Self {
        let state =
            State { running: None, not_before: None, failure: None, backoff: Backoff::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The outcome of `attempt`, or of the attempt that is under way. It goes on when nobody
    /// waits for it any more.
    pub(super) async fn join<A>(&self, attempt: impl FnOnce() -> A) -> RedisResult<T>
    where
        A: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let mut outcome = loop {
            let pause = {
                let mut state = self.state();
                // One whose runtime was shut down never ends.
                let running =
                    state.running.as_ref().filter(|attempt| attempt.has_changed().is_ok());
                let waits = state.not_before.filter(|instant| *instant > Instant::now());
                match (running, &state.failure, waits) {
                    (Some(_), Some(failure), _) => return Err(failure.clone()),
                    (Some(running), None, _) => break running.clone(),
                    (None, Some(failure), Some(_)) => return Err(failure.clone()),
                    (None, None, Some(instant)) => instant,
                    (None, _, None) => break self.start(&mut state, attempt()),
                }
            };
            sleep_until(pause).await;
        };
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(no_answer())),
            Err(_) => Err(no_answer()),
        }
    }

    fn start(
        &self,
        state: &mut State<T>,
        attempt: impl Future<Output = RedisResult<T>> + Send + 'static,
    ) -> watch::Receiver<Outcome<T>> {
        let (tell, told) = watch::channel(None);
        state.running = Some(told.clone());
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let outcome = attempt.await;
            let mut state = lock(&shared);
            state.running = None;
            match &outcome {
                Ok(_) => {
                    state.failure = None;
                    state.not_before = None;
                }
                Err(error) => {
                    state.failure = Some(error.clone());
                    state.not_before = Some(Instant::now() + state.backoff.next());
                }
            }
            drop(state);
            tell.send_replace(Some(outcome));
        });
        told
    }

    /// What had been reached was lost after `age`. The next attempt waits for a moment; for a
    /// longer one the more often this happens soon.
    pub(super) fn lost(&self, age: Duration) {
        let mut state = self.state();
        if age > SETTLED {
            state.backoff.reset();
        }
        let wait = if age > SETTLED { jitter(SPREAD) } else { state.backoff.next() };
        state.not_before = Some(Instant::now() + wait);
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.0)
    }
}

/// What lasted this long was no failure.
const SETTLED: Duration = Duration::from_secs(2);
/// Over this long the processes that lost the same server come back.
const SPREAD: Duration = Duration::from_millis(20);

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_share_one_attempt() {
        let (flight, attempts) = (Flight::new(), AtomicUsize::new(0));
        let ask = || async {
            flight
                .join(|| {
                    attempts.fetch_add(1, Ordering::SeqCst);
                    async {
                        tokio::task::yield_now().await;
                        Ok(7)
                    }
                })
                .await
        };
        let (a, b, c) = tokio::join!(ask(), ask(), ask());
        assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (7, 7, 7));
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_all_fail_at_once_and_one_tries_again() {
        let (flight, attempts) = (Flight::<()>::new(), AtomicUsize::new(0));
        let fail = || {
            attempts.fetch_add(1, Ordering::SeqCst);
            async { Err(no_answer()) }
        };
        // Until the first wait is not over at once, which the jitter may make it.
        while flight.join(fail).await.is_err() && flight.state().not_before <= Some(Instant::now())
        {
        }
        let before = attempts.load(Ordering::SeqCst);
        for _ in 0..100 {
            assert!(flight.join(fail).await.is_err());
        }
        assert_eq!(attempts.load(Ordering::SeqCst), before);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(flight.join(|| async { Ok(()) }).await.is_ok());
        assert!(flight.join(|| async { Ok(()) }).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_the_second_attempt_is_under_way_fails_at_once() {
        let flight = Flight::<()>::new();
        assert!(flight.join(|| async { Err(no_answer()) }).await.is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        let never = || async {
            std::future::pending::<()>().await;
            Ok(())
        };
        let moment = Duration::from_millis(1);
        assert!(tokio::time::timeout(moment, flight.join(never)).await.is_err());
        let second = tokio::time::timeout(moment, flight.join(never)).await;
        assert!(matches!(second, Ok(Err(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_is_waited_for() {
        let flight = Flight::new();
        assert!(flight.join(|| async { Ok(1) }).await.is_ok());
        flight.lost(Duration::ZERO);
        assert_eq!(flight.join(|| async { Ok(2) }).await.unwrap(), 2);
    }
}
