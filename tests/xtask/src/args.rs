//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use semver::Version;

use crate::stages;

/// What `cargo xtask help` prints.
pub(crate) const HELP: &str = "\
cargo xtask COMMAND

  check                     format, lints, unit tests and types of the changes since main
  demo [--check]            build everything and start the Express example (PORT, REDIS_URL)
                            --check: fetch its page once and stop
  test [--strict] [--only STAGE]...
                            run the tests of all languages
                            --strict (or CI=true): a skipped stage is a failure
                            stages: fmt node browser demo rust pure bench chaos clients kotlin swift clippy doc
  ci                        test --strict, then the release checks
  addon [--release]         the native addon of the npm package and its types
                            --release: optimised, as it ships
  bench [--quick] [NAME]... run the benchmarks (about 10 minutes on a quiet machine)
                            --quick: run everything briefly, to check that it works
                            names: rotation file latency memory revocation
  chaos [--quick] [--seed N] [--report FILE] [NAME]...
                            honest clients and thieves against servers that are killed,
                            failed over, partitioned and resharded, and the clients of all
                            languages with kills, network faults and thefts (about 15 minutes)
                            --quick: every kind of fault once; --seed: repeat a run;
                            --report: write the table to FILE as well
                            names: file-kill standalone-kill standalone-link sentinel-kill
                            sentinel-failover sentinel-partition cluster-failover cluster-kill
                            cluster-slots client-rust client-kotlin client-swift
  fuzz [--seconds N] [NAME]...
                            search for inputs that violate a property: N seconds per target
                            (default 60), starting from the seeds and earlier findings; fails
                            if an input is found
                            names: compact claims jwks bearer proof record step refresh
  jar                       install the Kotlin library, with this machine's native library, into the
                            local Maven repository
  setup                     install missing tools of the tests (root on Debian)
  version [X.Y.Z]           print the version, or set it everywhere
  help                      this text";

/// How long `fuzz` runs each target.
const FUZZ_SECONDS: u32 = 60;

/// One parsed command line.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Addon { release: bool },
    Check,
    Test(Selection),
    Ci,
    Bench { quick: bool, names: Vec<String> },
    Chaos(Chaos),
    Fuzz { seconds: u32, names: Vec<String> },
    Demo { check: bool },
    Jar,
    Setup,
    Version { set: Option<Version> },
}

/// Which stages `test` runs, and how.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selection {
    /// A stage that cannot run is a failure.
    pub(crate) strict: bool,
    /// Only the stages with these names; all if empty.
    pub(crate) only: Vec<String>,
}

/// What `chaos` does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chaos {
    pub(crate) quick: bool,
    /// The random seed; a random one if absent.
    pub(crate) seed: Option<u64>,
    /// A file to write the table to.
    pub(crate) report: Option<PathBuf>,
    /// Only these scenarios; all if empty.
    pub(crate) names: Vec<String>,
}

/// Parses the arguments after the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut parser = Parser::from_args(arguments);
    let mut command = match parser.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help),
        Some(Arg::Value(name)) => named(&name.string()?)?,
        Some(other) => return Err(other.unexpected().into()),
    };
    while let Some(argument) = parser.next()? {
        match (&mut command, argument) {
            (_, Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help),
            (Command::Test(selection), Arg::Long("strict")) => selection.strict = true,
            (Command::Test(selection), Arg::Long("only")) => {
                let name = parser.value()?.string()?;
                if !stages::ALL.iter().any(|stage| stage.name == name) {
                    bail!("no stage is called {name}");
                }
                selection.only.push(name);
            }
            (Command::Addon { release }, Arg::Long("release")) => *release = true,
            (Command::Bench { quick, .. }, Arg::Long("quick")) => *quick = true,
            (Command::Bench { names, .. }, Arg::Value(name)) => names.push(name.string()?),
            (Command::Chaos(chaos), Arg::Long("quick")) => chaos.quick = true,
            (Command::Chaos(chaos), Arg::Long("seed")) => {
                chaos.seed = Some(parser.value()?.parse()?);
            }
            (Command::Chaos(chaos), Arg::Long("report")) => {
                chaos.report = Some(parser.value()?.into());
            }
            (Command::Chaos(chaos), Arg::Value(name)) => chaos.names.push(name.string()?),
            (Command::Fuzz { seconds, .. }, Arg::Long("seconds")) => {
                *seconds = parser.value()?.parse()?;
            }
            (Command::Fuzz { names, .. }, Arg::Value(name)) => names.push(name.string()?),
            (Command::Demo { check }, Arg::Long("check")) => *check = true,
            (Command::Version { set: set @ None }, Arg::Value(version)) => {
                *set = Some(version.parse()?);
            }
            (_, other) => return Err(other.unexpected().into()),
        }
    }
    Ok(command)
}

fn named(name: &str) -> Result<Command> {
    Ok(match name {
        "help" => Command::Help,
        "addon" => Command::Addon { release: false },
        "check" => Command::Check,
        "test" => Command::Test(Selection::default()),
        "ci" => Command::Ci,
        "bench" => Command::Bench { quick: false, names: Vec::new() },
        "chaos" => Command::Chaos(Chaos::default()),
        "fuzz" => Command::Fuzz { seconds: FUZZ_SECONDS, names: Vec::new() },
        "demo" => Command::Demo { check: false },
        "jar" => Command::Jar,
        "setup" => Command::Setup,
        "version" => Command::Version { set: None },
        other => bail!("no command is called {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_command_and_option_is_understood() {
        let only = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        for (line, expected) in [
            ("", Command::Help),
            ("help", Command::Help),
            ("addon", Command::Addon { release: false }),
            ("addon --release", Command::Addon { release: true }),
            ("check", Command::Check),
            ("test --help", Command::Help),
            ("test", Command::Test(Selection { strict: false, only: vec![] })),
            ("test --strict", Command::Test(Selection { strict: true, only: vec![] })),
            (
                "test --only rust --only=node",
                Command::Test(Selection { strict: false, only: only(&["rust", "node"]) }),
            ),
            ("ci", Command::Ci),
            ("bench", Command::Bench { quick: false, names: vec![] }),
            (
                "bench --quick rotation memory",
                Command::Bench { quick: true, names: only(&["rotation", "memory"]) },
            ),
            ("chaos", Command::Chaos(Chaos::default())),
            (
                "chaos --quick --seed 7 --report out.md file-kill",
                Command::Chaos(Chaos {
                    quick: true,
                    seed: Some(7),
                    report: Some("out.md".into()),
                    names: only(&["file-kill"]),
                }),
            ),
            ("fuzz", Command::Fuzz { seconds: 60, names: vec![] }),
            ("fuzz --seconds 1200 step", Command::Fuzz { seconds: 1200, names: only(&["step"]) }),
            ("demo", Command::Demo { check: false }),
            ("demo --check", Command::Demo { check: true }),
            ("jar", Command::Jar),
            ("setup", Command::Setup),
            ("version", Command::Version { set: None }),
            ("version 1.2.3-rc.1", Command::Version { set: Version::parse("1.2.3-rc.1").ok() }),
        ] {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn invalid_command_lines_are_rejected() {
        for line in [
            "deploy",
            "test --only",
            "test --only rus",
            "test --check",
            "test rust",
            "demo --strict",
            "bench --check",
            "chaos --seed x",
            "fuzz --seconds soon",
            "chaos --strict",
            "version 1.2",
            "version v1.2.3",
            "version 1.2.3 1.2.4",
            "--strict",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_help_names_every_stage() {
        let names: Vec<_> = stages::ALL.iter().map(|stage| stage.name).collect();
        assert!(HELP.contains(&format!("stages: {}\n", names.join(" "))), "{names:?}");
    }
}
