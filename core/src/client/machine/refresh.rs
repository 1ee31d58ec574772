//! Refresh: lock, read the storage, ask the server. What it grants is persisted before any caller
//! receives it.

use std::time::Duration;

use crate::client::clock::DeviceTime;
use crate::client::error::{SessionError, SignOutReason, TransientError};
use crate::client::event::{Action, RefreshAnswer, StorageRead, Ticket};
use crate::client::pair::TokenPair;

use super::retry::backoff;
use super::{Machine, Phase, Rejection, Reread, StorageChange, TokenState, fail_caller};

impl Machine {
    pub(super) fn on_locked(&mut self, ticket: Ticket, now: DeviceTime, out: &mut Vec<Action>) {
        if self.phase != Phase::Locking(ticket) {
            return;
        }
        self.locked = true;
        if self.run_command(now, out) {
            return;
        }
        if let Some(revoked) = &self.revoked {
            let refresh = revoked.refresh.clone();
            self.persist(StorageChange::Forgotten { refresh }, None, now, out);
        } else {
            let ticket = self.next_ticket();
            self.phase = Phase::Reading(ticket);
            out.push(Action::Read { ticket });
        }
    }

    pub(super) fn on_lock_failed(
        &mut self,
        ticket: Ticket,
        cause: TransientError,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        if self.phase != Phase::Locking(ticket) {
            return;
        }
        for command in self.commands.drain(..) {
            fail_caller(Some(command.caller()), cause, out);
        }
        self.forget_revoked(out);
        self.attempt_failed(cause, None, now, out);
    }

    pub(super) fn on_read(
        &mut self,
        ticket: Ticket,
        found: StorageRead,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::ReadingUnlocked(awaited) if awaited == ticket => {
                self.read_unlocked(found, now, out);
            }
            Phase::Reading(awaited) if awaited == ticket => {
                if !self.run_command(now, out) {
                    self.read_locked(found, None, now, out);
                }
            }
            Phase::Rereading { ticket: awaited, pair, rejection } if awaited == ticket => {
                if !self.run_command(now, out) {
                    self.read_locked(found, Some((pair, rejection)), now, out);
                }
            }
            Phase::Checking { ticket: awaited, change } if awaited == ticket => {
                // A queued sign-in or sign-out makes the result of a refresh obsolete. Other changes are finished first.
                let is_renewal = matches!(change.change, StorageChange::Renewed { .. });
                if !is_renewal || !self.run_command(now, out) {
                    self.checked(found, change, now, out);
                }
            }
            other => self.phase = other,
        }
    }

    /// The storage was read without the lock.
    fn read_unlocked(&mut self, found: StorageRead, now: DeviceTime, out: &mut Vec<Action>) {
        // A command comes first; it takes the lock.
        if !self.commands.is_empty() {
            return;
        }
        let reread = self.reread.take();
        match found {
            StorageRead::Pair(pair) if !self.is_ended(&pair) && self.has_key_of(&pair) => {
                self.hold(pair, now);
                // Otherwise the refresh is next, if a caller waits.
                if self.has_fresh_token(now) {
                    self.succeed(out);
                }
            }
            StorageRead::Retired(pair) => {
                if self.settings.revoke_on_sign_out && self.has_key_of(&pair) {
                    self.revoke(pair, None, now);
                }
                self.no_usable_pair(&StorageRead::Empty, out);
            }
            StorageRead::Failed => {
                let is_for_state = self.is_started && self.tokens == TokenState::Unknown;
                if is_for_state {
                    let failures = reread.map_or(0, |reread| reread.failures).saturating_add(1);
                    let delay = backoff(&self.settings, failures, &mut self.jitter);
                    self.reread =
                        Some(Reread { at: now.monotonic.saturating_add(delay), failures });
                }
                // Where no caller waits, it must not open the circuit breaker.
                if !is_for_state || !self.waiters.is_empty() {
                    self.attempt_failed(TransientError::Storage, None, now, out);
                }
            }
            StorageRead::Pair(pair) if self.is_ended(&pair) => {
                self.no_usable_pair(&StorageRead::Empty, out);
            }
            found => self.no_usable_pair(&found, out),
        }
    }

    /// The storage was read under the lock: before a refresh, or again because the server rejected
    /// the pair that was there.
    fn read_locked(
        &mut self,
        found: StorageRead,
        rejected: Option<(TokenPair, Rejection)>,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        match (found, rejected) {
            (StorageRead::Pair(pair), Some((sent, rejection))) if pair.refresh == sent.refresh => {
                match rejection {
                    Rejection::Superseded => {
                        self.attempt_failed(TransientError::Superseded, None, now, out);
                    }
                    Rejection::Final(reason) => self.end_session(reason, now, out),
                }
            }
            (StorageRead::Pair(pair), _) if self.is_ended(&pair) => {
                // The storage was not cleared: that failed, or a sign-out timed out before it had the lock.
                let reason = self.ended.as_ref().map(|(_, reason)| *reason);
                let reason = reason.unwrap_or(SignOutReason::NotSignedIn);
                if reason == SignOutReason::ByUser && self.settings.revoke_on_sign_out {
                    self.sign_out(reason, out);
                    self.persist(StorageChange::Retired { pair: Some(pair) }, None, now, out);
                } else {
                    self.end_session(reason, now, out);
                }
            }
            (StorageRead::Pair(pair), _) if self.has_key_of(&pair) => {
                self.hold(pair.clone(), now);
                if self.has_fresh_token(now) {
                    self.succeed(out);
                    self.finish(out);
                } else {
                    self.send(pair, now, out);
                }
            }
            // There is no pair that could still be used. If the read failed and there is one after all, the next caller
            // finds it.
            (_, Some((_, Rejection::Final(reason)))) => {
                self.sign_out(reason, out);
                self.finish(out);
            }
            (StorageRead::Failed, _) => {
                self.attempt_failed(TransientError::Storage, None, now, out);
            }
            (found, _) => {
                self.no_usable_pair(&found, out);
                self.finish(out);
            }
        }
    }

    fn send(&mut self, pair: TokenPair, now: DeviceTime, out: &mut Vec<Action>) {
        let ticket = self.next_ticket();
        self.background_refresh = false;
        self.phase = Phase::Refreshing { ticket, requested_at: now, pair: pair.clone() };
        out.push(Action::Send { ticket, pair });
    }

    pub(super) fn on_answered(
        &mut self,
        ticket: Ticket,
        answer: RefreshAnswer,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        let Phase::Refreshing { ticket: awaited, requested_at, pair } = &self.phase else { return };
        if *awaited != ticket {
            return;
        }
        let (requested_at, pair) = (*requested_at, pair.clone());
        let rejection = match answer {
            RefreshAnswer::Granted(grant) => {
                let (date, parent) = (grant.date, pair.refresh.clone());
                let mut child = pair.renewed(grant);
                if let Some(clock) = child.received(requested_at, date) {
                    self.clock = Some(clock);
                }
                return self.persist(StorageChange::Renewed { child, parent }, None, now, out);
            }
            RefreshAnswer::Superseded => Rejection::Superseded,
            RefreshAnswer::SignedOut(reason) => Rejection::Final(reason),
            RefreshAnswer::Unavailable { cause, retry_after } => {
                return self.attempt_failed(cause, retry_after, now, out);
            }
        };
        let ticket = self.next_ticket();
        self.phase = Phase::Rereading { ticket, pair, rejection };
        out.push(Action::Read { ticket });
    }

    pub(super) fn on_unanswered(&mut self, ticket: Ticket, now: DeviceTime, out: &mut Vec<Action>) {
        if matches!(&self.phase, Phase::Refreshing { ticket: awaited, .. } if *awaited == ticket) {
            self.attempt_failed(TransientError::Network, None, now, out);
        }
    }

    /// The attempt failed temporarily. The tokens are kept, and waiters receive the held token if
    /// it is still valid, or an error once the circuit breaker is open.
    pub(super) fn attempt_failed(
        &mut self,
        cause: TransientError,
        retry_after: Option<Duration>,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        self.failures.record(&self.settings, &mut self.jitter, cause, retry_after, now.monotonic);
        self.background_refresh = false;
        self.finish(out);
        if self.has_valid_token(now) {
            return self.give_waiters(out);
        }
        let is_open = self.failures.is_open(&self.settings, now.monotonic);
        let (retry_at, error) = (self.failures.retry_at(), self.failures.error(now.monotonic));
        self.waiters.retain(|waiter| {
            // A waiter whose deadline is before the next attempt would only wait to fail.
            let waits = !is_open && retry_at < waiter.deadline;
            if !waits {
                out.push(Action::Fail { caller: waiter.caller, error });
            }
            waits
        });
    }

    /// The held token is fresh.
    pub(super) fn succeed(&mut self, out: &mut Vec<Action>) {
        self.failures = Default::default();
        self.background_refresh = false;
        self.give_waiters(out);
    }

    /// The server ended the session: clear the storage under the held lock.
    fn end_session(&mut self, reason: SignOutReason, now: DeviceTime, out: &mut Vec<Action>) {
        self.sign_out(reason, out);
        self.persist(StorageChange::SignedOut, None, now, out);
    }

    /// The storage contains no pair that can be used.
    pub(super) fn no_usable_pair(&mut self, found: &StorageRead, out: &mut Vec<Action>) {
        let reason = match (found, &self.tokens) {
            (StorageRead::Unreadable, _) => SignOutReason::Unreadable,
            (StorageRead::Lost, _) => SignOutReason::StorageLost,
            (StorageRead::Pair(_), _) => SignOutReason::OtherKey,
            (_, TokenState::Unknown) => SignOutReason::NotSignedIn,
            (_, TokenState::Held(_)) => SignOutReason::Elsewhere,
            (_, TokenState::SignedOut(reason)) => *reason,
        };
        self.tokens = TokenState::SignedOut(reason);
        self.background_refresh = false;
        self.failures = Default::default();
        self.fail_waiters(SessionError::SignIn(reason), out);
    }

    /// Whether `pair` belongs to the session that has ended.
    fn is_ended(&self, pair: &TokenPair) -> bool {
        self.ended.as_ref().is_some_and(|(ended, _)| *ended == pair.refresh)
    }
}
