//! `cargo xtask fuzz`: searches for inputs that violate a property.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout;
use crate::interrupt;
use crate::process::Invocation;
use crate::tools::{self, Tool};

/// Runs these targets (all if empty), each for this many seconds, and prints a summary.
pub(crate) fn run(seconds: u32, names: &[String]) -> Result<()> {
    tools::check(&[Tool::CargoFuzz])?;
    let all = targets()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("no target is called {unknown}; there are {}", all.join(", "));
    }
    let targets = if names.is_empty() { &all } else { names };
    let mut lines = Vec::new();
    let mut found = 0;
    for (index, target) in targets.iter().enumerate() {
        println!("\n=== target {} of {}: {target}, {seconds} s", index + 1, targets.len());
        // A violation ends the run of its target; `cargo fuzz` saves the input.
        let output = fuzz(target, seconds);
        ensure!(!interrupt::requested(), "interrupted");
        lines.push(match output {
            Ok(output) => {
                figures(target, &output).with_context(|| format!("{target} printed no statistics"))?
            }
            Err(error) => {
                found += 1;
                println!("\n!!! {target}: {error:#}");
                format!("{target:<9} FOUND     see above; keep the input in tests/fuzz/findings/{target}")
            }
        });
    }
    let columns = ("target", "executions", "per s", "coverage", "corpus");
    let (target, executions, per_second, coverage, corpus) = columns;
    println!("\n{target:<9} {executions:>12} {per_second:>9} {coverage:>9} {corpus:>8}");
    lines.iter().for_each(|line| println!("{line}"));
    ensure!(found == 0, "inputs that violate a property were found for {found} targets");
    Ok(())
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(checkout::path("tests/fuzz/libfuzzer/fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Runs `cargo fuzz` without a sanitizer, so that it runs on a stable compiler. The code has no `unsafe`; the fuzzer
/// searches for panics and violated properties.
fn fuzz(target: &str, seconds: u32) -> Result<String> {
    let built = checkout::target().join("fuzz");
    let corpus = built.join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    Invocation::new("cargo")
        .args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", "tests/fuzz/libfuzzer"])
        .args(["--target-dir".as_ref(), built.as_os_str(), target.as_ref(), corpus.as_os_str()])
        .args([checkout::path("tests/fuzz/seeds").join(target)])
        .args(["--", "-print_final_stats=1", &format!("-max_total_time={seconds}")])
        .run_and_keep()
}

/// The line of the summary, parsed from the fuzzer's final output.
fn figures(target: &str, output: &str) -> Option<String> {
    let stat = |name: &str| {
        output.lines().rev().find_map(|line| line.strip_prefix(&format!("stat::{name}:")))
    };
    let last = output.lines().rev().find(|line| line.contains(" cov: "))?;
    let after = |word: &str| last.split_once(word)?.1.split_whitespace().next();
    Some(format!(
        "{target:<9} {:>12} {:>9} {:>9} {:>8}",
        stat("number_of_executed_units")?.trim(),
        stat("average_exec_per_sec")?.trim(),
        after(" cov: ")?,
        after(" corp: ")?,
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_summary_is_parsed_from_the_last_status_line() {
        let output = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                      #99\tDONE   cov: 345 ft: 400 corp: 21/1Kb lim: 4 exec/s: 33 rss: 41Mb\n\
                      Done 99 runs in 3 second(s)\n\
                      stat::number_of_executed_units: 99\n\
                      stat::average_exec_per_sec:     33\n";
        let line = figures("step", output).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["step", "99", "33", "345", "21/1Kb"]);
        assert_eq!(figures("step", "error: no such target"), None);
    }

    #[test]
    fn the_help_names_every_target() {
        let mut command = crate::Command::command();
        let help = command.find_subcommand_mut("fuzz").unwrap().render_help().to_string();
        let all = targets().unwrap();
        assert!(all.len() > 5 && all.iter().all(|name| help.contains(name.as_str())), "{all:?}");
    }
}
