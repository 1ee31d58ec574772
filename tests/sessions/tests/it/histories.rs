//! Long histories of an honest client alone: hundreds of acts, whatever is lost, doubled or
//! rolled back.

use std::time::Duration;

use proptest::prelude::*;
use regrant_session_tests::model::{Act, Deed, Gap, Machine, Space, World, acts, spaces};

/// Picks one of what may happen, so that a shrunk history stays a history. Where `doubled`, a
/// second copy of the last request follows at once wherever it still counts as a duplicate.
fn walk(space: &Space, choices: &[(u16, bool)], doubled: bool) -> Result<(), TestCaseError> {
    let mut world = World::new(&Machine::REAL, space);
    let mut history = Vec::new();
    for (choice, recent) in choices {
        let mut possible = acts(&world, space);
        if *recent {
            // Rollbacks by the dozen would leave little else; and most go back a little only.
            let last = world.known_records().saturating_sub(3);
            possible.retain(|act| !matches!(act.deed, Deed::Rollback { to, .. } if to < last));
        }
        let chosen = possible[usize::from(*choice) % possible.len()];
        let again = Act { gap: Gap::None, deed: Deed::Duplicate(0) };
        for act in [chosen, again].into_iter().take(if doubled { 2 } else { 1 }) {
            if act == again && world.duplicates_after(Duration::ZERO).next() != Some(0) {
                continue;
            }
            history.push(act);
            world.act(&Machine::REAL, space, act).map_err(|violation| {
                TestCaseError::fail(format!("{violation:?} after {history:#?}"))
            })?;
        }
    }
    Ok(())
}

fn choices() -> impl Strategy<Value = Vec<(u16, bool)>> {
    prop::collection::vec((any::<u16>(), prop::bool::weighted(0.97)), 100..400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn an_honest_client_is_never_refused(choices in choices()) {
        walk(&spaces::ROLLBACK, &choices, false)?;
    }

    #[test]
    fn nor_with_a_clock_that_steps_back(choices in choices()) {
        walk(&spaces::CLOCK, &choices, false)?;
    }

    #[test]
    fn nor_with_rotation_on_and_off(choices in choices()) {
        walk(&spaces::ROTATION_OFF, &choices, false)?;
    }

    /// Among the promises that are checked at every act: one child within the grace.
    #[test]
    fn repeating_oneself_changes_nothing(choices in choices()) {
        walk(&spaces::ROLLBACK, &choices, true)?;
    }
}
