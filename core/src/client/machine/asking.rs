//! Callers that want an access token, and what they are given.

use std::time::Duration;

use crate::client::event::{Action, Caller};
use crate::client::now::Now;
use crate::client::pair::Pair;
use crate::client::reason::{Refusal, Trouble};
use crate::types::AccessToken;

use super::phase::Waiter;
use super::{Holding, Machine};

/// How good the held access token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    /// It need not be renewed.
    Fresh,
    /// It may be handed out, and is renewed meanwhile: not all clients at the same moment.
    Early,
    /// It is accepted still, if nothing comes in between.
    Late,
    /// It is expired, or the server has refused it.
    Dead,
}

impl Machine {
    /// A caller wants an access token.
    pub(super) fn want(&mut self, caller: Caller, now: Now, out: &mut Vec<Action>) {
        if let Holding::Pair(pair) = &self.holding {
            let health = self.health(pair, now);
            let in_trouble = now.monotonic < self.failures.not_before();
            self.background |= health == Health::Early && !in_trouble;
            if health <= Health::Early || health == Health::Late && in_trouble {
                return out.push(Action::Give { caller, token: pair.access.clone() });
            }
        }
        if self.failures.is_open(&self.settings, now.monotonic) {
            let refusal = self.failures.refusal(now.monotonic);
            return out.push(Action::Refuse { caller, refusal });
        }
        let until = self.patience_of(now);
        self.waiting.push(Waiter { caller, until });
    }

    /// The server refused `token` with 401, and its caller wants another one.
    pub(super) fn want_another(
        &mut self,
        caller: Caller,
        token: AccessToken,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let held = match &self.holding {
            Holding::Pair(pair) => Some(pair),
            _ => None,
        };
        if let Some(pair) = held.filter(|pair| pair.access == token) {
            let most = pair.lifetime.map_or(Duration::MAX, |lifetime| lifetime / 2);
            let gap = self.settings.refusal_gap.min(most);
            let again = self.refusal_renewed.map(|renewed| renewed.saturating_add(gap));
            if let Some(again) = again.filter(|again| now.monotonic < *again) {
                let retry_after = again.saturating_sub(now.monotonic);
                let refusal = Refusal::TryLater { trouble: Trouble::AccessRefused, retry_after };
                return out.push(Action::Refuse { caller, refusal });
            }
        }
        // Of a token that was replaced meanwhile nothing need be remembered.
        if held.is_none_or(|pair| pair.access == token) {
            self.refused = Some(token);
        }
        self.want(caller, now, out);
    }

    /// A caller gave up. What it waited for goes on: others may wait as well, and a server may
    /// have acted already.
    pub(super) fn cancel(&mut self, caller: Caller) {
        self.waiting.retain(|waiter| waiter.caller != caller);
    }

    /// Everybody who waits gets the held token.
    pub(super) fn give_all(&mut self, out: &mut Vec<Action>) {
        if let Holding::Pair(pair) = &self.holding {
            let give =
                |waiter: Waiter| Action::Give { caller: waiter.caller, token: pair.access.clone() };
            out.extend(self.waiting.drain(..).map(give));
        }
    }

    /// A renewal failed for now: an old token that is still accepted is better than none, and
    /// once the circuit is open nobody is kept waiting.
    pub(super) fn answer_all_in_trouble(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.has_living_token(now) {
            self.give_all(out);
        } else if self.failures.is_open(&self.settings, now.monotonic) {
            self.refuse_all(self.failures.refusal(now.monotonic), out);
        }
    }

    /// Whether there is a token that the server would accept.
    pub(super) fn has_living_token(&self, now: Now) -> bool {
        matches!(&self.holding, Holding::Pair(pair) if self.health(pair, now) != Health::Dead)
    }

    /// Whether `pair` need not be renewed.
    pub(super) fn is_fresh(&self, pair: &Pair, now: Now) -> bool {
        self.health(pair, now) == Health::Fresh
    }

    /// An access token is renewed when it lives no longer than this.
    pub(super) fn margin(&self, pair: &Pair) -> Duration {
        let most = pair.lifetime.map_or(Duration::MAX, |lifetime| lifetime / 3);
        self.settings.min_ttl.min(most)
    }

    fn health(&self, pair: &Pair, now: Now) -> Health {
        if self.refused.as_ref() == Some(&pair.access) {
            return Health::Dead;
        }
        let (Some(expires_at), Some(clock)) = (pair.expires_at, self.clock) else {
            return Health::Fresh;
        };
        let remaining = expires_at.since(clock.now(now));
        let margin = self.margin(pair);
        if remaining.is_zero() {
            Health::Dead
        } else if remaining <= margin {
            Health::Late
        } else if remaining <= margin + self.early {
            Health::Early
        } else {
            Health::Fresh
        }
    }
}
