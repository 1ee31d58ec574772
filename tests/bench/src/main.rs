//! The benchmarks of regrant: `cargo xtask bench`.
//!
//! `benchmarks` holds one file or folder per benchmark; `child` holds child processes;
//! the other files are shared: load, counters, statistics, the report.
#![forbid(unsafe_code)]

mod benchmarks;
mod callers;
mod chart;
mod child;
mod command_line;
mod context;
mod load;
mod machine;
mod node;
mod output;
mod plan;
mod population;
mod progress;
mod report;
mod server;
mod statistics;

use std::process::ExitCode;

use anyhow::Result;

use command_line::Command;
use context::Context;

fn main() -> Result<ExitCode> {
    // Built together with crates that use RustCrypto, `jsonwebtoken` has both crypto backends.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    match command_line::parse(std::env::args_os().skip(1))? {
        Command::Help => println!("{}", command_line::help()),
        Command::Child { name, argument } => child::run(&name, &argument)?,
        Command::Run { selected, plan } => {
            let facts = machine::facts()?;
            let context = Context::new(plan)?;
            let mut reports = Vec::new();
            for benchmark in &selected {
                context.progress.say(format_args!("=== {}", benchmark.name));
                let report = (benchmark.run)(&context)?;
                // Print it at once, in case a later benchmark fails.
                println!("{report}");
                reports.push(report);
            }
            context.progress.say("done");
            return output::give(&context.plan, &selected, &facts, &reports);
        }
    }
    Ok(ExitCode::SUCCESS)
}
