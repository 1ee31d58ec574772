//! The commands of this repository: `cargo xtask help` lists them.
//!
//! `commands` holds one file per command. `test` first prepares its `stages`, by `cargo`, `npm` and for the `clients` of
//! other languages; then the `runner` runs their units in parallel.
#![forbid(unsafe_code)]

mod args;
mod cargo;
mod checkout;
mod clients;
mod commands;
mod http;
mod interrupt;
mod npm;
mod outcome;
mod process;
mod report;
mod runner;
mod secrets;
mod stages;
mod swift;
mod tools;

use std::process::ExitCode;

use args::Command;
use outcome::Stop;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error:#}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(code) => code,
        Err(Stop::Fail(_)) if interrupt::requested() => ExitCode::from(interrupt::EXIT_CODE),
        Err(Stop::Skip(reason)) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
        Err(Stop::Fail(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Stop> {
    interrupt::listen()?;
    match command {
        Command::Help => println!("{}", args::HELP),
        Command::Addon { release } => npm::addon(release)?,
        Command::Check => commands::check::run()?,
        Command::Test(selection) => return Ok(commands::test::run(&selection)?),
        Command::Bench { quick, names } => commands::bench::run(quick, &names)?,
        Command::Chaos(chaos) => commands::chaos::run(&chaos)?,
        Command::Fuzz { seconds, names } => return Ok(commands::fuzz::run(seconds, &names)?),
        Command::Ci => return commands::ci::run(),
        Command::Demo { check } => commands::demo::run(check)?,
        Command::Jar => commands::jar::run()?,
        Command::Setup => return Ok(commands::setup::run()?),
        Command::Version { set } => commands::version::run(set.as_ref())?,
    }
    Ok(ExitCode::SUCCESS)
}
