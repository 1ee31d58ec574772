//! The end of every schedule: without further faults, each process gets a token.

use regrant::client::{SessionError, TransientError};

use super::server::LIFETIME;
use super::step::OperationOutcome;
use super::violation::Violation;
use super::world::World;

/// How often an app calls again after a transient error.
const TRIES: usize = 4;
/// More steps than any call takes.
const STEPS: usize = 40;

/// The processes call in turn, twice, each with an expired access token.
pub fn final_phase(world: &World) -> Result<(), Violation> {
    let mut world = world.clone();
    for process in (0..world.processes.len()).cycle().take(2 * world.processes.len()) {
        world.now += LIFETIME;
        gets_token(&mut world, process)?;
    }
    Ok(())
}

fn gets_token(world: &mut World, process: usize) -> Result<(), Violation> {
    let mut cause: Option<TransientError> = None;
    for _ in 0..TRIES {
        world.answered = None;
        world.wants(process)?;
        for _ in 0..STEPS {
            if world.processes[process].is_quiet() {
                break;
            }
            if !world.outcomes(process).is_empty() {
                world.goes(process, OperationOutcome::Succeeds)?;
            } else if let Some(at) = world.wake_at(process) {
                world.now = world.now.max(at);
                world.notify(process, regrant::client::machine::Event::Tick)?;
            } else {
                return Err(Violation::Unanswered);
            }
        }
        match &world.answered {
            Some(Ok(_)) => return Ok(()),
            Some(Err(SessionError::Retry { cause: reported, retry_after })) => {
                cause = Some(*reported);
                world.now += *retry_after;
            }
            _ => return Err(Violation::Unanswered),
        }
    }
    Err(Violation::NoToken(cause))
}
