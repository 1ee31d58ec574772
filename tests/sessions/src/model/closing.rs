//! The end of every history with a thief: may both go on?

use super::act::{Answer, Gap};
use super::machine::Machine;
use super::spaces::Space;
use super::violation::Violation;
use super::world::{Who, World};

/// From wherever the history left them, the two holders refresh in turn, each more than the
/// grace after the other. Three acts must do, whoever begins: one to part if they share a token,
/// one by the other, and the next that reveals it.
pub fn close(world: &World, machine: &Machine, space: &Space) -> Result<(), Violation> {
    if !world.has_thief() || !world.is_live() {
        return Ok(());
    }
    for order in [[Who::Honest, Who::Thief, Who::Honest], [Who::Thief, Who::Honest, Who::Thief]] {
        let mut world = world.clone();
        for who in order {
            world.now = world.now.plus(Gap::Long.span());
            world.refreshes(machine, space, who, true, Answer::Arrives)?;
        }
        if world.is_live() && world.now < world.record.idle_deadline {
            return Err(Violation::BothContinue);
        }
    }
    Ok(())
}
