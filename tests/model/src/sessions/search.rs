//! The exhaustive search over the histories of a search space.

use super::final_phase::final_phase;
use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::{Event, Gap, HistoryStep, ResponseFate};
use super::violation::Violation;
use super::world::{SharedChildren, World};

/// The size of a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Histories of any length up to the depth, each checked after its last step.
    pub histories: u64,
    /// Histories of the full depth.
    pub of_full_depth: u64,
    /// What a thief gains by the two graces.
    pub shared: SharedChildren,
}

/// A violation and the history that leads to it.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The violation.
    pub violation: Violation,
    /// The steps up to the violation.
    pub history: Vec<HistoryStep>,
    /// Whether the violation came in the final phase, after these steps.
    pub in_final_phase: bool,
}

/// Visits every history of `space`, depth first, without a memory of visited states.
///
/// # Errors
/// The first violation.
pub fn search(machine: &Machine, space: &SearchSpace) -> Result<Counts, Counterexample> {
    let mut walk = Walk { machine, space, counts: Counts::default(), history: Vec::new() };
    walk.from(&World::new(machine, space))?;
    Ok(walk.counts)
}

struct Walk<'a> {
    machine: &'a Machine,
    space: &'a SearchSpace,
    counts: Counts,
    history: Vec<HistoryStep>,
}

impl Walk<'_> {
    fn from(&mut self, world: &World) -> Result<(), Counterexample> {
        for step in next_steps(world, self.space) {
            let mut next = world.clone();
            self.history.push(step);
            let counterexample = |violation, in_final_phase| Counterexample {
                violation,
                history: self.history.clone(),
                in_final_phase,
            };
            next.apply(self.machine, self.space, step)
                .map_err(|violation| counterexample(violation, false))?;
            final_phase(&next, self.machine, self.space)
                .map_err(|violation| counterexample(violation, true))?;
            self.counts.histories += 1;
            self.counts.shared.merge(&next.shared);
            if self.history.len() < self.space.depth {
                self.from(&next)?;
            } else {
                self.counts.of_full_depth += 1;
            }
            self.history.pop();
        }
        Ok(())
    }
}

/// The steps that are possible next.
pub fn next_steps(world: &World, space: &SearchSpace) -> Vec<HistoryStep> {
    let mut steps = Vec::with_capacity(32);
    let mut add = |gap, event| steps.push(HistoryStep { gap, event });
    for gap in [Gap::Short, Gap::Long] {
        add(gap, Event::Refresh(ResponseFate::Arrives));
        add(gap, Event::Refresh(ResponseFate::Lost));
        add(gap, Event::Use { delivered: true });
        if space.rotation_off {
            add(gap, Event::Renew);
        }
        for which in world.duplicates_after(gap.span()) {
            add(gap, Event::Duplicate(which));
        }
        if space.thief && !world.has_thief() {
            add(gap, Event::Refresh(ResponseFate::Stolen));
        }
        if world.has_thief() {
            add(gap, Event::ThiefRefreshes);
            add(gap, Event::ThiefUses { delivered: true });
        }
        if !space.thief && world.may_land_after(gap.span()) {
            add(gap, Event::Lands);
        }
    }
    // Only refreshes distinguish a child that is older than the grace of unused ones. With a thief, one
    // gap is enough for what takes no part in the theft.
    add(Gap::Longer, Event::Refresh(ResponseFate::Arrives));
    if !space.thief {
        add(Gap::Longer, Event::Refresh(ResponseFate::Lost));
    } else if world.may_land_after(Gap::Short.span()) {
        add(Gap::Short, Event::Lands);
    }
    if world.has_thief() {
        add(Gap::Longer, Event::ThiefRefreshes);
        if space.rotation_off {
            add(Gap::Long, Event::ThiefRenews);
        }
        if space.bound {
            add(Gap::Short, Event::ThiefLogsOut);
        }
    }
    // An unreported use changes nothing but the time, so one gap is enough. Stealing and rolling
    // back take no time: the next step has its own gap.
    add(Gap::Short, Event::Use { delivered: false });
    if world.has_earlier_access() {
        add(Gap::Short, Event::UseEarlier);
    }
    if world.has_thief() {
        add(Gap::Short, Event::ThiefUses { delivered: false });
    } else if space.thief {
        add(Gap::None, Event::Steal);
    }
    if space.rollback {
        for (to, _) in
            world.known().iter().enumerate().filter(|(_, record)| **record != world.record)
        {
            add(Gap::None, Event::Rollback { to, clock_steps_back: false });
            if space.clock_steps_back {
                add(Gap::None, Event::Rollback { to, clock_steps_back: true });
            }
        }
    }
    steps
}
