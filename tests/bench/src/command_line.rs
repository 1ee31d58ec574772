//! The command line.

use std::ffi::OsString;

use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::benchmarks::{ALL, Benchmark};
use crate::plan::Plan;

pub(crate) enum Command {
    Help,
    Run { selected: Vec<&'static Benchmark>, plan: Plan },
    Child { name: String, argument: String },
}

pub(crate) fn help() -> String {
    let names: Vec<_> = ALL.iter().map(|benchmark| benchmark.name).collect();
    format!(
        "cargo xtask bench [--quick] [NAME…]\n\n\
         Measures and writes what it found to tests/bench/results. --quick: everything once and \
         small, nothing written.\nNames: {}",
        names.join(" ")
    )
}

/// Parses the arguments after the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut parser = Parser::from_args(arguments);
    let (mut selected, mut plan) = (Vec::new(), Plan::FULL);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("quick") => plan = Plan::QUICK,
            Arg::Value(name) if name == "child" => {
                let (name, argument) = (parser.value()?.string()?, parser.value()?.string()?);
                return Ok(Command::Child { name, argument });
            }
            Arg::Value(name) => selected.push(named(&name.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    if selected.is_empty() {
        selected.extend(ALL);
    }
    Ok(Command::Run { selected, plan })
}

fn named(name: &str) -> Result<&'static Benchmark> {
    let Some(benchmark) = ALL.iter().find(|benchmark| benchmark.name == name) else {
        bail!("no benchmark is called {name}\n\n{}", help());
    };
    Ok(benchmark)
}
