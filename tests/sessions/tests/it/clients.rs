//! The search over schedules of clients and their server: see `clients` for what is promised.
//! The search is worth something only if it fails when something is wrong: broken on purpose, it
//! must. `REGRANT_DEEPER=1` adds a fault to every schedule and takes minutes.

use std::time::Instant;

use regrant_session_tests::clients::{Flaw, Found, Space, search, spaces};
use regrant_session_tests::report::report;

fn check(space: &Space) {
    let deeper = u8::from(std::env::var_os("REGRANT_DEEPER").is_some_and(|value| value == "1"));
    let space = &Space { faults: space.faults + deeper, ..*space };
    let started = Instant::now();
    match search(space, Flaw::None) {
        Ok(counts) => report(format!(
            "clients: {} worlds, {} steps, {} closings, {} calls, {} faults, {} spans, {}, {:.1} s",
            counts.worlds,
            counts.steps,
            counts.closings,
            space.wants,
            space.faults,
            space.gaps,
            space.name,
            started.elapsed().as_secs_f64()
        )),
        Err(Found { violation, schedule, at_the_end }) => {
            panic!("{}: {violation:?} after {schedule:?}, at the end: {at_the_end}", space.name)
        }
    }
}

#[test]
fn concurrent_callers_of_one_process() {
    check(&spaces::CALLERS);
}

#[test]
fn two_processes_over_one_storage() {
    check(&spaces::PROCESSES);
}

#[test]
fn two_processes_with_more_calls() {
    check(&spaces::LONG);
}

#[test]
fn two_processes_with_wrong_clocks() {
    check(&spaces::CLOCKS);
}

#[test]
fn two_processes_without_a_lock_or_without_rotation() {
    check(&spaces::NO_LOCK);
    check(&spaces::NO_ROTATION);
}

#[test]
fn every_flaw_is_found() {
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
    let mut unseen = Vec::new();
    for flaw in flaws {
        // As few faults as show it.
        let all = (0..=3).flat_map(|faults| {
            let enough = spaces::ALL.into_iter().filter(move |space| space.faults >= faults);
            enough.map(move |space| Space { faults, ..space })
        });
        let found = all.into_iter().find_map(|space| {
            let found = search(&space, flaw).err()?;
            Some((found, space))
        });
        match found {
            Some((Found { violation, schedule, at_the_end }, space)) => report(format!(
                "flaw: {flaw:?}: {violation:?} ({}) after {schedule:?}{}",
                space.name,
                if at_the_end { ", then all is well" } else { "" }
            )),
            None => unseen.push(flaw),
        }
    }
    assert!(unseen.is_empty(), "no schedule shows what is wrong: {unseen:?}");
}
