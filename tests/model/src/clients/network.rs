//! The environment of the processes: the storage, its lock, and the network.

use regrant::client::machine::{Action, Event, RefreshAnswer, StorageRead};
use regrant::client::{TokenPair, TransientError};

use super::driver::Flaw;
use super::step::OperationOutcome;
use super::violation::Violation;
use super::world::World;

impl World {
    /// The possible outcomes of the operation of this process. The first is not a fault.
    pub(super) fn outcomes(&self, process: usize) -> &'static [OperationOutcome] {
        use OperationOutcome::{Busy, DoneUnreported, Duplicated, Fails, Late, Succeeds};
        match &self.processes[process].pending {
            Some(Action::Lock { .. }) if self.may_lock() => &[Succeeds, Fails],
            Some(Action::Read { .. }) => &[Succeeds, Fails],
            Some(Action::Write { .. }) => &[Succeeds, Fails, DoneUnreported],
            Some(Action::Send { .. }) => &[Succeeds, Fails, DoneUnreported, Late, Duplicated, Busy],
            // Never expected: no caller signs out.
            Some(Action::Clear { .. }) => &[Succeeds],
            _ => &[],
        }
    }

    pub(super) fn may_lock(&self) -> bool {
        !self.space.lock || self.locked_by.is_none() || self.flaw == Flaw::IgnoresTheLock
    }

    /// The operation of the process has this outcome.
    pub(super) fn goes(
        &mut self,
        process: usize,
        outcome: OperationOutcome,
    ) -> Result<(), Violation> {
        let well = outcome == OperationOutcome::Succeeds;
        let Some(action) = self.processes[process].pending.take() else { return Ok(()) };
        let event = match action {
            Action::Lock { ticket } if well => {
                self.locked_by = Some(process);
                Event::Locked { ticket }
            }
            Action::Lock { ticket } => {
                Event::LockFailed { ticket, cause: TransientError::StorageLocked }
            }
            Action::Read { ticket } => {
                let found = if well { self.finds(process) } else { StorageRead::Failed };
                Event::Read { ticket, found }
            }
            Action::Write { ticket, pair } => {
                if outcome != OperationOutcome::Fails {
                    self.store(process, pair);
                }
                Event::Written { ticket, done: well }
            }
            Action::Clear { ticket } => {
                self.stored = None;
                Event::Written { ticket, done: true }
            }
            Action::Send { ticket, pair } => {
                let answer = self.sent(&pair, outcome)?;
                if self.flaw == Flaw::UnlocksTooSoon
                    && matches!(answer, Some(RefreshAnswer::Granted(_)))
                {
                    self.unlock(process);
                }
                match answer {
                    Some(answer) => Event::Answered { ticket, answer },
                    None => Event::Unanswered { ticket },
                }
            }
            other => unreachable!("{other:?} is not reported on"),
        };
        self.notify(process, event)
    }

    fn finds(&mut self, process: usize) -> StorageRead {
        let found = self.stored.clone().map_or(StorageRead::Empty, StorageRead::Pair);
        if self.flaw != Flaw::DoesNotReadAgain {
            return found;
        }
        self.processes[process].remembered.get_or_insert(found).clone()
    }

    /// Stores a pair.
    pub(super) fn store(&mut self, process: usize, pair: TokenPair) {
        self.was_stored.insert(pair.access_token().expose().to_owned());
        let remembers = self.flaw == Flaw::DoesNotReadAgain;
        self.processes[process].remembered = remembers.then(|| StorageRead::Pair(pair.clone()));
        self.stored = Some(pair);
    }

    pub(super) fn unlock(&mut self, process: usize) {
        if self.locked_by == Some(process) && self.flaw != Flaw::KeepsTheLock {
            self.locked_by = None;
        }
    }

    /// Sends a request; returns the response if it arrives.
    fn sent(
        &mut self,
        pair: &TokenPair,
        outcome: OperationOutcome,
    ) -> Result<Option<RefreshAnswer>, Violation> {
        let token = pair.refresh_token();
        match outcome {
            OperationOutcome::Fails => Ok(None),
            OperationOutcome::Busy => {
                let cause = TransientError::Server { status: 503, code: None };
                Ok(Some(RefreshAnswer::Unavailable { cause, retry_after: None }))
            }
            OperationOutcome::Late => {
                self.late.push(token.clone());
                Ok(None)
            }
            OperationOutcome::DoneUnreported => self.asks(token).map(|_| None),
            OperationOutcome::Duplicated => {
                let answer = self.asks(token)?;
                self.late.push(token.clone());
                Ok(Some(answer))
            }
            OperationOutcome::Succeeds => self.asks(token).map(Some),
        }
    }
}
