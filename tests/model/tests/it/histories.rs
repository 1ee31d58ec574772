//! Random histories of an honest client: hundreds of steps, whatever is lost, duplicated or
//! rolled back.

use std::time::Duration;

use proptest::prelude::*;
use regrant_model::sessions::{
    Event, Gap, HistoryStep, Machine, SearchSpace, World, next_steps, search_space,
};

/// Picks one of the possible steps, so that a shrunk history is valid. Where `doubled`, a
/// second copy of the last request follows at once wherever it still counts as a duplicate.
fn walk(space: &SearchSpace, choices: &[(u16, bool)], doubled: bool) -> Result<(), TestCaseError> {
    let mut world = World::new(&Machine::REAL, space);
    let mut history = Vec::new();
    for (choice, recent) in choices {
        let mut possible = next_steps(&world, space);
        if *recent {
            // Otherwise most steps would be rollbacks. Most rollbacks are small.
            let last = world.known_records().saturating_sub(3);
            possible.retain(|step| !matches!(step.event, Event::Rollback { to, .. } if to < last));
        }
        let chosen = possible[usize::from(*choice) % possible.len()];
        let again = HistoryStep { gap: Gap::None, event: Event::Duplicate(0) };
        for step in [chosen, again].into_iter().take(if doubled { 2 } else { 1 }) {
            if step == again && world.duplicates_after(Duration::ZERO).next() != Some(0) {
                continue;
            }
            history.push(step);
            world.apply(&Machine::REAL, space, step).map_err(|violation| {
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
    fn an_honest_client_is_never_rejected(choices in choices()) {
        walk(&search_space::ROLLBACK, &choices, false)?;
    }

    #[test]
    fn an_honest_client_is_never_rejected_when_the_clock_steps_back(choices in choices()) {
        walk(&search_space::CLOCK, &choices, false)?;
    }

    #[test]
    fn an_honest_client_is_never_rejected_with_rotation_on_and_off(choices in choices()) {
        walk(&search_space::ROTATION_OFF, &choices, false)?;
    }

    /// One of the invariants checked at every step: one child within the grace.
    #[test]
    fn repeated_requests_change_nothing(choices in choices()) {
        walk(&search_space::ROLLBACK, &choices, true)?;
    }
}
