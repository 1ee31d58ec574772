//! The state of the model, and what a step does to it.

use std::collections::BTreeSet;
use std::time::Duration;

use regrant::client::machine::{Action, Caller, DeviceTime, Event, RefreshAnswer};
use regrant::client::{SessionError, SessionState, TokenPair};
use regrant::types::{AccessToken, RefreshToken, Timestamp};

use super::driver::{Flaw, Process};
use super::search_space::SearchSpace;
use super::server::{LIFETIME, Server};
use super::step::ScheduleStep;
use super::violation::Violation;

/// The state of the model.
#[derive(Clone, Debug)]
pub struct World {
    pub space: SearchSpace,
    pub flaw: Flaw,
    /// The time since the login.
    pub now: Duration,
    pub server: Server,
    pub stored: Option<TokenPair>,
    /// All access tokens that were ever stored.
    pub was_stored: BTreeSet<String>,
    pub locked_by: Option<usize>,
    pub processes: Vec<Process>,
    /// Late requests, whose responses no process waits for.
    pub late: Vec<RefreshToken>,
    /// The latest answer to a caller.
    pub answered: Option<Result<AccessToken, SessionError>>,
}

impl World {
    /// The state after a login whose pair is stored and whose access token has expired. No process
    /// has read the storage yet.
    pub fn new(space: SearchSpace, flaw: Flaw) -> Self {
        let mut world = Self {
            space,
            flaw,
            now: Duration::ZERO,
            server: Server::new(time(Duration::ZERO)),
            stored: None,
            was_stored: BTreeSet::new(),
            locked_by: None,
            processes: space.clocks.iter().map(|offset| Process::new(*offset)).collect(),
            late: Vec::new(),
            answered: None,
        };
        let (access, refresh) = Server::login();
        let pair = TokenPair::new(access, refresh).expires_in(LIFETIME);
        let now = world.time_of(0);
        let pair = Process::new(0).signs_in(now, pair);
        world.store(0, pair);
        world.processes[0].remembered = None;
        world.now = LIFETIME;
        world
    }

    /// The time as a process reads it.
    pub fn time_of(&self, process: usize) -> DeviceTime {
        let offset = Duration::from_secs(self.processes[process].offset.unsigned_abs());
        let server = time(self.now);
        let ahead = self.processes[process].offset > 0;
        let wall = if ahead { server.plus(offset) } else { server.minus(offset) };
        DeviceTime { monotonic: self.now, wall }
    }

    /// A refresh token reaches the server.
    pub fn asks(&mut self, token: &RefreshToken) -> Result<RefreshAnswer, Violation> {
        self.server.refresh(token, self.space.rotate, time(self.now))
    }

    /// Applies one step.
    pub fn apply(&mut self, step: ScheduleStep) -> Result<(), Violation> {
        match step {
            ScheduleStep::Want(process) => self.wants(process),
            ScheduleStep::Unauthorized(process) => {
                let given = self.processes[process].given.clone();
                let token = given.expect("offered only where there is one");
                let caller = self.processes[process].next_caller();
                self.notify(process, Event::Renew { caller, rejected: token })
            }
            ScheduleStep::Cancel(process) => {
                let caller = self.processes[process].callers.remove(0);
                if self.flaw == Flaw::DropsOnCancel {
                    self.processes[process].pending = None;
                }
                self.notify(process, Event::Cancel { caller })
            }
            ScheduleStep::Kill { process, done } => {
                self.kill(process, done);
                Ok(())
            }
            ScheduleStep::Goes(process, outcome) => self.goes(process, outcome),
            ScheduleStep::Wake(process) => {
                let at = self.wake_at(process).expect("offered only where there is one");
                self.now = self.now.max(at);
                self.notify(process, Event::Tick)
            }
            ScheduleStep::Wait(gap) => {
                self.now += gap.span();
                Ok(())
            }
            ScheduleStep::Expire => {
                self.now += LIFETIME;
                Ok(())
            }
            ScheduleStep::Arrives(which) => {
                let token = self.late.remove(which);
                self.asks(&token).map(drop)
            }
        }
    }

    /// A caller of this process wants an access token.
    pub fn wants(&mut self, process: usize) -> Result<(), Violation> {
        let caller = self.processes[process].next_caller();
        self.notify(process, Event::Acquire { caller })
    }

    /// When this process's timer fires.
    pub fn wake_at(&self, process: usize) -> Option<Duration> {
        let at = self.processes[process].machine.wake_at();
        at.filter(|_| self.flaw != Flaw::DoesNotWake)
    }

    /// Whether a late request may arrive now.
    pub fn may_arrive(&self, which: usize) -> bool {
        self.server.may_arrive_late(&self.late[which], time(self.now))
    }

    fn kill(&mut self, process: usize, done: bool) {
        let offset = self.processes[process].offset;
        let killed = std::mem::replace(&mut self.processes[process], Process::new(offset));
        match killed.pending {
            Some(Action::Write { pair, .. }) if done => self.store(process, pair),
            Some(Action::Send { pair, .. }) if done => {
                self.late.push(pair.refresh_token().clone());
            }
            _ => {}
        }
        // The operating system releases the lock of a killed process.
        if self.locked_by == Some(process) {
            self.locked_by = None;
        }
    }

    /// Passes an event to a machine and performs the actions that need no result.
    pub fn notify(&mut self, process: usize, event: Event) -> Result<(), Violation> {
        let now = self.time_of(process);
        for action in self.processes[process].notify(now, event, self.flaw) {
            match action {
                Action::Give { caller, token } => {
                    self.answer(process, caller, Ok(token.clone()));
                    if !self.was_stored.contains(token.expose()) {
                        return Err(Violation::GivenUnstored);
                    }
                    self.server.sees(&token, time(self.now))?;
                    self.processes[process].given = Some(token);
                }
                Action::Fail { error: SessionError::SignIn(reason), .. }
                | Action::StateChanged(SessionState::SignedOut(reason)) => {
                    return Err(Violation::SignedOut(reason));
                }
                Action::Fail { caller, error } => self.answer(process, caller, Err(error)),
                Action::Unlock => self.unlock(process),
                Action::Done { .. } | Action::StateChanged(_) => {}
                action => self.begin(process, action)?,
            }
        }
        Ok(())
    }

    fn answer(
        &mut self,
        process: usize,
        caller: Caller,
        answer: Result<AccessToken, SessionError>,
    ) {
        self.processes[process].callers.retain(|waits| *waits != caller);
        self.answered = Some(answer);
    }

    fn begin(&mut self, process: usize, action: Action) -> Result<(), Violation> {
        if let Action::Send { pair, .. } = &action {
            let is_sending = |other: &Process| matches!(other.pending, Some(Action::Send { .. }));
            if self.space.lock && self.processes.iter().any(is_sending) {
                return Err(Violation::TwoRefreshes);
            }
            let stored = self.stored.as_ref().map(TokenPair::refresh_token);
            if self.space.lock && stored != Some(pair.refresh_token()) {
                return Err(Violation::SentUnstored);
            }
        }
        let process = &mut self.processes[process];
        assert!(process.pending.is_none(), "{:?} and {action:?}", process.pending);
        process.pending = Some(action);
        Ok(())
    }
}

/// The server's clock.
pub fn time(now: Duration) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000).plus(now)
}
