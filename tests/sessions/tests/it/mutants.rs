//! The check is worth something only if it fails when the machine is wrong: broken on purpose,
//! once per rule, it must.

use regrant_session_tests::model::mutants::{LOAD_BEARING, Mutant, REDUNDANT};
use regrant_session_tests::model::{Found, Machine, Space, search, spaces};
use regrant_session_tests::report::report;

/// The shortest history, over all spaces, that shows what is broken.
fn shortest(machine: &Machine, deepest: usize) -> Option<(Found, Space)> {
    (1..=deepest).find_map(|depth| {
        let deep_enough = spaces::ALL.into_iter().filter(|space| space.depth >= depth);
        deep_enough.into_iter().find_map(|space| {
            let found = search(machine, &Space { depth, ..space }).err()?;
            Some((found, space))
        })
    })
}

const fn then(in_turn: bool) -> &'static str {
    if in_turn { ", then both in turn" } else { "" }
}

#[test]
fn every_rule_that_the_promises_need_is_missed() {
    let mut unseen = Vec::new();
    for Mutant { name, machine } in LOAD_BEARING {
        match shortest(machine, 6) {
            Some((Found { violation, history, in_turn }, space)) => {
                report(format!(
                    "mutant: {name}: {violation:?} ({}) after {history:?}{}",
                    space.name,
                    then(in_turn)
                ));
            }
            None => unseen.push(name),
        }
    }
    assert!(unseen.is_empty(), "no history shows what is wrong: {unseen:#?}");
}

/// Were one of them found, it would no longer be true that another rule covers for it.
#[test]
fn a_rule_that_another_one_backs_up_is_not_missed() {
    for Mutant { name, machine } in REDUNDANT {
        if let Some((Found { violation, history, in_turn }, space)) = shortest(machine, 4) {
            panic!("{name}: {violation:?} ({}) after {history:?}{}", space.name, then(in_turn));
        }
        report(format!("mutant: {name}: covered by another rule"));
    }
}
