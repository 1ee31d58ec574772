//! Chaos: a load of honest clients, thieves and logouts, through the public `Auth`,
//! on real servers that are killed, failed over, partitioned, resharded and filled meanwhile.
//! Everything runs in real time.
//!
//! A run fails if an honest client is logged out, a durably revoked session is accepted again, a
//! theft is not detected, or repeated requests fill a server. Beside the load runs a control, whose clients
//! show that the faults do harm.
#![forbid(unsafe_code)]

mod args;
mod load;
mod peer;
mod report;
mod scenarios;

use std::process::ExitCode;

use anyhow::{Context, Result};

use self::args::Args;
use self::report::Report;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all scenarios passed.
fn run(args: &Args) -> Result<bool> {
    if args.list {
        scenarios::selected(&args.only, args.quick).for_each(|it| println!("{}", it.name));
        return Ok(true);
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed} (faults and clients follow it; the timing of the machine does not)");
    let mut reports: Vec<Report> = Vec::new();
    for scenario in scenarios::selected(&args.only, args.quick) {
        println!("\n=== {}: {}", scenario.name, scenario.about);
        let report = scenario.run(seed, args.quick).with_context(|| scenario.name.to_owned())?;
        print!("{}", report::table(std::slice::from_ref(&report)));
        reports.push(report);
    }
    let table = report::table(&reports);
    let summary = report::summary(&reports);
    println!("\n{table}\n{}\n\n{summary}", report::LEGEND);
    if let Some(path) = &args.report {
        let text = format!("seed {seed}\n\n{table}\n{}\n\n{summary}", report::LEGEND);
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let failures: Vec<_> = reports.iter().filter_map(Report::failure).collect();
    for failure in &failures {
        println!("FAILED {failure}");
    }
    Ok(failures.is_empty())
}
