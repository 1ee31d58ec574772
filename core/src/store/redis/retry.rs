//! When to try again: the errors, backoff, and how concurrent callers share one attempt.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::types::jitter;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, sleep_until};

/// How long to wait before a retry while a failover or a slot migration is under way.
pub(super) const RETRY_DELAY: Duration = Duration::from_millis(100);

/// No response in time.
pub(super) fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// The connection was closed before the response.
pub(super) fn closed() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

/// A response that the command is not documented to give.
pub(super) fn unexpected(what: &'static str) -> RedisError {
    (ErrorKind::UnexpectedReturnType, what).into()
}

/// A server that cannot be used at this moment.
pub(super) fn not_ready(problem: &'static str) -> RedisError {
    (ErrorKind::Client, problem).into()
}

/// Whether the connection was lost before the response. The request may have taken effect.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_io_error() && !error.is_timeout()
}

/// The code of an error that the server responded with, such as `READONLY`.
///
/// Before Redis 7 a script fails with `ERR` when one of its commands fails, and the command's own
/// error is in the text: `Error running script (…): … -READONLY You can't write …`.
pub(super) fn server_code(error: &RedisError) -> Option<&str> {
    let code = error.code()?;
    let wrapped = error.detail().filter(|text| code == "ERR" && text.starts_with("Error running"));
    let words = wrapped.into_iter().flat_map(|text| text.split([' ', ':']));
    let is_code = |word: &&str| word.len() > 2 && word.bytes().all(|it| it.is_ascii_uppercase());
    words.filter_map(|word| word.strip_prefix('-')).find(is_code).or(Some(code))
}

/// Whether another server, or the same one later, may give a better response.
pub(super) fn is_transient(error: &RedisError) -> bool {
    // `Client`: `not_ready`, or Sentinels that do not know the primary.
    if is_lost(error) || error.is_timeout() || error.kind() == ErrorKind::Client {
        return true;
    }
    matches!(
        server_code(error),
        Some(
            "LOADING"
                | "MASTERDOWN"
                | "READONLY"
                | "MOVED"
                | "ASK"
                | "TRYAGAIN"
                | "CLUSTERDOWN"
                // The server is cut off from its replicas: another one may be the primary.
                | "NOREPLICAS"
                // The request was blocked when the server stopped being a primary.
                | "UNBLOCKED"
        )
    )
}

/// The beginning of the error with which a server refuses a connection that is one too many.
const TOO_MANY_CLIENTS: &str = "max number of clients";

/// Whether the server does not have a command (renamed, or unknown to a proxy) or its access list
/// (ACL) forbids it. For commands without which the store works.
pub(super) fn is_unsupported(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoPerm) => true,
        ErrorKind::Server(ServerErrorKind::ResponseError) => {
            !error.detail().is_some_and(|text| text.starts_with(TOO_MANY_CLIENTS))
        }
        _ => false,
    }
}

/// The waits between failures: exponential with full jitter, so that many processes that lost the
/// same server do not reconnect in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The longest wait after the first failure; it doubles with each further one.
    const FIRST: Duration = Duration::from_millis(20);
    /// The longest wait: a server that is back is found within a fraction of a second.
    const LONGEST: Duration = Duration::from_millis(400);

    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1).min(16);
        jitter(Self::FIRST.saturating_mul(factor).min(Self::LONGEST))
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Runs one attempt at a time, whose outcome all callers share.
///
/// While a server is down, requests must not each try to reach it. The first caller starts an
/// attempt and the others wait for it. Once an attempt has failed, all callers fail at once with
/// its error until the [`Backoff`] is over, and also while the next attempt runs.
pub(super) struct SingleFlight<T>(Arc<Mutex<Flight<T>>>);

struct Flight<T> {
    running: Option<watch::Receiver<Option<RedisResult<T>>>>,
    /// No attempt begins before this instant.
    not_before: Option<Instant>,
    /// The error of the last attempt.
    failure: Option<RedisError>,
    backoff: Backoff,
}

/// A connection that lasted this long was not part of a series of failures.
const SETTLED: Duration = Duration::from_secs(2);
/// The processes that lost the same server reconnect spread over this time.
const RECONNECT_SPREAD: Duration = Duration::from_millis(20);

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    pub(super) fn new() -> Self {
        let flight =
            Flight { running: None, not_before: None, failure: None, backoff: Backoff::default() };
        Self(Arc::new(Mutex::new(flight)))
    }

    /// The outcome of `attempt`, or of the one that is running. An attempt runs to its end even if
    /// no caller waits for it any more.
    pub(super) async fn run<A>(&self, attempt: impl FnOnce() -> A) -> RedisResult<T>
    where
        A: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let mut outcome = loop {
            let pause = {
                let mut flight = self.lock();
                // The sender is gone if the runtime of an attempt was shut down.
                let running =
                    flight.running.as_ref().filter(|attempt| attempt.has_changed().is_ok());
                let waits = flight.not_before.filter(|instant| *instant > Instant::now());
                match (running, &flight.failure, waits) {
                    (Some(_), Some(failure), _) => return Err(failure.clone()),
                    (Some(running), None, _) => break running.clone(),
                    (None, Some(failure), Some(_)) => return Err(failure.clone()),
                    (None, None, Some(instant)) => instant,
                    (None, _, None) => break self.start(&mut flight, attempt()),
                }
            };
            sleep_until(pause).await;
        };
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(timed_out())),
            Err(_) => Err(timed_out()),
        }
    }

    fn start(
        &self,
        flight: &mut Flight<T>,
        attempt: impl Future<Output = RedisResult<T>> + Send + 'static,
    ) -> watch::Receiver<Option<RedisResult<T>>> {
        let (sender, receiver) = watch::channel(None);
        flight.running = Some(receiver.clone());
        let shared = Self(Arc::clone(&self.0));
        tokio::spawn(async move {
            let outcome = attempt.await;
            let mut flight = shared.lock();
            flight.running = None;
            match &outcome {
                Ok(_) => {
                    flight.failure = None;
                    flight.not_before = None;
                }
                Err(error) => {
                    flight.failure = Some(error.clone());
                    flight.not_before = Some(Instant::now() + flight.backoff.next());
                }
            }
            drop(flight);
            sender.send_replace(Some(outcome));
        });
        receiver
    }

    /// Reports that what the last attempt reached was lost after `age`. The next attempt waits:
    /// briefly, or longer each time if connections keep being lost soon.
    pub(super) fn lost(&self, age: Duration) {
        let mut flight = self.lock();
        if age > SETTLED {
            flight.backoff.reset();
        }
        let wait = if age > SETTLED { jitter(RECONNECT_SPREAD) } else { flight.backoff.next() };
        flight.not_before = Some(Instant::now() + wait);
    }

    fn lock(&self) -> MutexGuard<'_, Flight<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs attempts one after another, each shared by all callers that arrived before it began: for
/// questions whose answer must not be older than the question. A failure is shared too: one after the other, the callers would
/// wait too long for servers that are silent.
pub(super) struct Coalesce<T> {
    /// How many attempts have begun.
    begun: AtomicU64,
    /// The number and the outcome of the last attempt.
    last: AsyncMutex<Option<(u64, RedisResult<T>)>>,
}

impl<T> Default for Coalesce<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: AsyncMutex::new(None) }
    }
}

impl<T: Clone> Coalesce<T> {
    /// The outcome of `attempt`, or of one that began after this call.
    pub(super) async fn run(
        &self,
        attempt: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        let before = self.begun.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        if let Some((number, outcome)) = &*last
            && *number > before
        {
            return outcome.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let outcome = attempt.await;
        *last = Some((number, outcome.clone()));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn callers_share_a_failure() {
        let coalesce = Coalesce::<()>::default();
        let since = Instant::now();
        let failing = (0..10).map(|_| {
            coalesce.run(async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(response("ERR silent"))
            })
        });
        let outcomes = futures_util::future::join_all(failing).await;
        assert!(outcomes.iter().all(Result::is_err));
        assert!(since.elapsed() <= Duration::from_millis(200), "{:?}", since.elapsed());
    }

    /// As the server would respond.
    fn response(line: &str) -> RedisError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => error.into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_within_scripts_keep_their_codes() {
        let wrapped = "ERR Error running script (call to f_0ab): @user_script:1: @user_script: 1: \
                       -READONLY You can't write against a read only replica. ";
        for (line, code, transient) in [
            ("READONLY You can't write against a read only replica. script: 0ab", "READONLY", true),
            (wrapped, "READONLY", true),
            (&wrapped.replace("READONLY", "OOM"), "OOM", false),
            (&wrapped.replace("READONLY", "NOREPLICAS"), "NOREPLICAS", true),
            ("ERR Error running script (call to f_0ab): a -1 b", "ERR", false),
            ("ERR value -READONLY is not an integer", "ERR", false),
            ("MISCONF Errors writing to the AOF file: No space left on device", "MISCONF", false),
            ("LOADING Redis is loading the dataset in memory", "LOADING", true),
        ] {
            let error = response(line);
            assert_eq!(
                (server_code(&error), is_transient(&error)),
                (Some(code), transient),
                "{line}"
            );
        }
    }

    #[test]
    fn a_missing_command_is_told_from_a_refused_connection() {
        for (line, unsupported) in [
            ("ERR unknown command 'INFO', with args beginning with: ", true),
            ("NOPERM User app has no permissions to run the 'info' command", true),
            ("ERR Command is not available: 'INFO'", true),
            ("ERR max number of clients reached", false),
            ("NOAUTH Authentication required.", false),
            ("LOADING Redis is loading the dataset in memory", false),
        ] {
            assert_eq!(is_unsupported(&response(line)), unsupported, "{line}");
        }
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_differ() {
        let longest_of = |failures: u32| {
            let waits = (0..200).map(|_| Backoff { failures }.next());
            waits.max().unwrap()
        };
        let (first, longest) = (Backoff::FIRST, Backoff::LONGEST);
        assert!(longest_of(0) <= first);
        assert!(longest_of(2) > first * 2 && longest_of(2) <= first * 4);
        assert!(longest_of(16) > longest / 2 && longest_of(16) <= longest);
        let mut waits: Vec<_> = (0..50).map(|_| jitter(longest)).collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 40, "{waits:?}");
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_attempt() {
        let (flight, attempts) = (SingleFlight::new(), AtomicUsize::new(0));
        let call = || async {
            flight
                .run(|| {
                    attempts.fetch_add(1, Ordering::SeqCst);
                    async {
                        tokio::task::yield_now().await;
                        Ok(7)
                    }
                })
                .await
        };
        let (a, b, c) = tokio::join!(call(), call(), call());
        assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (7, 7, 7));
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_callers_fail_at_once_until_the_backoff_is_over() {
        let (flight, attempts) = (SingleFlight::<()>::new(), AtomicUsize::new(0));
        let fail = || {
            attempts.fetch_add(1, Ordering::SeqCst);
            async { Err(timed_out()) }
        };
        // Jitter may make a wait zero: fail until one is not.
        while flight.run(fail).await.is_err() && flight.lock().not_before <= Some(Instant::now()) {}
        let before = attempts.load(Ordering::SeqCst);
        for _ in 0..100 {
            assert!(flight.run(fail).await.is_err());
        }
        assert_eq!(attempts.load(Ordering::SeqCst), before);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(flight.run(|| async { Ok(()) }).await.is_ok());
        assert!(flight.run(|| async { Ok(()) }).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn callers_during_a_second_attempt_fail_at_once() {
        let flight = SingleFlight::<()>::new();
        assert!(flight.run(|| async { Err(timed_out()) }).await.is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        let never = || async {
            std::future::pending::<()>().await;
            Ok(())
        };
        let moment = Duration::from_millis(1);
        assert!(tokio::time::timeout(moment, flight.run(never)).await.is_err());
        let second = tokio::time::timeout(moment, flight.run(never)).await;
        assert!(matches!(second, Ok(Err(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_loss_callers_wait_for_the_next_attempt() {
        let flight = SingleFlight::new();
        assert!(flight.run(|| async { Ok(1) }).await.is_ok());
        flight.lost(Duration::ZERO);
        assert_eq!(flight.run(|| async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_during_an_attempt_share_the_next_one() {
        let (coalesce, attempts) = (Coalesce::default(), AtomicU64::new(0));
        let call_after = |millis| {
            let (coalesce, attempts) = (&coalesce, &attempts);
            async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                let attempt = async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok(attempts.fetch_add(1, Ordering::SeqCst))
                };
                coalesce.run(attempt).await.unwrap()
            }
        };
        let outcomes = tokio::join!(call_after(0), call_after(10), call_after(20), call_after(150));
        assert_eq!(outcomes, (0, 1, 1, 2));
    }
}
