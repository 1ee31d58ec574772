//! The exhaustive search over the schedules of a search space.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use regrant::client::machine::Action;

use super::driver::{Flaw, Process};
use super::final_phase::final_phase;
use super::search_space::SearchSpace;
use super::step::{OperationOutcome, ScheduleStep};
use super::violation::Violation;
use super::world::World;
use crate::sessions::Gap;

/// The size of a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// States, each visited once.
    pub worlds: u64,
    /// Steps between states.
    pub steps: u64,
    /// States with nothing in flight; the final phase was run from each.
    pub final_phases: u64,
}

/// A violation and the schedule that leads to it.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The violation.
    pub violation: Violation,
    /// The steps up to the violation.
    pub schedule: Vec<ScheduleStep>,
    /// Whether the violation came in the final phase, after these steps.
    pub in_final_phase: bool,
}

/// Visits every schedule of `space`, depth first.
///
/// # Errors
/// The first violation.
pub fn search(space: &SearchSpace, flaw: Flaw) -> Result<Counts, Counterexample> {
    let mut walk = Walk { seen: HashSet::new(), counts: Counts::default(), schedule: Vec::new() };
    let budget = Budget { wants: space.wants, faults: space.faults, gaps: space.gaps };
    walk.from(&World::new(*space, flaw), budget)?;
    Ok(walk.counts)
}

/// The remaining budget of the search space.
#[derive(Clone, Copy, Debug, Hash)]
struct Budget {
    wants: u8,
    faults: u8,
    gaps: u8,
}

struct Walk {
    seen: HashSet<u64>,
    counts: Counts,
    schedule: Vec<ScheduleStep>,
}

impl Walk {
    fn from(&mut self, world: &World, budget: Budget) -> Result<(), Counterexample> {
        if !self.seen.insert(fingerprint(world, budget)) {
            return Ok(());
        }
        self.counts.worlds += 1;
        if world.processes.iter().all(|process| process.is_quiet()) {
            self.counts.final_phases += 1;
            final_phase(world).map_err(|violation| self.counterexample(violation, true))?;
        }
        let mut goes_on = false;
        for (step, left) in next_steps(world, budget) {
            goes_on |= matches!(step, ScheduleStep::Goes(..) | ScheduleStep::Wake(_));
            self.schedule.push(step);
            let mut next = world.clone();
            next.apply(step).map_err(|violation| self.counterexample(violation, false))?;
            self.counts.steps += 1;
            self.from(&next, left)?;
            self.schedule.pop();
        }
        if !goes_on && world.processes.iter().any(|process| !process.callers.is_empty()) {
            return Err(self.counterexample(Violation::Unanswered, false));
        }
        Ok(())
    }

    fn counterexample(&self, violation: Violation, in_final_phase: bool) -> Counterexample {
        Counterexample { violation, schedule: self.schedule.clone(), in_final_phase }
    }
}

/// The steps that are possible next, each with the budget left after it.
fn next_steps(world: &World, budget: Budget) -> Vec<(ScheduleStep, Budget)> {
    let mut steps = Vec::with_capacity(16);
    let fault = budget.faults.checked_sub(1).map(|faults| Budget { faults, ..budget });
    let gap = budget.gaps.checked_sub(1).map(|gaps| Budget { gaps, ..budget });
    let want = budget.wants.checked_sub(1).map(|wants| Budget { wants, ..budget });
    // Without a lock a process is only safe while no other one runs between its last read and its
    // write.
    let is_writing = |process: &Process| matches!(process.pending, Some(Action::Write { .. }));
    let alone = world.processes.iter().position(is_writing).filter(|_| !world.space.lock);
    for (process, state) in world.processes.iter().enumerate() {
        if alone.is_some_and(|writing| writing != process) {
            continue;
        }
        if let Some(left) = want {
            steps.push((ScheduleStep::Want(process), left));
            if state.given.is_some() {
                steps.push((ScheduleStep::Unauthorized(process), left));
            }
        }
        for outcome in world.outcomes(process) {
            let left = if *outcome == OperationOutcome::Succeeds { Some(budget) } else { fault };
            steps.extend(left.map(|left| (ScheduleStep::Goes(process, *outcome), left)));
        }
        if let Some(at) = world.wake_at(process) {
            let is_stuck = world.outcomes(process).is_empty();
            // Waiting for another process takes from the budget; waiting for itself does not.
            let left = match at <= world.now || state.pending.is_none() {
                true => Some(budget),
                false => gap.filter(|_| is_stuck),
            };
            steps.extend(left.map(|left| (ScheduleStep::Wake(process), left)));
        }
        if let Some(left) = fault {
            steps.push((ScheduleStep::Kill { process, done: false }, left));
            if matches!(state.pending, Some(Action::Write { .. } | Action::Send { .. })) {
                steps.push((ScheduleStep::Kill { process, done: true }, left));
            }
            if !state.callers.is_empty() {
                steps.push((ScheduleStep::Cancel(process), left));
            }
        }
    }
    // Without a lock a process that is paused in a refresh counts as a thief.
    let is_moving = world.processes.iter().any(|process| process.pending.is_some());
    if let Some(left) = gap.filter(|_| world.space.lock || !is_moving) {
        steps.push((ScheduleStep::Wait(Gap::Short), left));
        steps.push((ScheduleStep::Wait(Gap::Long), left));
        steps.push((ScheduleStep::Wait(Gap::Longer), left));
        steps.push((ScheduleStep::Expire, left));
    }
    let late = (0..world.late.len()).filter(|which| world.may_arrive(*which));
    steps.extend(late.map(|which| (ScheduleStep::Arrives(which), budget)));
    steps
}

/// 64 bits: among a million states, two collide once in some ten million runs.
fn fingerprint(world: &World, budget: Budget) -> u64 {
    let mut hasher = DefaultHasher::new();
    (budget, world.now, &world.server, &world.stored, &world.was_stored).hash(&mut hasher);
    (world.locked_by, &world.processes, &world.late).hash(&mut hasher);
    hasher.finish()
}
