//! Long histories of an honest client alone: hundreds of acts, whatever is lost, doubled or
//! rolled back.

use proptest::prelude::*;
use regrant_session_tests::model::{Act, Deed, Machine, Space, World, acts, spaces};

/// Picks one of what may happen, so that a shrunk history stays a history.
fn walk(space: &Space, choices: &[(u16, bool)]) -> Result<Vec<Act>, TestCaseError> {
    let mut world = World::new(&Machine::REAL, space);
    let mut history = Vec::new();
    for (choice, recent) in choices {
        let mut possible = acts(&world, space);
        if *recent {
            // Rollbacks by the dozen would leave little else; and most go back a little only.
            let last = world.known_records().saturating_sub(3);
            possible.retain(|act| !matches!(act.deed, Deed::Rollback { to, .. } if to < last));
        }
        let act = possible[usize::from(*choice) % possible.len()];
        history.push(act);
        world.act(&Machine::REAL, space, act).map_err(|violation| {
            TestCaseError::fail(format!("{violation:?} after {history:#?}"))
        })?;
    }
    Ok(history)
}

fn choices() -> impl Strategy<Value = Vec<(u16, bool)>> {
    prop::collection::vec((any::<u16>(), prop::bool::weighted(0.97)), 100..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_honest_client_is_never_refused(choices in choices()) {
        walk(&spaces::ROLLBACK, &choices)?;
    }

    #[test]
    fn nor_with_a_clock_that_steps_back(choices in choices()) {
        walk(&spaces::CLOCK, &choices)?;
    }

    #[test]
    fn nor_with_rotation_on_and_off(choices in choices()) {
        walk(&spaces::ROTATION_OFF, &choices)?;
    }

    /// Among the promises that are checked at every act: one child within the grace.
    #[test]
    fn repeating_oneself_changes_nothing(choices in choices()) {
        let history = walk(&spaces::HONEST, &choices)?;
        let doubled = history.iter().filter(|act| matches!(act.deed, Deed::Duplicate(_))).count();
        prop_assert!(doubled >= 5, "only {doubled} duplicates among {}", history.len());
    }
}
