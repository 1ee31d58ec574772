//! The walk over all schedules of a space.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use regrant::client::Action;

use super::act::{Act, Outcome};
use super::closing::close;
use super::driver::{Flaw, Process};
use super::spaces::Space;
use super::violation::Violation;
use super::world::World;
use crate::model::Gap;

/// How much was walked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Worlds, each seen once.
    pub worlds: u64,
    /// Steps from one to another.
    pub steps: u64,
    /// Worlds in which nothing was under way, each of which was asked for tokens once more.
    pub closings: u64,
}

/// A broken promise and the schedule that shows it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The promise.
    pub violation: Violation,
    /// The acts, the last of which shows it.
    pub schedule: Vec<Act>,
    /// After these all was well again, and yet it showed.
    pub at_the_end: bool,
}

/// Walks every schedule of `space`, depth first.
///
/// # Errors
/// The first violation.
pub fn search(space: &Space, flaw: Flaw) -> Result<Counts, Found> {
    let mut walk = Walk { seen: HashSet::new(), counts: Counts::default(), schedule: Vec::new() };
    let budget = Budget { wants: space.wants, faults: space.faults, gaps: space.gaps };
    walk.from(&World::new(*space, flaw), budget)?;
    Ok(walk.counts)
}

/// What may still happen beside what must.
#[derive(Clone, Copy, Debug, Hash)]
struct Budget {
    wants: u8,
    faults: u8,
    gaps: u8,
}

struct Walk {
    seen: HashSet<u64>,
    counts: Counts,
    schedule: Vec<Act>,
}

impl Walk {
    fn from(&mut self, world: &World, budget: Budget) -> Result<(), Found> {
        if !self.seen.insert(fingerprint(world, budget)) {
            return Ok(());
        }
        self.counts.worlds += 1;
        if world.processes.iter().all(|process| process.is_quiet()) {
            self.counts.closings += 1;
            close(world).map_err(|violation| self.found(violation, true))?;
        }
        let mut goes_on = false;
        for (act, left) in acts(world, budget) {
            goes_on |= matches!(act, Act::Goes(..) | Act::Wake(_));
            self.schedule.push(act);
            let mut next = world.clone();
            next.act(act).map_err(|violation| self.found(violation, false))?;
            self.counts.steps += 1;
            self.from(&next, left)?;
            self.schedule.pop();
        }
        if !goes_on && world.processes.iter().any(|process| !process.callers.is_empty()) {
            return Err(self.found(Violation::Unanswered, false));
        }
        Ok(())
    }

    fn found(&self, violation: Violation, at_the_end: bool) -> Found {
        Found { violation, schedule: self.schedule.clone(), at_the_end }
    }
}

/// What may happen next, and what is left of the budget then.
fn acts(world: &World, budget: Budget) -> Vec<(Act, Budget)> {
    let mut acts = Vec::with_capacity(16);
    let fault = budget.faults.checked_sub(1).map(|faults| Budget { faults, ..budget });
    let gap = budget.gaps.checked_sub(1).map(|gaps| Budget { gaps, ..budget });
    let want = budget.wants.checked_sub(1).map(|wants| Budget { wants, ..budget });
    // Without a lock nothing but its own swiftness keeps others out between the last read of a
    // process and its write.
    let is_writing = |process: &Process| matches!(process.pending, Some(Action::Write { .. }));
    let alone = world.processes.iter().position(is_writing).filter(|_| !world.space.lock);
    for (process, state) in world.processes.iter().enumerate() {
        if alone.is_some_and(|writing| writing != process) {
            continue;
        }
        if let Some(left) = want {
            acts.push((Act::Want(process), left));
            if state.given.is_some() {
                acts.push((Act::Unauthorized(process), left));
            }
        }
        for outcome in world.outcomes(process) {
            let left = if *outcome == Outcome::Well { Some(budget) } else { fault };
            acts.extend(left.map(|left| (Act::Goes(process, *outcome), left)));
        }
        if let Some(at) = world.wake_at(process) {
            let is_stuck = world.outcomes(process).is_empty();
            // To wait for what others do takes time; to wait for oneself is what must happen.
            let left = match at <= world.now || state.pending.is_none() {
                true => Some(budget),
                false => gap.filter(|_| is_stuck),
            };
            acts.extend(left.map(|left| (Act::Wake(process), left)));
        }
        if let Some(left) = fault {
            acts.push((Act::Kill { process, done: false }, left));
            if matches!(state.pending, Some(Action::Write { .. } | Action::Send { .. })) {
                acts.push((Act::Kill { process, done: true }, left));
            }
            if !state.callers.is_empty() {
                acts.push((Act::Cancel(process), left));
            }
        }
    }
    // Without a lock a process that stands still is taken for a thief.
    let is_moving = world.processes.iter().any(|process| process.pending.is_some());
    if let Some(left) = gap.filter(|_| world.space.lock || !is_moving) {
        acts.push((Act::Wait(Gap::Short), left));
        acts.push((Act::Wait(Gap::Long), left));
        acts.push((Act::Expire, left));
    }
    let late = (0..world.late.len()).filter(|which| world.may_arrive(*which));
    acts.extend(late.map(|which| (Act::Arrives(which), budget)));
    acts
}

/// 64 bits: among a million worlds two have the same by chance once in ten million runs.
fn fingerprint(world: &World, budget: Budget) -> u64 {
    let mut hasher = DefaultHasher::new();
    (budget, world.now, &world.server, &world.stored, &world.was_stored).hash(&mut hasher);
    (world.locked_by, &world.processes, &world.late).hash(&mut hasher);
    hasher.finish()
}
