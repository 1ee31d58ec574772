//! The three flows of the machine: acquire a token for a caller, refresh the pair, and persist a
//! change to the storage.

use std::time::Duration;

use crate::client::clock::DeviceTime;
use crate::client::error::{SessionError, SignOutOutcome, SignOutReason, TransientError};
use crate::client::event::{Action, Caller, RefreshAnswer, StorageRead, Ticket};
use crate::client::pair::TokenPair;
use crate::types::AccessToken;

use super::retry::backoff;
use super::{
    Command, Machine, PendingChange, Phase, Rejection, StorageChange, TokenState, Waiter,
    fail_caller,
};

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

/// Acquire: callers that want an access token.
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
    fn give_waiters(&mut self, out: &mut Vec<Action>) {
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

    fn has_fresh_token(&self, now: DeviceTime) -> bool {
        self.held().is_some_and(|pair| self.urgency(pair, now) == Urgency::Fresh)
    }

    /// Whether the server would still accept the held token.
    fn has_valid_token(&self, now: DeviceTime) -> bool {
        self.held().is_some_and(|pair| self.urgency(pair, now) != Urgency::Expired)
    }
}

/// Refresh: lock, read the storage, ask the server. What it grants goes to persist before any
/// caller receives it.
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
                // The child of a refresh is no longer wanted; a sign-out is.
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
            StorageRead::Failed => self.attempt_failed(TransientError::Storage, None, now, out),
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
                // An earlier attempt to clear the storage failed.
                let reason = self.ended.as_ref().map(|(_, reason)| *reason);
                self.end_session(reason.unwrap_or(SignOutReason::NotSignedIn), now, out);
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
            (StorageRead::Failed, Some((_, Rejection::Final(reason)))) => {
                // If the storage has another pair after all, the next caller finds it.
                self.sign_out(reason, out);
                self.finish(out);
            }
            (StorageRead::Failed, _) => {
                self.attempt_failed(TransientError::Storage, None, now, out);
            }
            (_, Some((_, Rejection::Final(reason)))) => {
                self.sign_out(reason, out);
                self.finish(out);
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
    fn attempt_failed(
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
            // A waiter whose deadline is before the next attempt would wait in vain.
            let waits = !is_open && retry_at < waiter.deadline;
            if !waits {
                out.push(Action::Fail { caller: waiter.caller, error });
            }
            waits
        });
    }

    /// The held token is fresh.
    fn succeed(&mut self, out: &mut Vec<Action>) {
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
    fn no_usable_pair(&mut self, found: &StorageRead, out: &mut Vec<Action>) {
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

/// Persist: changes to the storage, made under the lock and retried while they fail.
impl Machine {
    /// Queues a sign-in or sign-out, which runs before any refresh.
    pub(super) fn submit(&mut self, command: Command, now: DeviceTime, out: &mut Vec<Action>) {
        self.commands.push_back(command);
        match &self.phase {
            // The answer would be for a session that is no longer wanted.
            Phase::Refreshing { .. } => {
                self.run_command(now, out);
            }
            Phase::RetryWait { change, .. } => {
                fail_caller(change.caller, TransientError::Storage, out);
                self.run_command(now, out);
            }
            _ => {}
        }
    }

    /// Starts the next command, if there is one. The lock is held, and no report is awaited.
    fn run_command(&mut self, now: DeviceTime, out: &mut Vec<Action>) -> bool {
        let Some(command) = self.commands.pop_front() else { return false };
        let caller = Some(command.caller());
        let change = match command {
            Command::SignIn { mut pair, requested_at, .. } => {
                if let Some(clock) = pair.received(requested_at, None) {
                    self.clock = Some(clock);
                }
                StorageChange::SignedIn { pair }
            }
            Command::SignOut { held, .. } if self.settings.revoke_on_sign_out => {
                StorageChange::Retired { pair: held }
            }
            Command::SignOut { .. } => StorageChange::SignedOut,
        };
        self.persist(change, caller, now, out);
        true
    }

    /// Starts a change to the storage. The lock is held.
    fn persist(
        &mut self,
        change: StorageChange,
        caller: Option<Caller>,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        let deadline = now.monotonic.saturating_add(self.settings.persist_timeout);
        self.try_change(PendingChange { change, caller, failures: 0, deadline }, out);
    }

    fn try_change(&mut self, change: PendingChange, out: &mut Vec<Action>) {
        match change.change {
            // Without a lock, another process may have stored a later pair. The pair to retire is the
            // stored one.
            StorageChange::Renewed { .. }
            | StorageChange::Retired { .. }
            | StorageChange::Forgotten { .. } => {
                let ticket = self.next_ticket();
                self.phase = Phase::Checking { ticket, change };
                out.push(Action::Read { ticket });
            }
            StorageChange::SignedIn { .. } | StorageChange::SignedOut => self.write(change, out),
        }
    }

    fn write(&mut self, change: PendingChange, out: &mut Vec<Action>) {
        let ticket = self.next_ticket();
        out.push(match &change.change {
            StorageChange::Renewed { child: pair, .. } | StorageChange::SignedIn { pair } => {
                Action::Write { ticket, pair: pair.clone() }
            }
            StorageChange::Retired { pair: Some(pair) } => {
                Action::Retire { ticket, pair: pair.clone() }
            }
            StorageChange::SignedOut
            | StorageChange::Retired { pair: None }
            | StorageChange::Forgotten { .. } => Action::Clear { ticket },
        });
        self.phase = Phase::Writing { ticket, change };
    }

    /// The storage was read before a change to it.
    fn checked(
        &mut self,
        found: StorageRead,
        mut change: PendingChange,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        let (child, parent) = match &mut change.change {
            StorageChange::Renewed { child, parent } => (child, parent),
            StorageChange::Retired { pair: retired } => {
                match found {
                    StorageRead::Pair(pair) | StorageRead::Retired(pair) => *retired = Some(pair),
                    // The held pair is the best guess.
                    StorageRead::Failed => {}
                    StorageRead::Empty | StorageRead::Unreadable | StorageRead::Lost => {
                        *retired = None;
                    }
                }
                // Without its key, the server would not accept the pair.
                *retired = retired.take().filter(|pair| self.has_key_of(pair));
                return self.write(change, out);
            }
            StorageChange::Forgotten { refresh } => {
                return match found {
                    StorageRead::Retired(pair) if pair.refresh == *refresh => {
                        self.write(change, out);
                    }
                    StorageRead::Failed => self.change_failed(change, now, out),
                    _ => {
                        self.forget_revoked(out);
                        self.finish(out);
                    }
                };
            }
            StorageChange::SignedIn { .. } | StorageChange::SignedOut => {
                return self.write(change, out);
            }
        };
        match found {
            StorageRead::Failed => self.change_failed(change, now, out),
            // An earlier attempt that was reported as failed has succeeded.
            StorageRead::Pair(pair) if pair == *child => self.changed(change, now, out),
            StorageRead::Pair(pair) if !self.has_key_of(&pair) => {
                self.no_usable_pair(&StorageRead::Pair(pair), out);
                self.finish(out);
            }
            StorageRead::Pair(pair) if pair.refresh != *parent => {
                // Another process stored a pair. The child was never used, so it can be dropped.
                self.hold(pair, now);
                if self.has_fresh_token(now) {
                    self.succeed(out);
                }
                self.finish(out);
            }
            StorageRead::Empty | StorageRead::Retired(_) => {
                self.sign_out(SignOutReason::Elsewhere, out);
                self.finish(out);
            }
            StorageRead::Pair(_) | StorageRead::Unreadable | StorageRead::Lost => {
                self.write(change, out);
            }
        }
    }

    pub(super) fn on_written(
        &mut self,
        ticket: Ticket,
        done: bool,
        now: DeviceTime,
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

    /// The change is stored: from here on its tokens may be used.
    fn changed(&mut self, mut change: PendingChange, now: DeviceTime, out: &mut Vec<Action>) {
        // If a sign-out is queued, the storage is cleared next and the user stays signed out.
        let signs_out_next =
            self.commands.iter().any(|command| matches!(command, Command::SignOut { .. }));
        match change.change {
            StorageChange::Renewed { child, .. } => {
                if self.rejected.take().is_some() {
                    self.rejected_renewed_at = Some(now.monotonic);
                }
                if !signs_out_next {
                    self.hold(child, now);
                }
            }
            StorageChange::SignedIn { pair } => {
                self.ended = None;
                (self.rejected, self.rejected_renewed_at) = (None, None);
                if !signs_out_next {
                    self.hold(pair, now);
                }
            }
            StorageChange::SignedOut => self.ended = None,
            StorageChange::Retired { pair } => {
                self.ended = None;
                match (pair, change.caller.take()) {
                    (Some(pair), caller) => self.revoke(pair, caller, now),
                    (None, caller) => out.extend(caller.map(|caller| Action::SignedOut {
                        caller,
                        outcome: SignOutOutcome::Local,
                    })),
                }
            }
            StorageChange::Forgotten { .. } => {
                self.forget_revoked(out);
                if !self.run_command(now, out) {
                    self.finish(out);
                }
                return;
            }
        }
        out.extend(change.caller.map(|caller| Action::Done { caller }));
        if self.run_command(now, out) {
            return;
        }
        match self.tokens {
            TokenState::SignedOut(reason) => self.fail_waiters(SessionError::SignIn(reason), out),
            _ => self.succeed(out),
        }
        self.finish(out);
    }

    /// The change failed, or its outcome is unknown. Retry it under the lock until its deadline;
    /// its tokens are not used meanwhile.
    fn change_failed(&mut self, mut change: PendingChange, now: DeviceTime, out: &mut Vec<Action>) {
        if !self.commands.is_empty() {
            fail_caller(change.caller, TransientError::Storage, out);
            self.run_command(now, out);
            return;
        }
        if now.monotonic >= change.deadline {
            return self.give_up(change, now, out);
        }
        change.failures += 1;
        let delay = backoff(&self.settings, change.failures, &mut self.jitter);
        let until = now.monotonic.saturating_add(delay).min(change.deadline);
        self.phase = Phase::RetryWait { until, change };
        // The token from before the refresh may still be valid.
        if self.has_valid_token(now) {
            self.give_waiters(out);
        }
    }

    /// Retries a failed change when its wait is over. After the device has slept past the deadline
    /// the change is given up.
    pub(super) fn retry_change(&mut self, now: DeviceTime, out: &mut Vec<Action>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::RetryWait { change, .. } if now.monotonic >= change.deadline => {
                self.give_up(change, now, out);
            }
            Phase::RetryWait { change, until } if now.monotonic < until => {
                self.phase = Phase::RetryWait { until, change };
            }
            Phase::RetryWait { change, .. } => self.try_change(change, out),
            other => self.phase = other,
        }
    }

    fn give_up(&mut self, change: PendingChange, now: DeviceTime, out: &mut Vec<Action>) {
        fail_caller(change.caller, TransientError::Storage, out);
        match change.change {
            // The child was never used, so its parent may be presented again: the server treats the
            // child as lost. Releasing the lock lets other processes continue.
            StorageChange::Renewed { .. } => {
                self.attempt_failed(TransientError::Storage, None, now, out);
            }
            StorageChange::SignedIn { .. } => {
                // The pair may have been stored nevertheless.
                self.tokens = TokenState::Unknown;
                self.finish(out);
            }
            StorageChange::Retired { pair } => {
                if let Some(pair) = pair {
                    self.revoke(pair, None, now);
                }
                self.finish(out);
            }
            StorageChange::Forgotten { .. } => {
                self.forget_revoked(out);
                self.finish(out);
            }
            StorageChange::SignedOut => self.finish(out),
        }
    }
}
