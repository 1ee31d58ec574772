//! The outcomes of the stages of `test`, and the summary table.

use std::time::Duration;

use anyhow::Error;

use crate::runner::Ended;

/// Why a stage or command did not complete.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A tool is missing or a package registry is unreachable.
    Skip(String),
    /// It failed.
    Fail(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

/// The outcome of a stage.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    /// With `strict`, a skip is a failure.
    pub(crate) fn of(end: Result<(), &Stop>, strict: bool) -> Self {
        match end {
            Ok(()) => Self::Passed,
            Err(Stop::Fail(error)) => Self::Failed(format!("{error:#}")),
            Err(Stop::Skip(reason)) if strict => {
                Self::Failed(format!("skipped (an error with --strict or CI): {reason}"))
            }
            Err(Stop::Skip(reason)) => Self::Skipped(reason.clone()),
        }
    }

    /// The word in the table.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::Skipped(_) => "SKIPPED",
        }
    }

    /// Why it did not pass; empty if it passed.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(reason) | Self::Skipped(reason) => reason,
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stage: &'static str,
    pub(crate) outcome: Outcome,
    /// Time to compile, install and generate. Shared work counts for the first stage that needs it.
    pub(crate) compile: Duration,
    /// Sum over its units, several of which run in parallel.
    pub(crate) run: Duration,
    pub(crate) tests: usize,
    pub(crate) skipped: usize,
}

impl Line {
    /// The line of a stage, from its preparation and those of the ended units that belong to it.
    pub(crate) fn of(
        stage: &'static str,
        prepared: Result<(), &Stop>,
        compile: Duration,
        ended: &[Ended],
        strict: bool,
    ) -> Self {
        let units: Vec<_> = ended.iter().filter(|ended| ended.stage == stage).collect();
        let reports = || units.iter().filter_map(|unit| unit.end.as_ref().ok());
        let outcomes =
            units.iter().map(|unit| match Outcome::of(unit.end.as_ref().map(drop), strict) {
                Outcome::Failed(reason) => Outcome::Failed(format!("{}: {reason}", unit.name)),
                other => other,
            });
        let mut outcomes: Vec<_> =
            std::iter::once(Outcome::of(prepared, strict)).chain(outcomes).collect();
        // The worst of them.
        let worst = outcomes.iter().position(|it| matches!(it, Outcome::Failed(_)));
        let worst = worst.or_else(|| outcomes.iter().position(|it| *it != Outcome::Passed));
        Self {
            stage,
            outcome: outcomes.swap_remove(worst.unwrap_or(0)),
            compile,
            run: units.iter().map(|unit| unit.took).sum(),
            tests: reports().map(crate::report::Report::tests).sum(),
            skipped: reports().map(|report| report.skipped).sum(),
        }
    }
}

/// The table, ending with `N passed, N failed, N skipped` on a line of its own.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = format!(
        "{:<9} {:<8} {:>9} {:>9} {:>7} {:>8}\n",
        "stage", "result", "compile", "run", "tests", "ignored"
    );
    for line in lines {
        let number = |number: usize| if number == 0 { String::new() } else { number.to_string() };
        // A reason may contain program output; the table shows its first line.
        let reason = line.outcome.reason().lines().next().unwrap_or_default();
        let row = format!(
            "{:<9} {:<8} {:>7.1} s {:>7.1} s {:>7} {:>8}  {reason}",
            line.stage,
            line.outcome.word(),
            line.compile.as_secs_f64(),
            line.run.as_secs_f64(),
            number(line.tests),
            number(line.skipped),
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let tests: usize = lines.iter().map(|line| line.tests).sum();
    let count = |word| lines.iter().filter(|line| line.outcome.word() == word).count();
    text.push_str(&format!(
        "{tests} tests\n{} passed, {} failed, {} skipped",
        count("passed"),
        count("FAILED"),
        count("SKIPPED")
    ));
    text
}

/// The units and the single tests that took longest.
pub(crate) fn slowest(ended: &[Ended]) -> String {
    const SHOWN: usize = 8;
    let mut units: Vec<_> =
        ended.iter().map(|it| (it.took, format!("{} {}", it.stage, it.name))).collect();
    let mut tests: Vec<(Duration, String)> = Vec::new();
    for unit in ended {
        let times = unit.end.iter().flat_map(|report| &report.times);
        tests.extend(
            times.map(|(time, name)| (*time, format!("{} {}: {name}", unit.stage, unit.name))),
        );
    }
    let longest = |times: &mut Vec<(Duration, String)>| {
        times.sort_by(|a, b| b.cmp(a));
        let shown = times.iter().take(SHOWN);
        shown
            .map(|(time, name)| format!("\n  {:>6.1} s  {name}", time.as_secs_f64()))
            .collect::<String>()
    };
    let (units, tests) = (longest(&mut units), longest(&mut tests));
    format!("slowest units:{units}\nslowest tests (of runners that report times):{tests}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Format, Report};

    fn skip() -> Stop {
        Stop::Skip("no chromium".to_owned())
    }

    fn ended(stage: &'static str, seconds: u64, end: Result<Report, Stop>) -> Ended {
        Ended { stage, name: "unit".to_owned(), took: Duration::from_secs(seconds), end }
    }

    fn report(tests: usize) -> Report {
        let mut report = Report::new(Format::Libtest, Vec::new());
        (0..tests).for_each(|number| _ = report.line(&format!("test {number} ... ok")));
        report
    }

    #[test]
    fn a_skip_is_a_failure_only_where_strict() {
        assert_eq!(Outcome::of(Err(&skip()), false), Outcome::Skipped("no chromium".to_owned()));
        let strict = Outcome::of(Err(&skip()), true);
        assert!(matches!(strict, Outcome::Failed(why) if why.contains("no chromium")));
    }

    #[test]
    fn a_stage_has_the_worst_outcome_of_its_units() {
        let broken = || Stop::Fail(anyhow::anyhow!("broken"));
        let line = |prepared: Result<(), &Stop>, units: Vec<Ended>| {
            Line::of("node", prepared, Duration::ZERO, &units, false).outcome
        };
        assert_eq!(line(Ok(()), vec![ended("node", 1, Ok(report(1)))]), Outcome::Passed);
        assert_eq!(line(Ok(()), vec![ended("rust", 1, Err(broken()))]), Outcome::Passed);
        let failed = Outcome::Failed("unit: broken".to_owned());
        let units = vec![ended("node", 1, Err(skip())), ended("node", 1, Err(broken()))];
        assert_eq!(line(Ok(()), units), failed);
        assert_eq!(line(Err(&broken()), vec![]), Outcome::Failed("broken".to_owned()));
        let skipped = vec![ended("node", 1, Ok(report(1))), ended("node", 1, Err(skip()))];
        assert!(matches!(line(Ok(()), skipped), Outcome::Skipped(_)));
    }

    #[test]
    fn the_last_line_counts_the_stages() {
        let units = [ended("rust", 61, Ok(report(440))), ended("rust", 1, Ok(report(2)))];
        let second = Duration::from_secs(1);
        let failed = Stop::Fail(anyhow::anyhow!("cargo fmt: exit status 1\nmore"));
        let text = table(&[
            Line::of("fmt", Err(&failed), second, &units, false),
            Line::of("rust", Ok(()), second * 90, &units, false),
            Line::of("node", Err(&Stop::Skip("no npm".to_owned())), Duration::ZERO, &units, false),
        ]);
        assert_eq!(
            text,
            "stage     result     compile       run   tests  ignored\n\
             fmt       FAILED       1.0 s     0.0 s                   cargo fmt: exit status 1\n\
             rust      passed      90.0 s    62.0 s     442\n\
             node      SKIPPED      0.0 s     0.0 s                   no npm\n\
             442 tests\n\
             1 passed, 1 failed, 1 skipped"
        );
        assert!(slowest(&units).contains("61.0 s  rust unit"));
    }
}
