//! The model check: every history of each space keeps the six promises; see `model` for what they
//! are exactly. `REGRANT_DEEPER=1` adds one act to every history and takes minutes.

use regrant_session_tests::report::report;
use std::time::Instant;

use regrant::session::Theft;
use regrant_session_tests::model::{
    Act, Answer, Deed, Gap, Machine, Space, Violation, World, search, spaces,
};

fn check(space: &Space) {
    let deeper = usize::from(std::env::var_os("REGRANT_DEEPER").is_some_and(|value| value == "1"));
    let space = &Space { depth: space.depth + deeper, ..*space };
    let started = Instant::now();
    match search(&Machine::REAL, space) {
        Ok(counts) => report(format!(
            "model: {} histories ({} of full length), depth {}, {}, {:.1} s",
            counts.histories,
            counts.of_full_depth,
            space.depth,
            space.name,
            started.elapsed().as_secs_f64()
        )),
        Err(found) => panic!("{}: {:?} after {:#?}", space.name, found.violation, found.history),
    }
}

#[test]
fn an_honest_client_alone() {
    for space in [spaces::HONEST, spaces::ROLLBACK, spaces::CLOCK] {
        check(&space);
    }
}

#[test]
fn an_honest_client_alone_with_rotation_off_and_short_lifetimes() {
    for space in [spaces::ROTATION_OFF, spaces::SHORT_LIVED] {
        check(&space);
    }
}

#[test]
fn a_thief() {
    check(&spaces::THIEF);
}

#[test]
fn a_thief_and_a_store_that_rolls_back() {
    check(&spaces::THIEF_ROLLBACK);
}

#[test]
fn a_thief_and_a_store_that_rolls_back_with_rotation_on_and_off() {
    check(&spaces::THIEF_ROTATION_OFF);
}

/// The bound of the first promise is exact: a copy of the last request or of the one before does
/// no harm within the grace, and one of the request before those is taken for theft.
#[test]
fn a_duplicate_of_the_third_last_request_is_one_too_old() {
    let refresh = Act { gap: Gap::Short, deed: Deed::Refresh(Answer::Arrives) };
    let after_three = |which| {
        let mut world = World::new(&Machine::REAL, &spaces::HONEST);
        for _ in 0..3 {
            world.act(&Machine::REAL, &spaces::HONEST, refresh)?;
        }
        let duplicate = Act { gap: Gap::None, deed: Deed::Duplicate(which) };
        world.act(&Machine::REAL, &spaces::HONEST, duplicate)
    };
    assert_eq!(after_three(0), Ok(()));
    assert_eq!(after_three(1), Ok(()));
    assert_eq!(after_three(2), Err(Violation::DuplicateIsTheft(Theft::OlderToken)));
}
