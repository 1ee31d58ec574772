//! The end of every history with a thief: the honest client and the thief cannot both continue.

use regrant::session::Decision;

use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::{Gap, ResponseFate};
use super::violation::Violation;
use super::world::{Who, World};

/// The two clients refresh in turn: each more than the grace of unused children after the other, or more
/// than the grace if uses of the new access tokens are reported. Three refreshes must revoke the session,
/// whichever client begins: one after which their tokens differ, one by the other client, and one that is
/// detected. A renewal of a session that has never rotated does not count.
pub fn final_phase(world: &World, machine: &Machine, space: &SearchSpace) -> Result<(), Violation> {
    if !world.has_thief() || !world.is_live() || space.bound {
        return Ok(());
    }
    let turns = [(Gap::Longer, false, true), (Gap::Long, true, true), (Gap::Longer, false, false)];
    for (gap, is_used, thief_rotates) in turns {
        let has_rotated = world.record.generation > 0 || world.record.child.is_some();
        if !thief_rotates && (has_rotated || !space.rotation_off) {
            continue;
        }
        for mut who in [Who::Honest, Who::Thief] {
            let mut world = world.clone();
            let mut rotations = 0;
            while rotations < 3 && world.is_live() {
                world.now = world.now.plus(gap.span());
                let rotate = thief_rotates || who == Who::Honest;
                let arrives = ResponseFate::Arrives;
                let decision = world.refresh_as(machine, space, who, rotate, arrives)?;
                if is_used {
                    let access = world.client(who).access;
                    world.use_access_token(machine, space, who, access, true)?;
                }
                rotations += u32::from(!matches!(decision, Decision::Renew { .. }));
                who = match who {
                    Who::Honest => Who::Thief,
                    Who::Thief => Who::Honest,
                };
            }
            if world.is_live() && world.now < world.record.idle_deadline {
                return Err(Violation::BothContinue);
            }
        }
    }
    Ok(())
}
