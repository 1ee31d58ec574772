//! The commands of this repository: `cargo xtask help` lists them.
//!
//! `commands` holds a file per command. `test` first prepares its `stages`, by `cargo`, `npm` and for the `clients` of
//! other languages; then the `runner` runs their units in parallel. Other programs are started by `process`.
#![forbid(unsafe_code)]

mod cargo;
mod checkout;
mod clients;
mod commands;
mod interrupt;
mod npm;
mod packaging;
mod process;
mod report;
mod runner;
mod scratch;
mod secrets;
mod stages;
mod swift;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser};
use semver::Version;

#[derive(Debug, Parser, PartialEq)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
enum Command {
    /// Formatting, lints, unit tests and types of the changes since main
    Check,
    /// Build everything and start the Express example (PORT, REDIS_URL, POSTGRES_URL)
    Demo {
        /// Fetch its page, sign up, refresh and log out once, and stop
        #[arg(long)]
        check: bool,
    },
    /// Run the tests of all languages
    Test(Selection),
    /// `test --strict`, then the release checks
    Ci,
    /// Build the native addon of the npm package and its types
    Addon {
        /// Optimised, as it ships
        #[arg(long)]
        release: bool,
    },
    /// Run the benchmarks, on a quiet machine
    Bench {
        /// Run everything briefly, to check that it works
        #[arg(long)]
        quick: bool,
        /// Only these: core verify express rotation postgres file latency memory revocation peers
        names: Vec<String>,
    },
    /// Honest clients and thieves against servers that are killed, failed over, partitioned and resharded, and the
    /// clients of all languages with kills, network faults and thefts
    Chaos(Chaos),
    /// Search for inputs that violate a property, starting from the seeds and earlier findings
    Fuzz {
        /// How long to run each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Only these targets: compact claims jwks bearer proof record step refresh
        names: Vec<String>,
    },
    /// Build what a release uploads into `dist`: packages of all platforms, checksums, bills of materials
    Dist(packaging::Dist),
    /// Install the Kotlin library, with this machine's native library, into the local Maven repository
    Jar,
    /// Install missing tools of the tests (root on Debian)
    Setup,
    /// Print the version, or set it everywhere
    Version { set: Option<Version> },
}

/// Which stages `test` runs, and how.
#[derive(Args, Debug, Default, PartialEq)]
struct Selection {
    /// A skipped stage is a failure; the default if CI=true
    #[arg(long)]
    strict: bool,
    /// Only this stage; may be repeated
    #[arg(long, value_name = "STAGE", value_parser = stages::ALL.map(|stage| stage.name))]
    only: Vec<String>,
}

/// What `chaos` does.
#[derive(Args, Clone, Debug, Default, PartialEq)]
struct Chaos {
    /// Every kind of fault once
    #[arg(long)]
    quick: bool,
    /// Repeat the run with this random seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the table to this file as well
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Only these: standalone-kill standalone-link standalone-endless standalone-feed standalone-replaced standalone-full
    /// address-replica address-switch address-silence sentinel-kill sentinel-failover sentinel-partition cluster-failover
    /// cluster-kill cluster-slots postgres-kill postgres-pooler postgres-failover file-kill file-full file-clock
    /// custom-mariadb-kill custom-sqlite-kill custom-defects client-rust client-kotlin client-swift
    names: Vec<String>,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupt::requested() => {
            println!("\ninterrupted");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    interrupt::listen()?;
    match command {
        Command::Check => commands::check::run(),
        Command::Demo { check } => commands::demo::run(check),
        Command::Test(selection) => commands::test::run(&selection),
        Command::Ci => commands::release::ci(),
        Command::Addon { release } => npm::addon(release),
        Command::Bench { quick, names } => commands::bench::run(quick, &names),
        Command::Chaos(chaos) => commands::chaos::run(&chaos),
        Command::Fuzz { seconds, names } => commands::fuzz::run(seconds, &names),
        Command::Dist(dist) => packaging::run(&dist),
        Command::Jar => commands::release::jar(),
        Command::Setup => stages::setup(),
        Command::Version { set } => commands::version::run(set.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Command::try_parse_from(["xtask"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn options_and_names_are_understood() {
        let words = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let selection = Selection { strict: true, only: words(&["rust", "node"]) };
        let chaos = Chaos {
            quick: true,
            seed: Some(7),
            report: Some("out.md".into()),
            names: words(&["file-kill"]),
        };
        for (line, expected) in [
            ("test --strict --only rust --only=node", Command::Test(selection)),
            ("chaos --quick --seed 7 --report out.md file-kill", Command::Chaos(chaos)),
            ("fuzz", Command::Fuzz { seconds: 60, names: vec![] }),
            ("fuzz --seconds 9 step", Command::Fuzz { seconds: 9, names: words(&["step"]) }),
            ("version 1.2.3-rc.1", Command::Version { set: Version::parse("1.2.3-rc.1").ok() }),
        ] {
            assert_eq!(parse(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn invalid_command_lines_are_rejected() {
        for line in [
            "dist --only linux",
            "dist --pack --only darwin-x64",
            "test --only rus",
            "test rust",
            "chaos --seed x",
            "version 1.2",
            "--strict",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
