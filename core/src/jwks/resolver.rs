//! Issuers that are known only when a token names them: the tenants of a service, each with keys of its own.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::issuer::{Issuer, IssuerFactory, TrustedIssuer};
use super::remote::TARGET;
use crate::error::{Cause, Error, Result};
use crate::store::RecentMap;
use crate::types::Timestamp;

/// Finds the issuer that an unverified token names, such as in the app's list of tenants.
#[async_trait]
pub trait IssuerResolver: fmt::Debug + Send + Sync {
    /// The issuer with this name, whose policy must accept it; `None` if its tokens are not accepted.
    ///
    /// Anybody can write any `iss` into a token: look it up, and do not make a URL of it. The
    /// response is used for [`ResolverLimits::trusted_for`], or
    /// [`refused_for`](ResolverLimits::refused_for).
    ///
    /// # Errors
    /// Any: it is not known whether the issuer is trusted. Its tokens are rejected with
    /// [`Error::KeysUnavailable`], with the advice to retry.
    async fn resolve(&self, issuer: &str) -> Result<Option<TrustedIssuer>, Cause>;
}

/// For how long what an [`IssuerResolver`] responds is used, and how much of it is kept.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResolverLimits {
    /// For how long an issuer is trusted before the resolver is asked again. If it fails then, the issuer
    /// stays trusted. Default 10 minutes.
    pub trusted_for: Duration,
    /// For how long an issuer is refused. Default 1 minute.
    pub refused_for: Duration,
    /// How many issuers are kept, and ten times as many refusals; at most twice as many. Those that were
    /// resolved the longest ago are forgotten. Default 1,000.
    pub issuers: usize,
    /// How long to wait for the resolver. Default 10 seconds.
    pub timeout: Duration,
}

impl Default for ResolverLimits {
    fn default() -> Self {
        Self {
            trusted_for: Duration::from_secs(600),
            refused_for: Duration::from_secs(60),
            issuers: 1_000,
            timeout: Duration::from_secs(10),
        }
    }
}

/// The longest `iss` that the resolver is asked about, in bytes.
const MAX_ISSUER_BYTES: usize = 2048;

/// How many questions are asked at a time. Those about one issuer wait for each other.
const TURNS: usize = 64;

/// The issuers that a resolver has named, and those that it has refused.
pub(super) struct ResolvedIssuers {
    resolver: Arc<dyn IssuerResolver>,
    limits: ResolverLimits,
    factory: IssuerFactory,
    trusted: Mutex<RecentMap<Box<str>, Trusted>>,
    /// Apart, so that made-up names displace no issuer. When each refusal ends.
    refused: Mutex<RecentMap<Box<str>, Timestamp>>,
    turns: Vec<AsyncMutex<()>>,
    hasher: RandomState,
    /// Lookups that nobody waits for.
    background: Arc<Semaphore>,
}

#[derive(Clone)]
struct Trusted {
    issuer: Arc<Issuer>,
    until: Timestamp,
}

/// What is known of an issuer without asking.
pub(super) enum Lookup {
    Trusted(Arc<Issuer>),
    Refused,
    Unknown,
}

impl fmt::Debug for ResolvedIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedIssuers").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

impl ResolvedIssuers {
    pub(super) fn new(
        resolver: Arc<dyn IssuerResolver>,
        limits: ResolverLimits,
        factory: IssuerFactory,
    ) -> Self {
        Self {
            resolver,
            limits,
            factory,
            trusted: Mutex::new(RecentMap::with_half(limits.issuers)),
            refused: Mutex::new(RecentMap::with_half(limits.issuers.saturating_mul(10))),
            turns: (0..TURNS).map(|_| AsyncMutex::default()).collect(),
            hasher: RandomState::new(),
            background: Arc::new(Semaphore::new(TURNS)),
        }
    }

    pub(super) fn lookup(&self, name: &str) -> Lookup {
        let now = self.factory.clock.now();
        // A clock that was set back must not prolong what was resolved before.
        let latest = now.plus(self.limits.trusted_for);
        let is_recent = |trusted: &Trusted| now < trusted.until && trusted.until <= latest;
        match self.trusted(name).filter(is_recent) {
            Some(trusted) => Lookup::Trusted(trusted.issuer),
            None if name.len() > MAX_ISSUER_BYTES || self.is_refused(name, now) => Lookup::Refused,
            None => Lookup::Unknown,
        }
    }

    fn trusted(&self, name: &str) -> Option<Trusted> {
        let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.get(name).cloned()
    }

    fn is_refused(&self, name: &str, now: Timestamp) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = now.plus(self.limits.refused_for);
        refused.get(name).is_some_and(|until| now < *until && *until <= latest)
    }

    /// A permit for a lookup that nobody waits for, unless there are too many.
    pub(super) fn background(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.background).try_acquire_owned().ok()
    }

    /// Asks the resolver, unless it is known meanwhile.
    ///
    /// # Errors
    /// [`Error::IssuerMismatch`], [`Error::KeysUnavailable`].
    pub(super) async fn resolve(&self, name: &str) -> Result<Arc<Issuer>> {
        let turn = usize::try_from(self.hasher.hash_one(name)).unwrap_or_default() % TURNS;
        let turn = self.turns.get(turn).ok_or_else(|| Error::internal("no turn"))?;
        // The lookups before it may all hang.
        let Ok(_turn) = timeout(self.limits.timeout, turn.lock()).await else {
            let trusted = self.trusted(name).map(|trusted| trusted.issuer);
            return trusted.ok_or_else(|| unresolved("too many lookups are waiting"));
        };
        match self.lookup(name) {
            Lookup::Trusted(issuer) => return Ok(issuer),
            Lookup::Refused => return Err(Error::IssuerMismatch),
            Lookup::Unknown => {}
        }
        let before = self.trusted(name).map(|trusted| trusted.issuer);
        let response = timeout(self.limits.timeout, self.resolver.resolve(name)).await;
        let response = response.unwrap_or_else(|_| Err("it did not respond in time".into()));
        let now = self.factory.clock.now();
        let resolved = match response {
            Ok(Some(issuer)) if issuer.policy.accepts_issuer(name) => {
                // With the keys that it has, if nothing changed.
                let same = before.filter(|before| before.is_made_from(&issuer));
                match same.map_or_else(|| self.factory.issuer(issuer).map(Arc::new), Ok) {
                    Ok(issuer) => Some(issuer),
                    Err(error) => return Err(unresolved(error)),
                }
            }
            Ok(Some(_)) => return Err(unresolved("it returned an issuer of another name")),
            Ok(None) => None,
            Err(problem) => match before {
                Some(before) => {
                    tracing::warn!(target: TARGET, problem = %problem, "the issuer resolver failed; the issuer stays trusted");
                    Some(before)
                }
                None => return Err(unresolved(problem)),
            },
        };
        let Some(issuer) = resolved else {
            self.trusted.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(name.into(), now.plus(self.limits.refused_for));
            return Err(Error::IssuerMismatch);
        };
        let until = now.plus(self.limits.trusted_for);
        let trusted = Trusted { issuer: Arc::clone(&issuer), until };
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), trusted);
        Ok(issuer)
    }
}

fn unresolved(problem: impl Into<Cause>) -> Error {
    let problem: Cause = problem.into();
    tracing::warn!(target: TARGET, %problem, "cannot resolve the issuer of a token");
    Error::KeysUnavailable { source: problem }
}
