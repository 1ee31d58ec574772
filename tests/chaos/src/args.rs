//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use crate::scenarios;

/// The arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Every fault once, in about a minute.
    pub(crate) quick: bool,
    /// The seed; a random one if absent.
    pub(crate) seed: Option<u64>,
    /// Print the names of the selected scenarios and run none.
    pub(crate) list: bool,
    /// A file to write the table to.
    pub(crate) report: Option<PathBuf>,
    /// Only these scenarios; all if empty.
    pub(crate) only: Vec<String>,
}

/// Parses the arguments after the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args> {
    let mut parser = Parser::from_args(arguments);
    let mut args = Args::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("quick") => args.quick = true,
            Arg::Long("list") => args.list = true,
            Arg::Long("seed") => args.seed = Some(parser.value()?.parse()?),
            Arg::Long("report") => args.report = Some(parser.value()?.into()),
            Arg::Value(name) => {
                let name = name.string()?;
                if !scenarios::ALL.iter().any(|scenario| scenario.name == name) {
                    let known: Vec<_> = scenarios::ALL.iter().map(|it| it.name).collect();
                    bail!("no scenario is called {name}; there are {}", known.join(", "));
                }
                args.only.push(name);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_and_names_are_parsed() {
        assert_eq!(parsed("").unwrap(), Args::default());
        let args = parsed("--quick --list --seed 7 --report out.md standalone-kill").unwrap();
        let only = vec!["standalone-kill".to_owned()];
        let report = Some(PathBuf::from("out.md"));
        assert_eq!(args, Args { quick: true, list: true, seed: Some(7), report, only });
        for line in ["--slow", "nothing-of-the-kind", "--seed", "--seed x"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
