//! Running what was built: several units at a time, the output of each in a file of its own.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::checkout;
use crate::interrupt;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::report::{Format, Report};

/// How often it is said what runs, where nothing ends.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// More than this at a time compete for more than the processor: memory, ports, the disk.
const WORKERS: usize = 4;

type Work = Box<dyn FnOnce(&Path) -> Result<Report, Stop> + Send>;

/// Something that runs on its own: a test executable, a file of tests, a suite of another language.
pub(crate) struct Unit {
    pub(crate) stage: &'static str,
    pub(crate) name: String,
    work: Work,
}

/// A unit that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stage: &'static str,
    pub(crate) name: String,
    pub(crate) took: Duration,
    pub(crate) end: Result<Report, Stop>,
}

impl Unit {
    /// Does this; the path is where its output belongs.
    pub(crate) fn new(
        stage: &'static str,
        name: impl Into<String>,
        work: impl FnOnce(&Path) -> Result<Report, Stop> + Send + 'static,
    ) -> Self {
        Self { stage, name: name.into(), work: Box::new(work) }
    }

    /// Runs a program that runs tests. `expected` are their names, where the runner does not say which have begun.
    pub(crate) fn tests(
        stage: &'static str,
        name: impl Into<String>,
        format: Format,
        expected: Vec<String>,
        invocation: Invocation,
    ) -> Self {
        Self::new(stage, name, move |log| Ok(invocation.run_tests(format, expected, log)?))
    }

    fn log(&self) -> PathBuf {
        let name = format!("{}-{}.log", self.stage, self.name);
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
        logs().join(name.chars().map(plain).collect::<String>())
    }
}

/// Where the output of all units is.
fn logs() -> PathBuf {
    checkout::root().join("target/test-logs")
}

/// The units that wait and those that run.
struct Queue {
    waiting: VecDeque<Unit>,
    running: Vec<(String, Instant)>,
    ended: Vec<Ended>,
}

/// Runs all of these, begun in this order, and gives how each ended. Says of each that it has; of one that failed,
/// all that it printed.
///
/// # Errors
/// There is no place for the output.
pub(crate) fn run(units: Vec<Unit>) -> Result<Vec<Ended>> {
    std::fs::create_dir_all(logs())?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
    let count = units.len();
    println!(
        "\n=== running {count} units, {workers} at a time; their output: {}",
        checkout::relative(&logs())
    );
    let queue = Mutex::new(Queue { waiting: units.into(), running: Vec::new(), ended: Vec::new() });
    let one_ended = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&queue, &one_ended));
        }
        let mut guard = lock(&queue);
        while guard.ended.len() < count && !interrupt::requested() {
            let before = guard.ended.len();
            let waited = one_ended.wait_timeout(guard, SAY_EVERY);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
            if guard.ended.len() == before {
                let now = Instant::now();
                let running = guard.running.iter().map(|(name, since)| {
                    format!("{name} ({} s)", now.duration_since(*since).as_secs())
                });
                println!("  ... running: {}", running.collect::<Vec<_>>().join(", "));
            }
        }
    });
    Ok(std::mem::take(&mut lock(&queue).ended))
}

/// Takes units until there are none.
fn work(queue: &Mutex<Queue>, one_ended: &Condvar) {
    loop {
        let mut guard = lock(queue);
        let Some(unit) = guard.waiting.pop_front().filter(|_| !interrupt::requested()) else {
            return;
        };
        let (label, started) = (format!("{} {}", unit.stage, unit.name), Instant::now());
        guard.running.push((label.clone(), started));
        drop(guard);
        let log = unit.log();
        let end = (unit.work)(&log);
        let took = started.elapsed();
        let mut guard = lock(queue);
        say(&label, took, &end, &log);
        guard.running.retain(|(running, _)| *running != label);
        guard.ended.push(Ended { stage: unit.stage, name: unit.name, took, end });
        one_ended.notify_all();
    }
}

fn say(label: &str, took: Duration, end: &Result<Report, Stop>, log: &Path) {
    let seconds = took.as_secs_f64();
    match end {
        Ok(report) if report.tests() == 0 => println!("  ok      {seconds:>6.1} s  {label}"),
        Ok(report) => println!("  ok      {seconds:>6.1} s  {label}: {} tests", report.tests()),
        Err(Stop::Skip(reason)) => println!("  SKIPPED {seconds:>6.1} s  {label}: {reason}"),
        Err(Stop::Fail(_)) if interrupt::requested() => {}
        Err(Stop::Fail(error)) => {
            let output = std::fs::read(log).unwrap_or_default();
            let output = String::from_utf8_lossy(&output);
            println!(
                "\n!!! FAILED {label}, {seconds:.1} s: {error:#}\n{output}\n!!! end of {label}\n"
            );
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_ends_and_one_failure_hides_no_other() {
        let shell = |name: &'static str, script: &str| {
            let step = Invocation::new("/bin/sh").args(["-c", script]);
            Unit::tests("runner-test", name, Format::Libtest, Vec::new(), step)
        };
        let ended = run(vec![
            shell("one", "echo 'test a ... ok'"),
            shell("two", "exit 1"),
            shell("three", "echo 'test b ... ok'; echo 'test c ... ok'"),
        ])
        .unwrap();
        let of = |name| ended.iter().find(|it| it.name == name).unwrap();
        assert_eq!(of("one").end.as_ref().unwrap().tests(), 1);
        assert!(of("two").end.is_err());
        assert_eq!(of("three").end.as_ref().unwrap().tests(), 2);
        for name in ["one", "two", "three"] {
            std::fs::remove_file(logs().join(format!("runner-test-{name}.log"))).unwrap();
        }
    }
}
