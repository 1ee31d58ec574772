//! The model checks: every history of each search space satisfies the invariants, which `sessions`
//! and `sessions::realms` define. `REGRANT_DEEPER=1` adds one step to every history and takes minutes.

use regrant_model::report::report;
use std::time::Instant;

use regrant::session::ReuseEvidence;
use regrant_model::sessions::realms::{self, RealmRules};
use regrant_model::sessions::{
    Event, GRACE, Gap, HistoryStep, Machine, ResponseFate, SearchSpace, SharedChildren,
    UNUSED_GRACE, Violation, World, search, search_space,
};

fn deeper() -> usize {
    usize::from(std::env::var_os("REGRANT_DEEPER").is_some_and(|value| value == "1"))
}

fn check(space: &SearchSpace) {
    let space = &SearchSpace { depth: space.depth + deeper(), ..*space };
    let started = Instant::now();
    match search(&Machine::REAL, space) {
        Ok(counts) => {
            report(format!(
                "model: {} histories ({} of full length), depth {}, {}, {:.1} s",
                counts.histories,
                counts.of_full_depth,
                space.depth,
                space.name,
                started.elapsed().as_secs_f64()
            ));
            if space.bound {
                assert_eq!(counts.shared, SharedChildren::default());
            } else if space.thief {
                report(gain_of_a_thief(&counts.shared));
            }
        }
        Err(found) => panic!("{}: {:?} after {:#?}", space.name, found.violation, found.history),
    }
}

/// A thief shares what the owner asks for: the owner's child, up to the longer grace while nobody has
/// used it, and up to the grace after its first use.
fn gain_of_a_thief(shared: &SharedChildren) -> String {
    assert_eq!((shared.unused, shared.used), (UNUSED_GRACE, GRACE));
    format!(
        "model: a thief shares a child up to {} ms after its issue while it is unused, and up to {} ms after its first use",
        shared.unused.as_millis(),
        shared.used.as_millis()
    )
}

#[test]
fn an_honest_client_stays_signed_in() {
    for space in [search_space::HONEST, search_space::ROLLBACK, search_space::CLOCK] {
        check(&space);
    }
}

#[test]
fn an_honest_client_stays_signed_in_with_rotation_off_and_short_lifetimes() {
    for space in
        [search_space::ROTATION_OFF, search_space::CLOCK_ROTATION_OFF, search_space::SHORT_LIVED]
    {
        check(&space);
    }
}

#[test]
fn a_thief_is_detected() {
    check(&search_space::THIEF);
}

#[test]
fn a_thief_is_detected_when_the_store_rolls_back() {
    check(&search_space::THIEF_ROLLBACK);
}

#[test]
fn a_thief_is_detected_with_rotation_on_and_off() {
    check(&search_space::THIEF_ROTATION_OFF);
}

#[test]
fn a_thief_without_the_key_gets_nothing_and_ends_no_session() {
    check(&search_space::THIEF_WITHOUT_KEY);
}

#[test]
fn a_realm_means_nothing_in_another_and_previous_realms_go_on() {
    let (depth, started) = (3 + deeper(), Instant::now());
    match realms::search(&RealmRules::REAL, depth) {
        Ok(histories) => report(format!(
            "model: {histories} histories, depth {depth}, realms, {:.1} s",
            started.elapsed().as_secs_f64()
        )),
        Err((violation, history)) => panic!("{violation:?} after {history:#?}"),
    }
}

/// The bound of the first invariant is exact: a copy of one of the last two requests is harmless
/// within the grace, and a copy of an earlier request is treated as theft.
#[test]
fn a_duplicate_of_the_third_last_request_counts_as_theft() {
    let refresh = HistoryStep { gap: Gap::Short, event: Event::Refresh(ResponseFate::Arrives) };
    let after_three = |which| {
        let mut world = World::new(&Machine::REAL, &search_space::HONEST);
        for _ in 0..3 {
            world.apply(&Machine::REAL, &search_space::HONEST, refresh)?;
        }
        let duplicate = HistoryStep { gap: Gap::None, event: Event::Duplicate(which) };
        world.apply(&Machine::REAL, &search_space::HONEST, duplicate)
    };
    assert_eq!(after_three(0), Ok(()));
    assert_eq!(after_three(1), Ok(()));
    assert_eq!(after_three(2), Err(Violation::DuplicateIsTheft(ReuseEvidence::OlderToken)));
}

/// A copy of a request that was answered at the end of the grace of unused children does not discard the child that
/// its client has got.
#[test]
fn a_copy_of_a_late_retry_leaves_its_client_signed_in() {
    let (space, refresh) = (&search_space::HONEST, Event::Refresh(ResponseFate::Arrives));
    let mut world = World::new(&Machine::REAL, space);
    let wait = HistoryStep { gap: Gap::Long, event: Event::Use { delivered: false } };
    for step in [
        HistoryStep { gap: Gap::Short, event: Event::Refresh(ResponseFate::Lost) },
        wait,
        // At the very end.
        HistoryStep { gap: Gap::Long, event: refresh },
        HistoryStep { gap: Gap::Short, event: Event::Duplicate(0) },
        HistoryStep { gap: Gap::Longer, event: refresh },
    ] {
        assert_eq!(world.apply(&Machine::REAL, space, step), Ok(()), "{step:?}");
    }
}

/// After a failover to a clock that is behind, a child from before is young again and given again. A copy of an
/// earlier request, which was answered with another child, does not discard it.
#[test]
fn a_copy_is_harmless_after_a_failover_to_a_clock_that_is_behind() {
    let space = &search_space::CLOCK;
    let refresh = |gap, fate| HistoryStep { gap, event: Event::Refresh(fate) };
    let failover = Event::Rollback { to: 1, clock_steps_back: true };
    let mut world = World::new(&Machine::REAL, space);
    for step in [
        refresh(Gap::Short, ResponseFate::Lost),
        HistoryStep { gap: Gap::Longer, event: Event::Use { delivered: false } },
        HistoryStep { gap: Gap::Longer, event: Event::Use { delivered: false } },
        // Discards the first child.
        refresh(Gap::Short, ResponseFate::Lost),
        HistoryStep { gap: Gap::None, event: failover },
        // Gets the first child again, at the end of its grace.
        refresh(Gap::None, ResponseFate::Arrives),
        HistoryStep { gap: Gap::Short, event: Event::Duplicate(1) },
        refresh(Gap::Longer, ResponseFate::Arrives),
    ] {
        assert_eq!(world.apply(&Machine::REAL, space, step), Ok(()), "{step:?}");
    }
}
