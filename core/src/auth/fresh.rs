//! How far this process may be behind the feed of revocations, and what a route does then.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::confirm::Seen;
use super::{Auth, Engine};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::observe;
use crate::session::AccessTokenUse;
use crate::types::Timestamp;

/// What a route does with a good access token while this process cannot know whether it was
/// revoked elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StalePolicy {
    /// Accepts it: it ends by itself soon enough.
    #[default]
    #[serde(rename = "open")]
    Accept,
    /// Asks the store about its session; serialized as `ask`. Tokens without one are accepted.
    #[serde(rename = "ask")]
    CheckStore,
    /// Refuses it with [`Error::StoreUnavailable`]: try again.
    #[serde(rename = "closed")]
    Reject,
}

/// When the feed was last read to its end.
#[derive(Debug)]
pub(super) struct RevocationLag {
    read_at: AtomicI64,
    started: Timestamp,
    bound: Duration,
    /// Whether there is a feed at all: without one nothing is revoked elsewhere.
    followed: bool,
}

impl RevocationLag {
    pub(super) fn new(followed: bool, bound: Duration, started: Timestamp) -> Self {
        Self { read_at: AtomicI64::new(i64::MIN), started, bound, followed }
    }

    pub(super) fn read_at(&self, now: Timestamp) {
        self.read_at.store(now.as_millis(), Ordering::Release);
    }

    fn lag(&self, now: Timestamp) -> Option<Duration> {
        match self.read_at.load(Ordering::Acquire) {
            _ if !self.followed => Some(Duration::ZERO),
            i64::MIN => None,
            at => Some(now.since(Timestamp::from_millis(at))),
        }
    }

    /// The lag as a number: while the feed was never read, the time since the start.
    fn known_lag(&self, now: Timestamp) -> Duration {
        self.lag(now).unwrap_or_else(|| now.since(self.started))
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        self.lag(now).is_none_or(|lag| lag > self.bound)
    }
}

impl Auth {
    /// As [`Auth::verify`], for routes that must know of revocations in other processes: while
    /// the feed of revocations was not read for longer than the bound, `when_stale` decides.
    ///
    /// # Errors
    /// As [`Auth::verify`], and [`Error::StoreUnavailable`].
    pub async fn verify_checked(
        &self,
        token: &str,
        stale_policy: StalePolicy,
    ) -> Result<VerifiedAccess> {
        self.fresh(self.verify(token)?, stale_policy).await
    }

    /// As [`Auth::verify_fresh`], for a token that was verified just now.
    ///
    /// # Errors
    /// [`Error::AccessRevoked`], [`Error::StoreUnavailable`].
    pub async fn fresh(
        &self,
        access: VerifiedAccess,
        stale_policy: StalePolicy,
    ) -> Result<VerifiedAccess> {
        let engine = &self.0.engine;
        if stale_policy == StalePolicy::Accept || !self.is_stale() {
            return Ok(access);
        }
        if stale_policy == StalePolicy::Reject {
            return Err(Error::store("the revocation feed is stale"));
        }
        let (Some(session), Some(family_position)) = (access.session(), access.family_position())
        else {
            return Ok(access);
        };
        let token_use = AccessTokenUse { family_position, denied: false };
        match engine.sighted(access.subject(), session, token_use).await? {
            Seen::Live => Ok(access),
            Seen::Ended | Seen::Unknown => Err(Error::AccessRevoked),
        }
    }

    /// Whether this process is further behind the feed of revocations than the bound.
    pub fn is_stale(&self) -> bool {
        self.0.engine.freshness.is_stale(self.0.engine.admin.clock.now())
    }

    /// How long ago the feed of revocations was last read to its end: zero where no other
    /// process can revoke, `None` while it was never read.
    pub fn feed_lag(&self) -> Option<Duration> {
        self.0.engine.freshness.lag(self.0.engine.admin.clock.now())
    }

    /// Tells the recorder of metrics what the gauges are right now; for just before a scrape
    /// (see [`observe`]).
    pub fn update_gauges(&self) {
        self.0.engine.update_gauges();
    }
}

impl Engine {
    pub(super) fn update_gauges(&self) {
        observe::deny_list(self.admin.denied.len());
        observe::feed_lag(self.freshness.known_lag(self.admin.clock.now()));
    }
}
