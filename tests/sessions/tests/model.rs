//! The model check: every history of each space keeps the six promises; see `model` for what they
//! are exactly.

use std::time::Instant;

use regrant_session_tests::model::{Machine, Space, search, spaces};

fn check(space: &Space) {
    let started = Instant::now();
    match search(&Machine::REAL, space) {
        Ok(counts) => println!(
            "model: {} histories ({} of full length), depth {}, {}, {:.1} s",
            counts.histories,
            counts.of_full_depth,
            space.depth,
            space.name,
            started.elapsed().as_secs_f64()
        ),
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
