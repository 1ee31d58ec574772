//! The tests that `docs/checklist.md` names exist.

use std::path::Path;

/// The links of a page: text and target.
fn links(page: &str) -> Vec<(&str, &str)> {
    let mut rest = page;
    let mut found = Vec::new();
    while let Some((before, after)) = rest.split_once("](") {
        let shown = before.rsplit_once('[').unwrap().1;
        let (target, next) = after.split_once(')').unwrap();
        found.push((shown, target));
        rest = next;
    }
    found
}

#[test]
fn every_test_named_in_the_checklist_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = std::fs::read_to_string(folder.join("checklist.md")).unwrap();
    let links = links(&page);
    let mut missing = Vec::new();
    for (shown, target) in &links {
        let Ok(text) = std::fs::read_to_string(folder.join(target)) else {
            missing.push(format!("{target} does not exist"));
            continue;
        };
        let there = match Path::new(target).extension().unwrap().to_str().unwrap() {
            "rs" => is_test(&text, shown),
            "mjs" => text.contains(&format!("{shown}`")) || text.contains(&format!("{shown}'")),
            "json" => target.ends_with(&format!("/{shown}.json")) && text.contains("\"cases\": ["),
            _ => true,
        };
        if !there {
            missing.push(format!("{shown} in {target}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(links.len() > 80, "only {} links were found", links.len());
}

/// Whether a function of this name has an attribute `test` or is inside `proptest!`.
fn is_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let attributes = before.rsplit_once("\n\n").map_or(before, |(_, near)| near);
    attributes.contains("test]") || attributes.contains("test(") || text.contains("proptest! {")
}

/// A row without a test has an empty cell; few rows may be untested.
#[test]
fn nearly_every_rule_has_a_test() {
    let page = include_str!("../../docs/checklist.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let heads = ["| §", "| rule "];
    let rules = rows.iter().filter(|row| !heads.iter().any(|head| row.starts_with(head)));
    let untested: Vec<_> = rules.filter(|row| !row.contains("](")).collect();
    assert!(untested.len() <= 2, "{untested:#?}");
}
