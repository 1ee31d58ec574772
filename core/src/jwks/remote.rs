//! The keys of one issuer: its JWK Set, fetched, cached and refetched.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;
use url::{Host, Url};

use super::schedule::{FetchDecision, FetchScheduler, JwksSchedule};
use crate::access::{AccessPolicy, AccessVerifier, VerifiedAccess};
use crate::error::{Cause, Error, Result};
use crate::keys::{Algorithm, JwkSet};
use crate::transport::{HttpRequest, HttpResponse, Transport};
use crate::types::{Clock, Timestamp};

/// The target of log events.
pub(super) const TARGET: &str = "regrant::jwks";

/// The URL of a JWK Set (`jwks_uri`, RFC 8414 §2).
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUri(Url);

impl JwksUri {
    /// Parses a URL. It must be `https`, because a set that is changed in transit lets an
    /// attacker sign tokens for any user. `http` is accepted on loopback only, for tests.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `jwksUri` if it is not an absolute `https` URL, or has a user
    /// name, a password or a fragment.
    pub fn new(text: &str) -> Result<Self> {
        let uri = Self::with_insecure_requests(text)?;
        let is_loopback = match uri.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if uri.0.scheme() == "https" || is_loopback {
            return Ok(uri);
        }
        let problem = "must be https, except on loopback; in a private network, allowInsecureRequests accepts http";
        Err(Error::config("jwksUri", problem))
    }

    /// Parses a URL that may be `http` on any host: for a network in which nobody else can answer
    /// for the issuer, such as that of the containers of one machine.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_insecure_requests(text: &str) -> Result<Self> {
        let invalid = |problem: &str| Err(Error::config("jwksUri", problem));
        let Ok(url) = Url::parse(text) else { return invalid("is not an absolute URL") };
        if !["https", "http"].contains(&url.scheme()) {
            return invalid("must be https");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return invalid("must not have a user name, a password or a fragment");
        }
        Ok(Self(url))
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for JwksUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUri({})", self.0)
    }
}

/// Verifies tokens with the keys that an issuer publishes.
pub(super) struct RemoteKeys {
    url: JwksUri,
    /// The algorithm of RSA keys without `alg`.
    rsa: Algorithm,
    policy: AccessPolicy,
    schedule: JwksSchedule,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    /// Where fetches run.
    runtime: Option<Handle>,
    /// With the cached keys. Replaced together with its cache of verified tokens, so that no token
    /// outlives its key.
    verifier: ArcSwapOption<AccessVerifier>,
    /// Between these times, in milliseconds, verification need not lock `state`.
    fresh_from: AtomicI64,
    fresh_until: AtomicI64,
    state: Mutex<KeySetState>,
    /// Counts completed fetches.
    completed: watch::Sender<u64>,
}

struct KeySetState {
    scheduler: FetchScheduler,
    /// The text of the cached set.
    text: String,
    /// Why the last fetch failed.
    problem: Option<String>,
}

/// Whether the result may change once the fetch in progress completes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MayChange {
    AfterFetch,
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
        let scheduler = FetchScheduler::new(schedule);
        let state = KeySetState { scheduler, text: String::new(), problem: None };
        Arc::new(Self {
            url,
            rsa,
            policy,
            schedule,
            transport,
            clock,
            runtime: Handle::try_current().ok(),
            verifier: ArcSwapOption::empty(),
            fresh_from: AtomicI64::new(i64::MAX),
            fresh_until: AtomicI64::new(i64::MIN),
            state: Mutex::new(state),
            completed: watch::Sender::new(0),
        })
    }

    /// Verifies with the cached keys, accepting tokens that are bound to a client's key. Starts a
    /// fetch if needed, and does not wait for it.
    pub(super) fn verify_cached(self: &Arc<Self>, token: &str) -> Result<VerifiedAccess> {
        self.attempt(token).0
    }

    /// As [`verify_cached`](Self::verify_cached); `None` if the result may change once a fetch
    /// completes.
    pub(super) fn try_verify(self: &Arc<Self>, token: &str) -> Option<Result<VerifiedAccess>> {
        let (result, may_change) = self.attempt(token);
        (may_change == MayChange::No).then_some(result)
    }

    /// As [`verify_cached`](Self::verify_cached), and waits for a fetch if the result may change.
    pub(super) async fn verify(self: &Arc<Self>, token: &str) -> Result<VerifiedAccess> {
        // Before the attempt, so that a fetch that completes in between is not missed.
        let mut completed = self.completed.subscribe();
        let (result, may_change) = self.attempt(token);
        if may_change == MayChange::No {
            return result;
        }
        // Cannot fail: `self` holds the sender.
        let _ = completed.changed().await;
        self.attempt(token).0
    }

    /// Fetches the keys if none are cached.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<()> {
        let mut completed = self.completed.subscribe();
        let decision = self.state().scheduler.for_token(self.clock.now());
        if self.apply(decision) == MayChange::AfterFetch {
            let _ = completed.changed().await;
        }
        if self.verifier.load().is_some() { Ok(()) } else { Err(self.unavailable()) }
    }

    fn attempt(self: &Arc<Self>, token: &str) -> (Result<VerifiedAccess>, MayChange) {
        let now = self.clock.coarse();
        let mut may_change = MayChange::No;
        if !self.is_fresh(now) {
            let decision = self.state().scheduler.for_token(now);
            may_change = self.apply(decision);
            if matches!(
                decision,
                FetchDecision::Fetch | FetchDecision::Wait | FetchDecision::BackOff
            ) {
                return (Err(self.unavailable()), may_change);
            }
        }
        let verifier = self.verifier.load();
        let Some(verifier) = verifier.as_ref() else {
            return (Err(self.unavailable()), may_change);
        };
        let result = verifier.verify_bound(token);
        if !result.as_ref().is_err_and(may_be_signed_by_new_key) {
            return (result, MayChange::No);
        }
        let decision = self.state().scheduler.for_unknown_key(now);
        (result, self.apply(decision))
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let now = now.as_millis();
        self.fresh_from.load(Ordering::Acquire) <= now
            && now < self.fresh_until.load(Ordering::Acquire)
    }

    /// Starts a fetch if `decision` says so.
    fn apply(self: &Arc<Self>, decision: FetchDecision) -> MayChange {
        match decision {
            FetchDecision::Use | FetchDecision::BackOff => MayChange::No,
            FetchDecision::Wait => MayChange::AfterFetch,
            FetchDecision::UseAndFetch | FetchDecision::Fetch => {
                let fetch = Fetch { keys: Arc::clone(self), is_completed: false };
                match self.runtime.clone().or_else(|| Handle::try_current().ok()) {
                    // Detached: the fetch continues if its callers cancel.
                    Some(runtime) => drop(runtime.spawn(fetch.run())),
                    // Dropping it records a failure.
                    None => return MayChange::No,
                }
                if decision == FetchDecision::Fetch { MayChange::AfterFetch } else { MayChange::No }
            }
        }
    }

    async fn fetch(&self) -> Result<HttpResponse, Cause> {
        let request = HttpRequest {
            method: "GET",
            url: self.url.as_str().to_owned(),
            headers: vec![(
                "accept".to_owned(),
                "application/jwk-set+json, application/json".to_owned(),
            )],
            body: Vec::new(),
        };
        tokio::time::timeout(self.schedule.timeout(), self.transport.send(request)).await?
    }

    /// Replaces the cached keys by those in `response`. Returns how long it may be cached.
    fn store(&self, response: &HttpResponse) -> Result<Option<Duration>, Cause> {
        if response.status != 200 {
            return Err(format!("status {}", response.status).into());
        }
        let text = std::str::from_utf8(&response.body)?;
        // An unchanged set keeps the verifier, and with it the cache of verified tokens.
        if self.verifier.load().is_none() || self.state().text != text {
            let set = JwkSet::parse(text, self.rsa)?;
            for key in set.skipped() {
                tracing::warn!(target: TARGET, url = self.url.as_str(), index = key.index, reason = %key.reason, "ignoring unusable key in JWK Set");
            }
            let keyring = set.into_keyring()?;
            let clock = Arc::clone(&self.clock);
            let verifier = AccessVerifier::new(keyring, self.policy.clone(), clock)?;
            self.verifier.store(Some(Arc::new(verifier)));
            text.clone_into(&mut self.state().text);
        }
        Ok(response.fresh_for())
    }

    fn complete(&self, result: Result<Option<Duration>, Cause>) {
        let mut state = self.state();
        match result {
            Ok(fresh_for) => {
                state.scheduler.succeeded(self.clock.now(), fresh_for);
                state.problem = None;
            }
            Err(error) => {
                tracing::warn!(target: TARGET, url = self.url.as_str(), %error, "failed to fetch JWK Set");
                state.scheduler.failed();
                state.problem = Some(error.to_string());
            }
        }
        if let Some(fresh) = state.scheduler.fresh() {
            self.fresh_from.store(fresh.start.as_millis(), Ordering::Release);
            self.fresh_until.store(fresh.end.as_millis(), Ordering::Release);
        }
        drop(state);
        self.completed.send_modify(|completed| *completed += 1);
    }

    fn unavailable(&self) -> Error {
        let problem = self.state().problem.clone();
        let problem = problem.unwrap_or_else(|| "not fetched yet".to_owned());
        Error::KeysUnavailable { source: format!("{}: {problem}", self.url.as_str()).into() }
    }

    fn state(&self) -> MutexGuard<'_, KeySetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Whether the rejected token may be signed by a key that the issuer has added since: the token may have no key id, and
/// a key may have been replaced under its id. How often forged tokens cause a fetch is limited.
fn may_be_signed_by_new_key(error: &Error) -> bool {
    matches!(error, Error::KeyNotFound | Error::AlgNotAllowed | Error::SignatureInvalid)
}

/// A fetch in progress. It completes exactly once, even if its task is dropped or panics.
struct Fetch {
    keys: Arc<RemoteKeys>,
    is_completed: bool,
}

impl Fetch {
    async fn run(mut self) {
        let response = self.keys.fetch().await;
        let result = response.and_then(|response| self.keys.store(&response));
        self.is_completed = true;
        self.keys.complete(result);
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if !self.is_completed {
            self.keys.complete(Err("the fetch was cancelled".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_accepted_on_loopback_only() {
        for good in [
            "https://issuer.example/.well-known/jwks.json",
            "https://issuer.example:8443/keys?tenant=1",
            "http://127.0.0.1:3000/jwks",
            "http://[::1]:3000/jwks",
            "http://localhost/jwks",
        ] {
            assert_eq!(JwksUri::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/jwks",
            "issuer.example/jwks",
            "http://issuer.example/jwks",
            "http://localhost.issuer.example/jwks",
            "http://127.0.0.1.issuer.example/jwks",
            "ftp://127.0.0.1/jwks",
            "file:///etc/keys",
            "https://user@issuer.example/jwks",
            "https://user:secret@issuer.example/jwks",
            "https://issuer.example/jwks#1",
        ] {
            assert!(matches!(JwksUri::new(bad), Err(Error::ConfigInvalid { .. })), "{bad}");
            let is_refused = JwksUri::with_insecure_requests(bad).is_err();
            assert_eq!(is_refused, !bad.starts_with("http://"), "{bad}");
        }
    }
}
