//! `cargo xtask fuzz`: searches for inputs that violate a property.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::checkout;
use crate::interrupt;
use crate::process::Invocation;
use crate::tools::Tool;

/// Required tools besides Cargo.
const NEEDS: &[Tool] = &[Tool::CargoFuzz];

/// Runs these targets (all if empty), each for this many seconds, and prints a summary.
pub(crate) fn run(seconds: u32, names: &[String]) -> Result<ExitCode> {
    if let Some(missing) = Tool::missing_of(NEEDS).first() {
        bail!("{}", missing.advice());
    }
    let targets = selected(&targets()?, names)?;
    let mut lines = Vec::new();
    let mut found = false;
    for (index, target) in targets.iter().enumerate() {
        println!("\n=== target {} of {}: {target}, {seconds} s", index + 1, targets.len());
        let corpus = checkout::target().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus)?;
        // A violation ends the run of its target; `cargo fuzz` saves the input.
        let said = fuzzer(target, &corpus, seconds).run_and_keep();
        if interrupt::requested() {
            println!("\ninterrupted");
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        lines.push(match said {
            Ok(said) => figures(target, &said).with_context(|| format!("{target} printed no statistics"))?,
            Err(error) => {
                found = true;
                println!("\n!!! {target}: {error:#}");
                format!("{target:<9} FOUND     see above; keep the input in tests/fuzz/findings/{target}")
            }
        });
    }
    println!(
        "\n{:<9} {:>12} {:>9} {:>9} {:>8}",
        "target", "executions", "per s", "coverage", "corpus"
    );
    lines.iter().for_each(|line| println!("{line}"));
    Ok(if found { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `cargo fuzz` without a sanitizer, so that it runs on a stable compiler. The code has no `unsafe`; the fuzzer searches
/// for panics and violated properties.
fn fuzzer(target: &str, corpus: &Path, seconds: u32) -> Invocation {
    Invocation::new("cargo")
        .args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir"])
        .args([folder().join("libfuzzer").as_os_str(), "--target-dir".as_ref()])
        .args([checkout::target().join("fuzz").as_os_str(), target.as_ref(), corpus.as_os_str()])
        .args([folder().join("seeds").join(target)])
        .args(["--", "-print_final_stats=1", &format!("-max_total_time={seconds}")])
}

fn folder() -> PathBuf {
    checkout::root().join("tests/fuzz")
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let entries = fs::read_dir(folder().join("libfuzzer/fuzz_targets"))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn selected(all: &[String], names: &[String]) -> Result<Vec<String>> {
    match names.iter().find(|name| !all.contains(name)) {
        Some(unknown) => bail!("no target is called {unknown}; there are {}", all.join(", ")),
        None if names.is_empty() => Ok(all.to_vec()),
        None => Ok(names.to_vec()),
    }
}

/// The line of the summary, parsed from the fuzzer's final output.
fn figures(target: &str, said: &str) -> Option<String> {
    let stat = |name: &str| {
        said.lines().rev().find_map(|line| line.strip_prefix(&format!("stat::{name}:")))
    };
    let last = said.lines().rev().find(|line| line.contains(" cov: "))?;
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
    use super::*;

    #[test]
    fn the_summary_is_parsed_from_the_last_status_line() {
        let said = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                    #99\tDONE   cov: 345 ft: 400 corp: 21/1Kb lim: 4 exec/s: 33 rss: 41Mb\n\
                    Done 99 runs in 3 second(s)\n\
                    stat::number_of_executed_units: 99\n\
                    stat::average_exec_per_sec:     33\n";
        let line = figures("step", said).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["step", "99", "33", "345", "21/1Kb"]);
        assert_eq!(figures("step", "error: no such target"), None);
    }

    #[test]
    fn the_help_names_every_target() {
        let all = targets().unwrap();
        let known = all.iter().all(|name| crate::args::HELP.contains(name.as_str()));
        assert!(known && all.len() > 5, "{all:?}");
        assert_eq!(selected(&all, &[]).unwrap(), all);
        assert!(selected(&all, &["no-such".to_owned()]).is_err());
    }
}
