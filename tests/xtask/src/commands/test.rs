//! `cargo xtask test`: the tests of all languages. Compiles one stage after the other, runs in parallel what is compiled,
//! and sums up.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail, ensure};

use crate::Selection;
use crate::interrupt;
use crate::process::Skip;
use crate::runner::{self, Ended, Queue, Unit};
use crate::scratch;
use crate::stages::{self, Stage};
use crate::tools;

/// How many of the slowest units and tests are printed.
const SLOWEST: usize = 8;

/// Compiles the selected stages, runs all units, and prints the summary.
///
/// # Errors
/// A stage fails, or is skipped with `--strict` or `CI=true`.
pub(crate) fn run(selection: &Selection) -> Result<()> {
    let strict = selection.strict || is_ci(std::env::var("CI").ok().as_deref());
    let stages = selected(&selection.only);
    let needed: Vec<_> = stages.iter().flat_map(|stage| stage.needs).copied().collect();
    if let Err(error) = tools::install_missing(&needed) {
        // The stage that needs the tool is skipped.
        println!("!!! cannot install missing tools: {error:#}");
    }
    // Removed at the end.
    let _scratch = scratch::choose()?;
    let started = Instant::now();
    let (compiled, ended) = runner::run(|queue| compile(&stages, strict, started, queue))?;
    let Compiled { mut results, took: compiled } = compiled;
    ensure!(!interrupt::requested(), "interrupted");
    for result in &mut results {
        let stage = result.stage;
        let units = ended.iter().filter(|unit| unit.stage == stage);
        units.for_each(|unit| result.add(unit, strict));
    }

    println!("\n{}", slowest(&ended));
    let all = started.elapsed();
    let (compile, run) = (minutes(compiled), minutes(all.saturating_sub(compiled)));
    println!("\n{} in all: {compile} until all was compiled, {run} after it", minutes(all));
    for result in results.iter().filter(|result| result.word() != "passed") {
        println!("\n!!! {} {}: {}", result.stage, result.word(), result.reason());
        print!("{}", result.excerpts);
    }
    println!("\n{}", table(&results));
    let failed = results.iter().filter(|result| !result.failures.is_empty()).count();
    ensure!(failed == 0, "{failed} of {} stages failed", results.len());
    Ok(())
}

/// What compiling the stages came to.
struct Compiled {
    results: Vec<StageResult>,
    took: Duration,
}

/// Compiles the stages and adds their units to the queue, which runs them at once.
fn compile(stages: &[Stage], strict: bool, started: Instant, queue: &Queue) -> Result<Compiled> {
    let mut results = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let (number, count, elapsed) = (index + 1, stages.len(), minutes(started.elapsed()));
        println!("\n=== compiling {number} of {count}: {} ({elapsed} elapsed)", stage.name);
        let begun = Instant::now();
        let mut result = StageResult { stage: stage.name, ..StageResult::default() };
        match prepare(stage) {
            Ok(units) => queue.add(units),
            Err(_) if interrupt::requested() => bail!("interrupted"),
            Err(error) => {
                if !error.is::<Skip>() {
                    println!("\n!!! {} FAILED: {error:#}", stage.name);
                }
                result.did_not_pass("", &error, strict);
            }
        }
        result.compile = begun.elapsed();
        results.push(result);
    }
    Ok(Compiled { results, took: started.elapsed() })
}

/// The stages with these names, or all, in their fixed order.
fn selected(only: &[String]) -> Vec<Stage> {
    let mut stages = stages::ALL.to_vec();
    stages.retain(|stage| only.is_empty() || only.iter().any(|name| name == stage.name));
    stages
}

/// Prepares one stage unless one of its tools is missing.
fn prepare(stage: &Stage) -> Result<Vec<Unit>> {
    tools::check(stage.needs)?;
    (stage.prepare)()
}

/// Whether this value of `CI` means a CI run.
fn is_ci(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(value, "" | "0" | "false"))
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// The outcome of a stage: one line of the table.
#[derive(Debug, Default)]
struct StageResult {
    stage: &'static str,
    failures: Vec<String>,
    skips: Vec<String>,
    /// What the outputs of its failed units say, repeated at the end: a log may be shown from its end only.
    excerpts: String,
    /// Time to compile, install and generate. Shared work counts for the first stage that needs it.
    compile: Duration,
    /// Sum over its units, several of which run in parallel.
    run: Duration,
    tests: usize,
    ignored: usize,
}

impl StageResult {
    fn add(&mut self, unit: &Ended, strict: bool) {
        self.run += unit.took;
        match &unit.end {
            Ok(report) => {
                self.tests += report.tests();
                self.ignored += report.skipped;
            }
            Err(error) => {
                self.did_not_pass(&format!("{}: ", unit.name), error, strict);
                self.excerpts.push_str(&unit.excerpt);
            }
        }
    }

    /// Records a failure or a skip. With `strict`, a skip is a failure.
    fn did_not_pass(&mut self, what: &str, error: &Error, strict: bool) {
        match error.is::<Skip>() {
            true if strict => {
                let reason = format!("skipped (an error with --strict or CI): {error:#}");
                self.failures.push(reason);
            }
            true => self.skips.push(format!("{error:#}")),
            false => self.failures.push(format!("{what}{error:#}")),
        }
    }

    /// The word in the table.
    fn word(&self) -> &'static str {
        match (&self.failures[..], &self.skips[..]) {
            ([], []) => "passed",
            ([], _) => "SKIPPED",
            _ => "FAILED",
        }
    }

    /// Why it did not pass; empty if it passed.
    fn reason(&self) -> String {
        let reasons = if self.failures.is_empty() { &self.skips } else { &self.failures };
        reasons.join("\n")
    }
}

/// The table, ending with `N passed, N failed, N skipped` on a line of its own.
fn table(results: &[StageResult]) -> String {
    let mut text = format!(
        "{:<9} {:<8} {:>9} {:>9} {:>7} {:>8}\n",
        "stage", "result", "compile", "run", "tests", "ignored"
    );
    let number = |number: usize| if number == 0 { String::new() } else { number.to_string() };
    for it in results {
        // A reason may contain program output; the table shows its first line.
        let reason = it.reason();
        let row = format!(
            "{:<9} {:<8} {:>7.1} s {:>7.1} s {:>7} {:>8}  {}",
            it.stage,
            it.word(),
            it.compile.as_secs_f64(),
            it.run.as_secs_f64(),
            number(it.tests),
            number(it.ignored),
            reason.lines().next().unwrap_or_default(),
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let tests: usize = results.iter().map(|it| it.tests).sum();
    let count = |word| results.iter().filter(|it| it.word() == word).count();
    let (passed, failed, skipped) = (count("passed"), count("FAILED"), count("SKIPPED"));
    text.push_str(&format!("{tests} tests\n{passed} passed, {failed} failed, {skipped} skipped"));
    text
}

/// The units and the single tests that took longest.
fn slowest(ended: &[Ended]) -> String {
    let longest = |mut times: Vec<(Duration, String)>| -> String {
        times.sort_by(|a, b| b.cmp(a));
        let line = |(time, name): &(Duration, String)| {
            format!("\n  {:>6.1} s  {name}", time.as_secs_f64())
        };
        times.iter().take(SLOWEST).map(line).collect()
    };
    let units = ended.iter().map(|unit| (unit.took, format!("{} {}", unit.stage, unit.name)));
    let tests = ended.iter().flat_map(|unit| {
        let times = unit.end.iter().flat_map(|report| &report.times);
        times.map(|(time, name)| (*time, format!("{} {}: {name}", unit.stage, unit.name)))
    });
    let (units, tests) = (longest(units.collect()), longest(tests.collect()));
    format!("slowest units:{units}\nslowest tests (of runners that report times):{tests}")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::report::{Format, Report};

    fn passed(tests: usize) -> Result<Report> {
        let mut report = Report::new(Format::Libtest, Vec::new());
        (0..tests).for_each(|number| _ = report.line(&format!("test {number} ... ok")));
        Ok(report)
    }

    fn skipped() -> Error {
        Skip("no chromium".to_owned()).into()
    }

    /// The result of a stage with these units.
    fn result(units: Vec<Result<Report>>, strict: bool) -> StageResult {
        let mut result = StageResult { stage: "rust", ..StageResult::default() };
        for end in units {
            let (name, took) = ("unit".to_owned(), Duration::from_secs(31));
            let excerpt = String::new();
            result.add(&Ended { stage: "rust", name, took, end, excerpt }, strict);
        }
        result
    }

    #[test]
    fn only_selects_stages_in_their_fixed_order() {
        let names = |only: &[&str]| -> Vec<_> {
            let only: Vec<_> = only.iter().map(|&name| name.to_owned()).collect();
            selected(&only).iter().map(|stage| stage.name).collect()
        };
        assert_eq!(names(&["node", "fmt"]), ["fmt", "node"]);
        assert_eq!(names(&[]).len(), stages::ALL.len());
    }

    #[test]
    fn the_ci_variable_is_interpreted() {
        assert!(["true", "1", "yes"].iter().all(|yes| is_ci(Some(yes))));
        assert!([None, Some(""), Some("0"), Some("false")].iter().all(|no| !is_ci(*no)));
    }

    #[test]
    fn a_skip_is_a_failure_only_where_strict() {
        let lenient = result(vec![Err(skipped())], false);
        assert_eq!((lenient.word(), lenient.reason().as_str()), ("SKIPPED", "no chromium"));
        let strict = result(vec![Err(skipped())], true);
        assert_eq!(strict.word(), "FAILED");
        assert!(strict.reason().ends_with("no chromium"), "{}", strict.reason());
    }

    #[test]
    fn a_stage_has_the_worst_outcome_of_its_units() {
        let worst = result(vec![passed(1), Err(skipped()), Err(anyhow!("broken"))], false);
        assert_eq!((worst.word(), worst.reason().as_str()), ("FAILED", "unit: broken"));
        assert_eq!(result(vec![passed(1), Err(skipped())], false).word(), "SKIPPED");
        assert_eq!(result(vec![passed(1)], false).word(), "passed");
    }

    #[test]
    fn the_table_counts_tests_and_stages() {
        let mut rust = result(vec![passed(440), passed(2)], false);
        rust.compile = Duration::from_secs(90);
        let mut fmt = StageResult { stage: "fmt", ..StageResult::default() };
        fmt.did_not_pass("", &anyhow!("cargo fmt: exit status 1\nmore"), false);
        let mut node = StageResult { stage: "node", ..StageResult::default() };
        node.did_not_pass("", &skipped(), false);
        assert_eq!(
            table(&[fmt, rust, node]),
            "stage     result     compile       run   tests  ignored\n\
             fmt       FAILED       0.0 s     0.0 s                   cargo fmt: exit status 1\n\
             rust      passed      90.0 s    62.0 s     442\n\
             node      SKIPPED      0.0 s     0.0 s                   no chromium\n\
             442 tests\n\
             1 passed, 1 failed, 1 skipped"
        );
    }

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(605)), "10:05");
    }
}
