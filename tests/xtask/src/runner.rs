//! Runs the built tests: several units in parallel, each with its own log file.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::checkout;
use crate::interrupt;
use crate::process::Invocation;
use crate::report::{Format, Report};
use crate::tools::Skip;

/// How often running units are printed while none ends.
const STATUS_EVERY: Duration = Duration::from_secs(30);
/// Upper bound of concurrent units; beyond it they compete for memory and the disk.
const MAX_WORKERS: usize = 4;
/// The stages with units that take minutes. They start first, so that a long unit does not run alone at the end.
const LONG: &[&str] = &["rust", "kotlin", "swift", "chaos", "bench", "browser", "clients"];

/// Receives the path of its log.
type Work = Box<dyn FnOnce(&Path) -> Result<Report> + Send>;

/// An independent piece of work: a test executable, a test file, a suite of another language.
pub(crate) struct Unit {
    stage: &'static str,
    name: String,
    work: Work,
}

impl Unit {
    pub(crate) fn new(
        stage: &'static str,
        name: impl Into<String>,
        work: impl FnOnce(&Path) -> Result<Report> + Send + 'static,
    ) -> Self {
        Self { stage, name: name.into(), work: Box::new(work) }
    }

    /// A unit that runs a test program.
    pub(crate) fn tests(
        stage: &'static str,
        name: impl Into<String>,
        format: Format,
        invocation: Invocation,
    ) -> Self {
        Self::new(stage, name, move |log| invocation.run_tests(format, Vec::new(), log))
    }
}

/// A unit that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stage: &'static str,
    pub(crate) name: String,
    pub(crate) took: Duration,
    pub(crate) end: Result<Report>,
}

/// Runs all units and returns their results. Prints a line per unit, and the whole log of a failed one.
///
/// # Errors
/// The log folder cannot be written.
pub(crate) fn run(mut units: Vec<Unit>) -> Result<Vec<Ended>> {
    let folder = checkout::path("target/test-logs");
    fs::create_dir_all(&folder)?;
    units.sort_by_key(|unit| {
        LONG.iter().position(|stage| *stage == unit.stage).unwrap_or(LONG.len())
    });
    // One more than the number of processors: the end-to-end suites mostly wait for tokens to expire.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (processors + 1).min(MAX_WORKERS);
    let (count, logs) = (units.len(), checkout::relative(&folder));
    println!("\n=== running {count} units, {workers} at a time; their output: {logs}");
    let waiting = Mutex::new(VecDeque::from(units));
    let running = Mutex::new(Vec::new());
    let (sender, results) = mpsc::channel();
    let mut ended = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, waiting, running, folder) = (sender.clone(), &waiting, &running, &folder);
            scope.spawn(move || {
                while !interrupt::requested()
                    && let Some(unit) = next(waiting)
                {
                    let label = format!("{} {}", unit.stage, unit.name);
                    let started = Instant::now();
                    lock(running).push((label.clone(), started));
                    let end = run_unit(unit, folder);
                    lock(running).retain(|(other, _)| *other != label);
                    // Nobody listens after an interrupt.
                    let _ = sender.send(end);
                }
            });
        }
        drop(sender);
        loop {
            match results.recv_timeout(STATUS_EVERY) {
                Ok((unit, log)) => {
                    print(&unit, &log);
                    ended.push(unit);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let running = lock(&running);
                    let seconds = |(name, since): &(String, Instant)| {
                        format!("{name} ({} s)", since.elapsed().as_secs())
                    };
                    let running: Vec<_> = running.iter().map(seconds).collect();
                    println!("  ... running: {}", running.join(", "));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    Ok(ended)
}

fn next(waiting: &Mutex<VecDeque<Unit>>) -> Option<Unit> {
    lock(waiting).pop_front()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a unit; also returns its log.
fn run_unit(unit: Unit, folder: &Path) -> (Ended, PathBuf) {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let name = format!("{}-{}.log", unit.stage, unit.name);
    let log = folder.join(name.chars().map(plain).collect::<String>());
    let started = Instant::now();
    let end = (unit.work)(&log);
    (Ended { stage: unit.stage, name: unit.name, took: started.elapsed(), end }, log)
}

fn print(unit: &Ended, log: &Path) {
    let (label, seconds) = (format!("{} {}", unit.stage, unit.name), unit.took.as_secs_f64());
    match &unit.end {
        Ok(report) if report.tests() == 0 => println!("  ok      {seconds:>6.1} s  {label}"),
        Ok(report) => println!("  ok      {seconds:>6.1} s  {label}: {} tests", report.tests()),
        Err(skip) if skip.is::<Skip>() => println!("  SKIPPED {seconds:>6.1} s  {label}: {skip}"),
        Err(_) if interrupt::requested() => {}
        Err(error) => {
            let output = fs::read(log).unwrap_or_default();
            let output = String::from_utf8_lossy(&output);
            println!(
                "\n!!! FAILED {label}, {seconds:.1} s: {error:#}\n{output}\n!!! end of {label}\n"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_unit_does_not_stop_the_others() {
        let shell = |name: &'static str, script: &str| {
            let step = Invocation::new("/bin/sh").args(["-c", script]);
            Unit::tests("runner-test", name, Format::Libtest, step)
        };
        let ended = run(vec![
            shell("one", "echo 'test a ... ok'"),
            shell("two", "exit 1"),
            shell("three", "sleep 0.1; echo 'test b ... ok'; echo 'test c ... ok'"),
        ])
        .unwrap();
        let of = |name| &ended.iter().find(|it| it.name == name).unwrap().end;
        assert_eq!(of("one").as_ref().unwrap().tests(), 1);
        assert!(of("two").is_err());
        assert_eq!(of("three").as_ref().unwrap().tests(), 2);
    }
}
