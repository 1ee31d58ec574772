//! The way to a fresh access token: lock, read, ask. What the server granted is stored by
//! `changing` before anybody sees it.

use std::time::Duration;

use crate::client::answer::Answer;
use crate::client::event::{Action, Found, Ticket};
use crate::client::now::Now;
use crate::client::pair::{Binding, Pair};
use crate::client::reason::{Refusal, SignOutReason, Trouble};

use super::phase::{Phase, Refused, What};
use super::{Holding, Machine, refuse};

impl Machine {
    pub(super) fn on_locked(&mut self, ticket: Ticket, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Locking(ticket) {
            return;
        }
        self.locked = true;
        if !self.take_intent(now, out) {
            let ticket = self.ticket();
            self.phase = Phase::Reading(ticket);
            out.push(Action::Read { ticket });
        }
    }

    pub(super) fn on_lock_failed(&mut self, ticket: Ticket, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Locking(ticket) {
            return;
        }
        for intent in self.intents.drain(..) {
            refuse(Some(intent.caller()), Trouble::Lock, out);
        }
        self.fail(Trouble::Lock, None, now, out);
    }

    pub(super) fn on_read(
        &mut self,
        ticket: Ticket,
        found: Found,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Looking(awaited) if awaited == ticket => self.looked(found, now, out),
            Phase::Reading(awaited) if awaited == ticket => {
                if !self.take_intent(now, out) {
                    self.read(found, None, now, out);
                }
            }
            Phase::Rereading { ticket: awaited, with, refused } if awaited == ticket => {
                if !self.take_intent(now, out) {
                    self.read(found, Some((with, refused)), now, out);
                }
            }
            Phase::Checking { ticket: awaited, change } if awaited == ticket => {
                if !self.take_intent(now, out) {
                    self.checked(found, change, now, out);
                }
            }
            other => self.phase = other,
        }
    }

    /// The storage was read without the lock.
    fn looked(&mut self, found: Found, now: Now, out: &mut Vec<Action>) {
        // An intent comes first; it takes the lock.
        if !self.intents.is_empty() {
            return;
        }
        match found {
            Found::Pair(pair) if !self.is_over(&pair) && self.has_key_of(&pair) => {
                self.hold(pair, now);
                if self.has_fresh_token(now) {
                    self.succeed(out);
                } else {
                    self.take_lock(out);
                }
            }
            Found::Failed => self.fail(Trouble::Storage, None, now, out),
            Found::Pair(pair) if self.is_over(&pair) => self.found_nothing(&Found::Nothing, out),
            found => self.found_nothing(&found, out),
        }
    }

    /// The storage was read under the lock: before a refresh, or once more because the server
    /// refused the pair that was there.
    fn read(
        &mut self,
        found: Found,
        refused: Option<(Pair, Refused)>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        match (found, refused) {
            (Found::Pair(pair), Some((with, how))) if pair.refresh == with.refresh => match how {
                Refused::Superseded => self.fail(Trouble::Superseded, None, now, out),
                Refused::Finally(reason) => self.end(reason, now, out),
            },
            (Found::Pair(pair), _) if self.is_over(&pair) => {
                // An earlier attempt to clear the storage failed.
                let reason = self.reason();
                self.end(reason, now, out);
            }
            (Found::Pair(pair), _) if self.has_key_of(&pair) => {
                self.hold(pair.clone(), now);
                if self.has_fresh_token(now) {
                    self.succeed(out);
                    self.rest(out);
                } else {
                    self.ask(pair, now, out);
                }
            }
            (Found::Failed, Some((_, Refused::Finally(reason)))) => {
                // Should the storage have another pair after all, the next caller finds it.
                self.signed_out(reason, out);
                self.rest(out);
            }
            (Found::Failed, _) => self.fail(Trouble::Storage, None, now, out),
            (_, Some((_, Refused::Finally(reason)))) => {
                self.signed_out(reason, out);
                self.rest(out);
            }
            (found, _) => {
                self.found_nothing(&found, out);
                self.rest(out);
            }
        }
    }

    fn ask(&mut self, with: Pair, now: Now, out: &mut Vec<Action>) {
        let ticket = self.ticket();
        self.background = false;
        self.phase = Phase::Sending { ticket, asked: now, with: with.clone() };
        out.push(Action::Send { ticket, pair: with });
    }

    pub(super) fn on_answer(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let Phase::Sending { ticket: awaited, asked, with } = &self.phase else { return };
        if *awaited != ticket {
            return;
        }
        let (asked, with) = (*asked, with.clone());
        let refused = match answer {
            Answer::Granted(grant) => {
                let (date, parent) = (grant.date, with.refresh.clone());
                let mut child = with.renewed(grant);
                if let Some(clock) = child.arrived(asked, date) {
                    self.clock = Some(clock);
                }
                return self.change(What::Renewed { child, parent }, None, now, out);
            }
            Answer::Superseded => Refused::Superseded,
            Answer::SignedOut(reason) => Refused::Finally(reason),
            Answer::Unavailable { trouble, retry_after } => {
                return self.fail(trouble, retry_after, now, out);
            }
        };
        let ticket = self.ticket();
        self.phase = Phase::Rereading { ticket, with, refused };
        out.push(Action::Read { ticket });
    }

    pub(super) fn on_unanswered(&mut self, ticket: Ticket, now: Now, out: &mut Vec<Action>) {
        if matches!(&self.phase, Phase::Sending { ticket: awaited, .. } if *awaited == ticket) {
            self.fail(Trouble::Network, None, now, out);
        }
    }

    /// It did not work this time. The tokens are kept.
    pub(super) fn fail(
        &mut self,
        trouble: Trouble,
        wish: Option<Duration>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        self.failures.add(&self.settings, &mut self.jitter, trouble, wish, now.monotonic);
        self.background = false;
        self.rest(out);
        self.answer_all_in_trouble(now, out);
    }

    /// The held token is good.
    pub(super) fn succeed(&mut self, out: &mut Vec<Action>) {
        self.failures = Default::default();
        self.background = false;
        self.give_all(out);
    }

    /// The server ended the session: the storage is cleared, under the lock that is held.
    fn end(&mut self, reason: SignOutReason, now: Now, out: &mut Vec<Action>) {
        self.signed_out(reason, out);
        self.change(What::SignedOut, None, now, out);
    }

    /// There is no pair that can be used.
    pub(super) fn found_nothing(&mut self, found: &Found, out: &mut Vec<Action>) {
        let reason = match (found, &self.holding) {
            (Found::Unreadable, _) => SignOutReason::Unreadable,
            (Found::Pair(_), _) => SignOutReason::OtherKey,
            (_, Holding::Unknown) => SignOutReason::NotSignedIn,
            (_, Holding::Pair(_)) => SignOutReason::Elsewhere,
            (_, Holding::Nothing(reason)) => *reason,
        };
        self.holding = Holding::Nothing(reason);
        self.background = false;
        self.failures = Default::default();
        self.refuse_all(Refusal::SignIn(reason), out);
    }

    pub(super) fn has_fresh_token(&self, now: Now) -> bool {
        matches!(&self.holding, Holding::Pair(pair) if self.is_fresh(pair, now))
    }

    /// Whether this pair can be used with the key at hand, as far as it says.
    pub(super) fn has_key_of(&self, pair: &Pair) -> bool {
        match pair.binding() {
            Binding::Key(key) => self.settings.key == Some(key),
            Binding::None | Binding::Untold => true,
        }
    }

    /// Whether this is the pair that was signed out of.
    fn is_over(&self, pair: &Pair) -> bool {
        self.over.as_ref().is_some_and(|(over, _)| *over == pair.refresh)
    }

    fn reason(&self) -> SignOutReason {
        self.over.as_ref().map_or(SignOutReason::NotSignedIn, |(_, reason)| *reason)
    }
}
