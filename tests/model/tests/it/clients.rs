//! The search over schedules of clients and their server: see `clients` for the invariants.
//! The search must fail for a driver with a flaw.
//! `REGRANT_DEEPER=1` adds a fault to every schedule and takes minutes.

use std::time::Instant;

use regrant_model::clients::{Counterexample, Flaw, SearchSpace, search, search_space};
use regrant_model::report::report;

fn check(space: &SearchSpace) {
    let deeper = u8::from(std::env::var_os("REGRANT_DEEPER").is_some_and(|value| value == "1"));
    let space = &SearchSpace { faults: space.faults + deeper, ..*space };
    let started = Instant::now();
    match search(space, Flaw::None) {
        Ok(counts) => report(format!(
            "clients: {} worlds, {} steps, {} final phases, {} calls, {} faults, {} spans, {}, {:.1} s",
            counts.worlds,
            counts.steps,
            counts.final_phases,
            space.wants,
            space.faults,
            space.gaps,
            space.name,
            started.elapsed().as_secs_f64()
        )),
        Err(Counterexample { violation, schedule, in_final_phase }) => {
            panic!(
                "{}: {violation:?} after {schedule:?}, in the final phase: {in_final_phase}",
                space.name
            )
        }
    }
}

#[test]
fn concurrent_callers_of_one_process() {
    check(&search_space::CALLERS);
}

#[test]
fn two_processes_over_one_storage() {
    check(&search_space::PROCESSES);
}

#[test]
fn two_processes_with_more_calls() {
    check(&search_space::LONG);
}

#[test]
fn two_processes_with_wrong_clocks() {
    check(&search_space::CLOCKS);
}

#[test]
fn two_processes_without_a_lock_or_without_rotation() {
    check(&search_space::NO_LOCK);
    check(&search_space::NO_ROTATION);
}

#[test]
fn every_flaw_is_detected() {
    let flaws = [
        Flaw::UsesBeforeStoring,
        Flaw::BelievesFailedWrites,
        Flaw::DropsOnCancel,
        Flaw::DoesNotReadAgain,
        Flaw::SignsOutUnanswered,
        Flaw::SignsOutWhenBusy,
        Flaw::SignsOutSuperseded,
        Flaw::TakesUnreadForEmpty,
        Flaw::IgnoresTheLock,
        Flaw::UnlocksTooSoon,
        Flaw::KeepsTheLock,
        Flaw::DoesNotWake,
    ];
    let mut undetected = Vec::new();
    for flaw in flaws {
        // As few faults as show it.
        let all = (0..=3).flat_map(|faults| {
            let enough = search_space::ALL.into_iter().filter(move |space| space.faults >= faults);
            enough.map(move |space| SearchSpace { faults, ..space })
        });
        let found = all.into_iter().find_map(|space| {
            let found = search(&space, flaw).err()?;
            Some((found, space))
        });
        match found {
            Some((Counterexample { violation, schedule, in_final_phase }, space)) => {
                report(format!(
                    "flaw: {flaw:?}: {violation:?} ({}) after {schedule:?}{}",
                    space.name,
                    if in_final_phase { ", in the final phase" } else { "" }
                ))
            }
            None => undetected.push(flaw),
        }
    }
    assert!(undetected.is_empty(), "no schedule detects: {undetected:?}");
}
