//! Persist: sign-ins, sign-outs and refreshed pairs are written to the storage, under the lock and retried
//! while that fails.

use crate::client::clock::DeviceTime;
use crate::client::error::{SessionError, SignOutOutcome, SignOutReason, TransientError};
use crate::client::event::{Action, Caller, StorageRead, Ticket};

use super::retry::backoff;
use super::{Command, Machine, PendingChange, Phase, StorageChange, TokenState, fail_caller};

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
    pub(super) fn run_command(&mut self, now: DeviceTime, out: &mut Vec<Action>) -> bool {
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
    pub(super) fn persist(
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
    pub(super) fn checked(
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
