//! Acquire: callers that want an access token.

use std::time::Duration;

use crate::client::clock::DeviceTime;
use crate::client::error::{SessionError, TransientError};
use crate::client::event::{Action, Caller};
use crate::client::pair::TokenPair;
use crate::types::AccessToken;

use super::{Machine, TokenState, Waiter};

/// How urgently the held access token must be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// Not yet.
    Fresh,
    /// In the background: callers receive the held token meanwhile.
    Early,
    /// Before use, unless a refresh fails: the token is about to expire.
    Late,
    /// Before use: the token has expired, or a server rejected it.
    Expired,
}

impl Machine {
    pub(super) fn acquire(&mut self, caller: Caller, now: DeviceTime, out: &mut Vec<Action>) {
        if let TokenState::Held(pair) = &self.tokens {
            let urgency = self.urgency(pair, now);
            let is_backing_off = now.monotonic < self.failures.retry_at();
            self.background_refresh |= urgency == Urgency::Early && !is_backing_off;
            if urgency <= Urgency::Early || urgency == Urgency::Late && is_backing_off {
                return out.push(Action::Give { caller, token: pair.access.clone() });
            }
        }
        let deadline = self.deadline(now);
        if self.failures.is_open(&self.settings, now.monotonic)
            || deadline <= self.failures.retry_at()
        {
            let error = self.failures.error(now.monotonic);
            return out.push(Action::Fail { caller, error });
        }
        self.waiters.push(Waiter { caller, deadline });
    }

    /// A server rejected `rejected` with 401, and the caller wants another token.
    pub(super) fn renew(
        &mut self,
        caller: Caller,
        rejected: AccessToken,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        let held = self.held();
        if let Some(pair) = held.filter(|pair| pair.access == rejected) {
            let max = pair.lifetime.map_or(Duration::MAX, |lifetime| lifetime / 2);
            let cooldown = self.settings.renew_cooldown.min(max);
            let again_at =
                self.rejected_renewed_at.map(|renewed_at| renewed_at.saturating_add(cooldown));
            if let Some(again_at) = again_at.filter(|again_at| now.monotonic < *again_at) {
                let retry_after = again_at.saturating_sub(now.monotonic);
                let cause = TransientError::AccessRejected;
                let error = SessionError::Retry { cause, retry_after };
                return out.push(Action::Fail { caller, error });
            }
        }
        // A token that was replaced meanwhile need not be remembered.
        if held.is_none_or(|pair| pair.access == rejected) {
            self.rejected = Some(rejected);
        }
        self.acquire(caller, now, out);
    }

    /// Gives the held token to every waiter.
    pub(super) fn give_waiters(&mut self, out: &mut Vec<Action>) {
        if let TokenState::Held(pair) = &self.tokens {
            let give =
                |waiter: Waiter| Action::Give { caller: waiter.caller, token: pair.access.clone() };
            out.extend(self.waiters.drain(..).map(give));
        }
    }

    fn urgency(&self, pair: &TokenPair, now: DeviceTime) -> Urgency {
        if self.rejected.as_ref() == Some(&pair.access) {
            return Urgency::Expired;
        }
        let (Some(expires_at), Some(clock)) = (pair.expires_at, self.clock) else {
            return Urgency::Fresh;
        };
        let remaining = expires_at.since(clock.now(now));
        let margin = self.refresh_margin(pair);
        if remaining.is_zero() {
            Urgency::Expired
        } else if remaining <= margin {
            Urgency::Late
        } else if remaining <= margin + self.early_refresh {
            Urgency::Early
        } else {
            Urgency::Fresh
        }
    }

    /// The remaining lifetime below which an access token is refreshed before use.
    pub(super) fn refresh_margin(&self, pair: &TokenPair) -> Duration {
        let max = pair.lifetime.map_or(Duration::MAX, |lifetime| lifetime / 3);
        self.settings.min_ttl.min(max)
    }

    pub(super) fn has_fresh_token(&self, now: DeviceTime) -> bool {
        self.held().is_some_and(|pair| self.urgency(pair, now) == Urgency::Fresh)
    }

    /// Whether the server would still accept the held token.
    pub(super) fn has_valid_token(&self, now: DeviceTime) -> bool {
        self.held().is_some_and(|pair| self.urgency(pair, now) != Urgency::Expired)
    }
}
