//! Mutation tests of the model check: it must fail for a machine with any one rule broken.

use regrant_model::report::report;
use regrant_model::sessions::mutants::{LOAD_BEARING, Mutant, REALM_RULES, REDUNDANT};
use regrant_model::sessions::{Counterexample, Machine, SearchSpace, realms, search, search_space};

/// The shortest history, over all search spaces, that leads to a violation.
fn shortest(machine: &Machine, deepest: usize) -> Option<(Counterexample, SearchSpace)> {
    (1..=deepest).find_map(|depth| {
        let deep_enough = search_space::ALL.into_iter().filter(|space| space.depth >= depth);
        deep_enough.into_iter().find_map(|space| {
            let found = search(machine, &SearchSpace { depth, ..space }).err()?;
            Some((found, space))
        })
    })
}

const fn suffix(in_final_phase: bool) -> &'static str {
    if in_final_phase { ", in the final phase" } else { "" }
}

#[test]
fn every_mutant_that_breaks_a_rule_is_killed() {
    let mut survivors = Vec::new();
    for Mutant { name, machine } in LOAD_BEARING {
        match shortest(machine, 6) {
            Some((Counterexample { violation, history, in_final_phase }, space)) => {
                report(format!(
                    "mutant: {name}: {violation:?} ({}) after {history:?}{}",
                    space.name,
                    suffix(in_final_phase)
                ));
            }
            None => survivors.push(name),
        }
    }
    assert!(survivors.is_empty(), "mutants that survive: {survivors:#?}");
}

#[test]
fn every_broken_rule_of_realms_is_detected() {
    for (name, rules) in REALM_RULES {
        let found = (1..=3).find_map(|depth| realms::search(rules, depth).err());
        let (violation, history) = found.unwrap_or_else(|| panic!("{name}: survives"));
        report(format!("mutant: {name}: {violation:?} after {history:?}"));
    }
}

/// A mutant that is killed is no longer redundant and belongs to the load-bearing ones.
#[test]
fn every_redundant_mutant_survives() {
    for Mutant { name, machine } in REDUNDANT {
        if let Some((Counterexample { violation, history, in_final_phase }, space)) =
            shortest(machine, 4)
        {
            panic!(
                "{name}: {violation:?} ({}) after {history:?}{}",
                space.name,
                suffix(in_final_phase)
            );
        }
        report(format!("mutant: {name}: covered by another rule"));
    }
}
