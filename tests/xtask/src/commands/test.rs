//! `cargo xtask test`: the tests of all languages.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::setup;
use crate::args::Selection;
use crate::cargo;
use crate::interrupt;
use crate::outcome::{self, Line, Outcome, Stop};
use crate::runner::{self, Ended, Unit};
use crate::stages::{self, Stage};
use crate::tools::Tool;

/// Compiles the selected stages, runs all units, and prints the summary.
pub(crate) fn run(selection: &Selection) -> Result<ExitCode> {
    let strict = selection.strict || is_ci(std::env::var("CI").ok().as_deref());
    let stages = selected(selection);
    install_tools(&stages);
    let started = Instant::now();
    let mut units = Vec::new();
    let mut prepared = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let (number, count, elapsed) = (index + 1, stages.len(), minutes(started.elapsed()));
        println!("\n=== compiling {number} of {count}: {} ({elapsed} elapsed)", stage.name);
        let begun = Instant::now();
        let end = prepare(stage, &Tool::missing_of(stage.needs)).map(|more| units.extend(more));
        if interrupt::requested() {
            return Ok(interrupted());
        }
        if let Err(Stop::Fail(error)) = &end {
            println!("\n!!! {} FAILED: {error:#}", stage.name);
        }
        prepared.push((stage.name, end, begun.elapsed()));
    }
    let (compiled_within, run_started) = (started.elapsed(), Instant::now());
    let ended = runner::run(units)?;
    if interrupt::requested() {
        return Ok(interrupted());
    }
    let line = |(stage, end, took): (_, Result<(), Stop>, _)| {
        Line::of(stage, end.as_ref().map(|&()| ()), took, &ended, strict)
    };
    let lines: Vec<_> = prepared.into_iter().map(line).collect();
    sum_up(&lines, &ended, compiled_within, run_started.elapsed());
    Ok(exit_code(&lines))
}

fn sum_up(lines: &[Line], ended: &[Ended], compiled: Duration, ran: Duration) {
    println!("\n{}", outcome::slowest(ended));
    let (all, compiled, ran) = (minutes(compiled + ran), minutes(compiled), minutes(ran));
    println!("\n{all} in all: {compiled} compiling ({}), {ran} running", cargo::units());
    for line in lines.iter().filter(|line| line.outcome != Outcome::Passed) {
        println!("\n!!! {} {}: {}", line.stage, line.outcome.word(), line.outcome.reason());
    }
    println!("\n{}", outcome::table(lines));
}

fn interrupted() -> ExitCode {
    println!("\ninterrupted");
    ExitCode::from(interrupt::EXIT_CODE)
}

/// Prepares one stage unless one of its tools is missing.
fn prepare(stage: &Stage, missing: &[Tool]) -> Result<Vec<Unit>, Stop> {
    if missing.is_empty() {
        return (stage.prepare)();
    }
    let advice: Vec<_> = missing.iter().map(|tool| tool.advice()).collect();
    Err(Stop::Skip(advice.join("; ")))
}

/// Installs the missing tools of these stages if possible. A failure is reported by the stage that needs the tool.
fn install_tools(stages: &[&Stage]) {
    let mut needed: Vec<_> = stages.iter().flat_map(|stage| stage.needs).copied().collect();
    needed.dedup();
    if let Err(error) = setup::install_missing(&needed) {
        println!("!!! cannot install missing tools: {error:#}");
    }
}

fn selected(selection: &Selection) -> Vec<&'static Stage> {
    let wanted = |stage: &&Stage| {
        selection.only.is_empty() || selection.only.iter().any(|name| name == stage.name)
    };
    stages::ALL.iter().filter(wanted).collect()
}

/// Whether this value of `CI` means a CI run.
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
    fn only_selects_stages_in_their_fixed_order() {
        assert_eq!(names(&["node", "fmt"]), ["fmt", "node"]);
        assert_eq!(names(&[]).len(), stages::ALL.len());
    }

    #[test]
    fn the_ci_variable_is_interpreted() {
        for yes in ["true", "1", "yes"] {
            assert!(is_ci(Some(yes)), "{yes}");
        }
        for no in [None, Some(""), Some("0"), Some("false")] {
            assert!(!is_ci(no), "{no:?}");
        }
    }

    #[test]
    fn a_stage_with_missing_tools_is_skipped() {
        let stage = Stage { name: "x", needs: &[], prepare: || Err(anyhow::anyhow!("ran").into()) };
        let end = prepare(&stage, &[Tool::Chromium]);
        assert!(matches!(end, Err(Stop::Skip(why)) if why == Tool::Chromium.advice()));
        assert!(matches!(prepare(&stage, &[]), Err(Stop::Fail(_))));
    }

    #[test]
    fn one_failure_fails_the_run_and_a_lenient_skip_does_not() {
        let line = |end: Result<(), &Stop>| Line::of("x", end, Duration::ZERO, &[], false);
        let (skip, fail) = (Stop::Skip(String::new()), Stop::Fail(anyhow::anyhow!("broken")));
        let code = |lines: &[Line]| format!("{:?}", exit_code(lines));
        assert_eq!(code(&[line(Ok(())), line(Err(&skip))]), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(&[line(Err(&fail)), line(Err(&skip))]), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(605)), "10:05");
    }
}
