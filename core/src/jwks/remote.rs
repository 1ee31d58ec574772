//! The keys of one issuer, fetched and kept.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::address::JwksUri;
use super::cache::{JwksCache, Step};
use super::schedule::JwksSchedule;
use crate::access::{AccessPolicy, AccessVerifier, VerifiedAccess};
use crate::client::{Request, Response, Transport};
use crate::error::{Cause, Error, Result};
use crate::keys::{Algorithm, JwkSet};
use crate::types::Clock;

/// Verifies by the keys that an issuer publishes.
pub(super) struct RemoteKeys {
    pub(super) url: JwksUri,
    pub(super) rsa: Algorithm,
    pub(super) policy: AccessPolicy,
    pub(super) schedule: JwksSchedule,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    /// Where fetches run that nobody waits for.
    pub(super) runtime: Option<Handle>,
    /// By the keys at hand. A new one knows no tokens yet, so that none outlives its key.
    verifier: ArcSwapOption<AccessVerifier>,
    /// In milliseconds: before it there is no need to ask the cache.
    fresh_until: AtomicI64,
    state: Mutex<State>,
    /// Counts the fetches that have ended.
    rounds: watch::Sender<u64>,
}

struct State {
    cache: JwksCache,
    /// The text of the set at hand.
    text: String,
    /// Why the last fetch failed.
    problem: Option<String>,
}

/// Whether waiting for the fetch that is under way may change the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fetching {
    Awaited,
    No,
}

impl RemoteKeys {
    pub(super) fn new(
        (url, rsa): (JwksUri, Algorithm),
        policy: AccessPolicy,
        schedule: JwksSchedule,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let state = State { cache: JwksCache::new(schedule), text: String::new(), problem: None };
        Arc::new(Self {
            url,
            rsa,
            policy,
            schedule,
            transport,
            clock,
            runtime: Handle::try_current().ok(),
            verifier: ArcSwapOption::empty(),
            fresh_until: AtomicI64::new(i64::MIN),
            state: Mutex::new(state),
            rounds: watch::Sender::new(0),
        })
    }

    /// By the keys at hand, also what is bound to a key of the client. Where others are needed it
    /// has them fetched, and does not wait.
    pub(super) fn verify_bound(self: &Arc<Self>, token: &str) -> Result<VerifiedAccess> {
        self.attempt(token).0
    }

    /// As [`verify_bound`](Self::verify_bound); `None` where waiting for a fetch may change the
    /// answer.
    pub(super) fn verify_bound_if_ready(
        self: &Arc<Self>,
        token: &str,
    ) -> Option<Result<VerifiedAccess>> {
        let (outcome, fetching) = self.attempt(token);
        (fetching == Fetching::No).then_some(outcome)
    }

    /// Waits for keys where there are none, or none of the token's name.
    pub(super) async fn verify_bound_or_fetch(
        self: &Arc<Self>,
        token: &str,
    ) -> Result<VerifiedAccess> {
        // Before the attempt, so that a fetch which ends in between is noticed.
        let mut rounds = self.rounds.subscribe();
        let (outcome, fetching) = self.attempt(token);
        if fetching == Fetching::No {
            return outcome;
        }
        // The sender lives as long as `self` does.
        let _ = rounds.changed().await;
        self.attempt(token).0
    }

    /// Has the keys fetched if they are not there yet; says whether they are.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<()> {
        let mut rounds = self.rounds.subscribe();
        let step = self.state().cache.for_token(self.clock.now());
        if self.take(step) == Fetching::Awaited {
            let _ = rounds.changed().await;
        }
        if self.verifier.load().is_some() { Ok(()) } else { Err(self.unavailable()) }
    }

    fn attempt(self: &Arc<Self>, token: &str) -> (Result<VerifiedAccess>, Fetching) {
        let now = self.clock.coarse();
        let mut awaited = Fetching::No;
        if now.as_millis() >= self.fresh_until.load(Ordering::Acquire) {
            let step = self.state().cache.for_token(now);
            awaited = self.take(step);
            if matches!(step, Step::Fetch | Step::Wait | Step::GiveUp) {
                return (Err(self.unavailable()), awaited);
            }
        }
        let verifier = self.verifier.load();
        let Some(verifier) = verifier.as_ref() else {
            return (Err(self.unavailable()), awaited);
        };
        let outcome = verifier.verify_bound(token);
        if !outcome.as_ref().is_err_and(|error| may_be_of_another_key(error, verifier)) {
            return (outcome, Fetching::No);
        }
        let step = self.state().cache.for_unknown_key(now);
        (outcome, self.take(step))
    }

    fn take(self: &Arc<Self>, step: Step) -> Fetching {
        match step {
            Step::Use | Step::GiveUp => Fetching::No,
            Step::Wait => Fetching::Awaited,
            Step::UseAndFetch | Step::Fetch => {
                let flight = Flight { keys: Arc::clone(self), has_ended: false };
                match self.runtime.clone().or_else(|| Handle::try_current().ok()) {
                    // Detached: whoever waits may give up, the fetch goes on.
                    Some(runtime) => drop(runtime.spawn(flight.fly())),
                    // Ends as a failure when it is dropped.
                    None => return Fetching::No,
                }
                if step == Step::Fetch { Fetching::Awaited } else { Fetching::No }
            }
        }
    }

    async fn fetch(&self) -> Result<Response, Cause> {
        let headers =
            vec![("accept".to_owned(), "application/jwk-set+json, application/json".to_owned())];
        let request = Request::get(self.url.as_str(), headers);
        tokio::time::timeout(self.schedule.timeout(), self.transport.send(request)).await?
    }

    /// Takes in what was fetched.
    fn accept(&self, answer: &Response) -> Result<Option<Duration>, Cause> {
        if answer.status != 200 {
            return Err(format!("status {}", answer.status).into());
        }
        let text = std::str::from_utf8(&answer.body)?;
        // The same keys: the tokens that were verified by them stay known.
        if self.state().text != text {
            let set = JwkSet::parse(text, self.rsa)?;
            for key in set.skipped() {
                tracing::warn!(target: "regrant::issuers", url = self.url.as_str(), index = key.index, reason = %key.reason, "a key of a JWK Set is not used");
            }
            let keyring = set.into_keyring()?;
            let clock = Arc::clone(&self.clock);
            let verifier = AccessVerifier::new(keyring, self.policy.clone(), clock)?;
            self.verifier.store(Some(Arc::new(verifier)));
            text.clone_into(&mut self.state().text);
        }
        Ok(answer.max_age())
    }

    fn ended(&self, outcome: Result<Option<Duration>, Cause>) {
        let mut state = self.state();
        match outcome {
            Ok(max_age) => {
                state.cache.fetched(self.clock.now(), max_age);
                state.problem = None;
            }
            Err(problem) => {
                tracing::warn!(target: "regrant::issuers", url = self.url.as_str(), %problem, "the keys of an issuer could not be fetched");
                state.cache.failed();
                state.problem = Some(problem.to_string());
            }
        }
        let fresh_until = state.cache.fresh_until().map_or(i64::MIN, |until| until.as_millis());
        self.fresh_until.store(fresh_until, Ordering::Release);
        drop(state);
        self.rounds.send_modify(|rounds| *rounds += 1);
    }

    fn unavailable(&self) -> Error {
        let problem = self.state().problem.clone();
        let problem = problem.unwrap_or_else(|| "they were not fetched yet".to_owned());
        Error::KeysUnavailable { source: format!("{}: {problem}", self.url.as_str()).into() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a token that was refused might pass by keys that its issuer has added since.
fn may_be_of_another_key(error: &Error, verifier: &AccessVerifier) -> bool {
    match error {
        Error::KeyNotFound | Error::AlgNotAllowed => true,
        // Without names every key was tried.
        Error::SignatureInvalid => !verifier.keyring().has_names(),
        _ => false,
    }
}

/// A fetch under way. It ends once, even when its task is dropped or panics.
struct Flight {
    keys: Arc<RemoteKeys>,
    has_ended: bool,
}

impl Flight {
    async fn fly(mut self) {
        let answer = self.keys.fetch().await;
        let outcome = answer.and_then(|answer| self.keys.accept(&answer));
        self.has_ended = true;
        self.keys.ended(outcome);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.has_ended {
            self.keys.ended(Err("the fetch was given up".into()));
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("url", &self.url).finish_non_exhaustive()
    }
}
