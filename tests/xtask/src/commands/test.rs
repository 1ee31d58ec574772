//! `cargo xtask test`: the tests of all languages.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::setup;
use crate::args::Selection;
use crate::interrupt;
use crate::outcome::{Outcome, Stop};
use crate::secrets;
use crate::stages::{self, Stage};
use crate::summary::{self, Line};
use crate::tools::Tool;

/// Runs the stages selected, all of them to the end, and sums up.
pub(crate) fn run(selection: &Selection) -> Result<ExitCode> {
    let strict = selection.strict || is_ci(std::env::var("CI").ok().as_deref());
    let stages = selected(selection);
    prepare(&stages);
    let started = Instant::now();
    let mut lines = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let (number, count, elapsed) = (index + 1, stages.len(), minutes(started.elapsed()));
        println!("\n=== stage {number} of {count}: {} ({elapsed} elapsed)", stage.name);
        let stage_started = Instant::now();
        let end = run_one(stage, Tool::missing_of(stage.needs));
        if interrupt::requested() {
            println!("\ninterrupted");
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        let outcome = Outcome::of(end.and(nothing_secret_was_printed()), strict);
        if outcome != Outcome::Passed {
            println!("\n!!! {} {}: {}", stage.name, outcome.word(), outcome.reason());
        }
        lines.push(Line { stage: stage.name, outcome, took: stage_started.elapsed() });
    }
    println!("\n{} in all", minutes(started.elapsed()));
    println!("{}", summary::table(&lines));
    Ok(exit_code(&lines))
}

/// Runs one stage, unless something that it needs is missing.
fn run_one(stage: &Stage, missing: Vec<Tool>) -> Result<(), Stop> {
    if missing.is_empty() {
        return (stage.run)();
    }
    let advice: Vec<_> = missing.into_iter().map(Tool::advice).collect();
    Err(Stop::Skip(advice.join("; ")))
}

/// A stage that passed, and whose output had a secret in it, has failed.
fn nothing_secret_was_printed() -> Result<(), Stop> {
    let found = secrets::found();
    match found.first() {
        None => Ok(()),
        Some(first) => Err(anyhow::anyhow!("{} lines: {first}", found.len()).into()),
    }
}

/// Installs what these stages need, as far as that can be done. What cannot is not an error here:
/// the stage that needs it will say so.
fn prepare(stages: &[&Stage]) {
    let mut needed: Vec<_> = stages.iter().flat_map(|stage| stage.needs).copied().collect();
    needed.dedup();
    if let Err(error) = setup::install_missing(&needed) {
        println!("!!! could not install what is missing: {error:#}");
    }
}

fn selected(selection: &Selection) -> Vec<&'static Stage> {
    let wanted = |stage: &&Stage| {
        selection.only.is_empty() || selection.only.iter().any(|name| name == stage.name)
    };
    stages::ALL.iter().filter(wanted).collect()
}

/// Whether the value of `CI` says that this is an automatic run.
fn is_ci(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(value, "" | "0" | "false"))
}

fn exit_code(lines: &[Line]) -> ExitCode {
    let failed = lines.iter().any(|line| matches!(line.outcome, Outcome::Failed(_)));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only = only.iter().map(|&name| name.to_owned()).collect();
        selected(&Selection { strict: false, only }).iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn only_what_was_asked_for_is_selected_and_in_order() {
        assert_eq!(names(&["node", "fmt"]), ["fmt", "node"]);
        assert_eq!(names(&[]).len(), stages::ALL.len());
    }

    #[test]
    fn ci_is_what_automatic_runs_set() {
        for yes in ["true", "1", "yes"] {
            assert!(is_ci(Some(yes)), "{yes}");
        }
        for no in [None, Some(""), Some("0"), Some("false")] {
            assert!(!is_ci(no), "{no:?}");
        }
    }

    #[test]
    fn a_stage_without_its_tools_does_not_run() {
        let stage = Stage { name: "x", needs: &[], run: || Err(anyhow::anyhow!("ran").into()) };
        let end = run_one(&stage, vec![Tool::Chromium]);
        assert!(matches!(end, Err(Stop::Skip(why)) if why == Tool::Chromium.advice()));
        assert!(matches!(run_one(&stage, vec![]), Err(Stop::Fail(_))));
    }

    #[test]
    fn one_failure_fails_the_run_and_a_lenient_skip_does_not() {
        let line = |outcome| Line { stage: "x", outcome, took: Duration::ZERO };
        let skipped = || line(Outcome::Skipped(String::new()));
        let failed = || line(Outcome::Failed(String::new()));
        let code = |lines: &[Line]| format!("{:?}", exit_code(lines));
        assert_eq!(code(&[line(Outcome::Passed), skipped()]), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(&[failed(), skipped()]), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(605)), "10:05");
    }
}
