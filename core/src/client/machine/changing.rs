//! Changes of the storage. They are made under the lock, and repeated while they fail.

use crate::client::backoff;
use crate::client::event::{Action, Caller, Found, Ticket};
use crate::client::now::Now;
use crate::client::reason::{Refusal, SignOutReason, Trouble};

use super::phase::{Change, Intent, Phase, What};
use super::{Holding, Machine, refuse};

impl Machine {
    /// The app wants this done, before any refresh.
    pub(super) fn intend(&mut self, intent: Intent, now: Now, out: &mut Vec<Action>) {
        self.intents.push_back(intent);
        match &self.phase {
            // The answer is for a session that nobody wants any more.
            Phase::Sending { .. } => {
                self.take_intent(now, out);
            }
            Phase::Resting { change, .. } => {
                refuse(change.caller, Trouble::Storage, out);
                self.take_intent(now, out);
            }
            _ => {}
        }
    }

    /// Begins the next intent, if there is one. The lock is held and no report is awaited.
    pub(super) fn take_intent(&mut self, now: Now, out: &mut Vec<Action>) -> bool {
        let Some(intent) = self.intents.pop_front() else { return false };
        let caller = Some(intent.caller());
        let what = match intent {
            Intent::SignIn { mut pair, asked, .. } => {
                if let Some(clock) = pair.arrived(asked, None) {
                    self.clock = Some(clock);
                }
                What::SignedIn { pair }
            }
            Intent::SignOut { .. } => What::SignedOut,
        };
        self.change(what, caller, now, out);
        true
    }

    /// Begins to change the storage. The lock is held.
    pub(super) fn change(
        &mut self,
        what: What,
        caller: Option<Caller>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let until = now.monotonic.saturating_add(self.settings.persist_for);
        self.begin(Change { what, caller, failures: 0, until }, out);
    }

    fn begin(&mut self, change: Change, out: &mut Vec<Action>) {
        match change.what {
            // Where there is no lock, another process may have stored a later pair.
            What::Renewed { .. } => {
                let ticket = self.ticket();
                self.phase = Phase::Checking { ticket, change };
                out.push(Action::Read { ticket });
            }
            What::SignedIn { .. } | What::SignedOut => self.write(change, out),
        }
    }

    fn write(&mut self, change: Change, out: &mut Vec<Action>) {
        let ticket = self.ticket();
        out.push(match &change.what {
            What::Renewed { child: pair, .. } | What::SignedIn { pair } => {
                Action::Write { ticket, pair: pair.clone() }
            }
            What::SignedOut => Action::Clear { ticket },
        });
        self.phase = Phase::Writing { ticket, change };
    }

    /// The storage was read before the answer to a refresh is written.
    pub(super) fn checked(
        &mut self,
        found: Found,
        change: Change,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let What::Renewed { child, parent } = &change.what else {
            return self.write(change, out);
        };
        match found {
            Found::Failed => self.change_failed(change, now, out),
            // An earlier attempt has worked after all.
            Found::Pair(pair) if pair == *child => self.changed(change, now, out),
            Found::Pair(pair) if !self.has_key_of(&pair) => {
                self.found_nothing(&Found::Pair(pair), out);
                self.rest(out);
            }
            Found::Pair(pair) if pair.refresh != *parent => {
                // Somebody else was here. What was not stored was not used, so it can be let go.
                self.hold(pair, now);
                if self.has_fresh_token(now) {
                    self.succeed(out);
                }
                self.rest(out);
            }
            Found::Nothing => {
                self.signed_out(SignOutReason::Elsewhere, out);
                self.rest(out);
            }
            Found::Pair(_) | Found::Unreadable => self.write(change, out),
        }
    }

    pub(super) fn on_written(
        &mut self,
        ticket: Ticket,
        done: bool,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Writing { ticket: awaited, change } if awaited == ticket => {
                if done {
                    self.changed(change, now, out);
                } else {
                    self.change_failed(change, now, out);
                }
            }
            other => self.phase = other,
        }
    }

    /// The storage is as it should be: now others may know.
    fn changed(&mut self, change: Change, now: Now, out: &mut Vec<Action>) {
        match change.what {
            What::Renewed { child, .. } => {
                if self.refused.take().is_some() {
                    self.refusal_renewed = Some(now.monotonic);
                }
                // A user who has signed out meanwhile stays so: the storage is cleared next.
                if !self.signs_out_next() {
                    self.hold(child, now);
                }
            }
            What::SignedIn { pair } => {
                self.over = None;
                (self.refused, self.refusal_renewed) = (None, None);
                if !self.signs_out_next() {
                    self.hold(pair, now);
                }
            }
            What::SignedOut => self.over = None,
        }
        out.extend(change.caller.map(|caller| Action::Done { caller }));
        if self.take_intent(now, out) {
            return;
        }
        match self.holding {
            Holding::Nothing(reason) => self.refuse_all(Refusal::SignIn(reason), out),
            _ => self.succeed(out),
        }
        self.rest(out);
    }

    /// It failed, or may have: it is tried again while the lock is held, for as long as is
    /// allowed. What was not stored is not used meanwhile.
    fn change_failed(&mut self, mut change: Change, now: Now, out: &mut Vec<Action>) {
        if !self.intents.is_empty() {
            refuse(change.caller, Trouble::Storage, out);
            self.take_intent(now, out);
            return;
        }
        if now.monotonic >= change.until {
            return self.give_up(change, now, out);
        }
        change.failures += 1;
        let delay = backoff::delay(&self.settings, change.failures, &mut self.jitter);
        let until = now.monotonic.saturating_add(delay).min(change.until);
        self.phase = Phase::Resting { until, change };
        // The token from before the refresh may still do.
        if self.has_living_token(now) {
            self.give_all(out);
        }
    }

    /// The wait after a failed change is over. A device that slept meanwhile does not go on with
    /// what is long past.
    pub(super) fn resume_change(&mut self, now: Now, out: &mut Vec<Action>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Resting { change, .. } if now.monotonic >= change.until => {
                self.give_up(change, now, out);
            }
            Phase::Resting { change, until } if now.monotonic < until => {
                self.phase = Phase::Resting { change, until };
            }
            Phase::Resting { change, .. } => self.begin(change, out),
            other => self.phase = other,
        }
    }

    fn give_up(&mut self, change: Change, now: Now, out: &mut Vec<Action>) {
        refuse(change.caller, Trouble::Storage, out);
        match change.what {
            // Nobody has used the child, so its parent may ask again: the server takes the child
            // for lost on the way. Other processes are not locked out any longer.
            What::Renewed { .. } => self.fail(Trouble::Storage, None, now, out),
            What::SignedIn { .. } => {
                // It may have been stored nevertheless.
                self.holding = Holding::Unknown;
                self.rest(out);
            }
            What::SignedOut => self.rest(out),
        }
    }

    fn signs_out_next(&self) -> bool {
        self.intents.iter().any(|intent| matches!(intent, Intent::SignOut { .. }))
    }
}
