//! The results page: prints its head, and saves the page after a full run.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use crate::benchmarks::{ALL, Benchmark};
use crate::plan::Plan;
use crate::report::{Report, Table, targets};

/// The folder of saved results.
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");

/// Prints the summary and saves the page; a missed target fails the run if the plan says so.
pub(crate) fn give(
    plan: &Plan,
    selected: &[&Benchmark],
    facts: &Table,
    reports: &[Report],
) -> Result<ExitCode> {
    let date = OffsetDateTime::now_utc().date();
    let names: Vec<_> = selected.iter().map(|benchmark| benchmark.name).collect();
    let whole = names.len() == ALL.len();
    let arguments = if whole { String::new() } else { format!(" {}", names.join(" ")) };
    let quick = if plan.targets { "" } else { " --quick" };
    let mut page =
        format!("# Benchmark of {date}\n\n`cargo xtask bench{quick}{arguments}`\n\n{facts}");
    let checks: Vec<_> = reports.iter().flat_map(Report::checks).collect();
    if plan.targets && !checks.is_empty() {
        page.push_str(&format!("\n## Targets\n\n{}", targets(checks.iter().copied())));
    }
    println!("{page}");
    for report in reports {
        page.push_str(&format!("\n{report}"));
    }
    if plan.targets {
        let part = if whole { String::new() } else { format!("-{}", names.join("-")) };
        let name = format!("{date}{part}.md");
        std::fs::create_dir_all(RESULTS)?;
        std::fs::write(Path::new(RESULTS).join(&name), &page)?;
        for chart in reports.iter().flat_map(Report::charts) {
            let name = format!("{}.svg", chart.name);
            std::fs::write(Path::new(RESULTS).join(name), chart.to_string())?;
        }
        eprintln!("saved as tests/bench/results/{name}");
    }
    let missed = checks.iter().filter(|check| !check.met).count();
    if plan.targets && missed > 0 {
        eprintln!("{missed} of {} targets were missed", checks.len());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
