//! The commands of this repository: `cargo xtask demo | test | ci | bench | chaos | fuzz | jar | setup | version`.
//!
//! `commands` holds one file per command and `stages` one per stage of `test`; the other files are
//! what those are made of: running programs, finding tools, knowing the checkout.
#![forbid(unsafe_code)]

mod args;
mod bed;
mod checkout;
mod commands;
mod http;
mod interrupt;
mod outcome;
mod process;
mod registry;
mod secrets;
mod stages;
mod summary;
mod swift;
mod tools;

use std::process::ExitCode;

use args::Command;

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
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    interrupt::listen()?;
    match command {
        Command::Help => {
            println!("{}", args::HELP);
            Ok(ExitCode::SUCCESS)
        }
        Command::Test(selection) => commands::test::run(&selection),
        Command::Bench { quick, names } => commands::bench::run(quick, &names),
        Command::Chaos(chaos) => commands::chaos::run(&chaos),
        Command::Fuzz { seconds, names } => commands::fuzz::run(seconds, &names),
        Command::Ci => commands::ci::run(),
        Command::Demo { check } => commands::demo::run(check),
        Command::Jar => commands::jar::run(),
        Command::Setup => commands::setup::run(),
        Command::Version { set } => commands::version::run(set.as_ref()),
    }
}
