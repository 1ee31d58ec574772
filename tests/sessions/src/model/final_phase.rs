//! The end of every history with a thief: the honest client and the thief cannot both continue.

use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::{Gap, ResponseFate};
use super::violation::Violation;
use super::world::{Who, World};

/// The two clients refresh in turn, each more than the grace after the other. Three refreshes must
/// revoke the session, whichever client begins: one after which their tokens differ, one by the other client,
/// and one that is detected.
pub fn final_phase(world: &World, machine: &Machine, space: &SearchSpace) -> Result<(), Violation> {
    if !world.has_thief() || !world.is_live() {
        return Ok(());
    }
    for order in [[Who::Honest, Who::Thief, Who::Honest], [Who::Thief, Who::Honest, Who::Thief]] {
        let mut world = world.clone();
        for who in order {
            world.now = world.now.plus(Gap::Long.span());
            world.refresh_as(machine, space, who, true, ResponseFate::Arrives)?;
        }
        if world.is_live() && world.now < world.record.idle_deadline {
            return Err(Violation::BothContinue);
        }
    }
    Ok(())
}
