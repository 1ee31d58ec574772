//! The walk over all histories of a space.

use super::act::{Act, Answer, Deed, Gap};
use super::closing::close;
use super::machine::Machine;
use super::spaces::Space;
use super::violation::Violation;
use super::world::World;

/// How much was walked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Histories of any length up to the depth, each judged after its last act.
    pub histories: u64,
    /// Those of the full depth.
    pub of_full_depth: u64,
}

/// A broken promise and the history that shows it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The promise.
    pub violation: Violation,
    /// The acts, the last of which shows it.
    pub history: Vec<Act>,
    /// After these the two holders refreshed in turn, and that shows it.
    pub in_turn: bool,
}

/// Walks every history of `space`, depth first, without memory of states seen before.
///
/// # Errors
/// The first violation.
pub fn search(machine: &Machine, space: &Space) -> Result<Counts, Found> {
    let mut walk = Walk { machine, space, counts: Counts::default(), history: Vec::new() };
    walk.from(&World::new(machine, space))?;
    Ok(walk.counts)
}

struct Walk<'a> {
    machine: &'a Machine,
    space: &'a Space,
    counts: Counts,
    history: Vec<Act>,
}

impl Walk<'_> {
    fn from(&mut self, world: &World) -> Result<(), Found> {
        for act in acts(world, self.space) {
            let mut next = world.clone();
            self.history.push(act);
            let found =
                |violation, in_turn| Found { violation, history: self.history.clone(), in_turn };
            next.act(self.machine, self.space, act).map_err(|violation| found(violation, false))?;
            close(&next, self.machine, self.space).map_err(|violation| found(violation, true))?;
            self.counts.histories += 1;
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

/// What may happen next.
pub fn acts(world: &World, space: &Space) -> Vec<Act> {
    let mut acts = Vec::with_capacity(32);
    let mut add = |gap, deed| acts.push(Act { gap, deed });
    for gap in [Gap::Short, Gap::Long] {
        add(gap, Deed::Refresh(Answer::Arrives));
        add(gap, Deed::Refresh(Answer::Lost));
        add(gap, Deed::Use { delivered: true });
        if space.rotation_off {
            add(gap, Deed::Keep);
        }
        for which in world.duplicates_after(gap.span()) {
            add(gap, Deed::Duplicate(which));
        }
        if space.thief && !world.has_thief() {
            add(gap, Deed::Refresh(Answer::Stolen));
        }
        if world.has_thief() {
            add(gap, Deed::ThiefRefreshes);
            add(gap, Deed::ThiefUses { delivered: true });
        }
    }
    // A use that nobody hears of changes nothing but the time, so one gap will do. Stealing and
    // rolling back take no time: what comes next brings its own.
    add(Gap::Short, Deed::Use { delivered: false });
    if world.has_earlier_access() {
        add(Gap::Short, Deed::UseEarlier);
    }
    if world.has_thief() {
        add(Gap::Short, Deed::ThiefUses { delivered: false });
    } else if space.thief {
        add(Gap::None, Deed::Steal);
    }
    if space.rollback {
        for (to, _) in
            world.known().iter().enumerate().filter(|(_, record)| **record != world.record)
        {
            add(Gap::None, Deed::Rollback { to, clock_steps_back: false });
            if space.clock_steps_back {
                add(Gap::None, Deed::Rollback { to, clock_steps_back: true });
            }
        }
    }
    acts
}
