//! Runs the built tests: several units in parallel, each with its own log file.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::checkout;
use crate::interrupt;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::report::{Format, Report};

/// How often running units are printed while none ends.
const STATUS_EVERY: Duration = Duration::from_secs(30);
/// Upper bound of concurrent units; beyond it they compete for memory and the disk.
const MAX_WORKERS: usize = 4;

type Work = Box<dyn FnOnce(&Path) -> Result<Report, Stop> + Send>;

/// An independent piece of work: a test executable, a test file, a suite of another language.
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
    /// A unit with this work, which receives the path of its log.
    pub(crate) fn new(
        stage: &'static str,
        name: impl Into<String>,
        work: impl FnOnce(&Path) -> Result<Report, Stop> + Send + 'static,
    ) -> Self {
        Self { stage, name: name.into(), work: Box::new(work) }
    }

    /// A unit that runs a test program. `expected` names the tests, if the runner does not print their start.
    pub(crate) fn tests(
        stage: &'static str,
        name: impl Into<String>,
        format: Format,
        expected: Vec<String>,
        invocation: Invocation,
    ) -> Self {
        Self::new(stage, name, move |log| Ok(invocation.run_tests(format, expected, log)?))
    }

    fn label(&self) -> String {
        format!("{} {}", self.stage, self.name)
    }

    fn log(&self, folder: &Path) -> PathBuf {
        let name = format!("{}-{}.log", self.stage, self.name);
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
        folder.join(name.chars().map(plain).collect::<String>())
    }
}

/// The folder of the logs.
fn logs() -> PathBuf {
    checkout::root().join("target/test-logs")
}

/// How long each unit took when it last succeeded, in milliseconds.
#[derive(Default)]
struct Times(BTreeMap<String, u64>);

impl Times {
    /// Reads the times of earlier runs, if any.
    fn read(file: &Path) -> Self {
        let text = std::fs::read(file).unwrap_or_default();
        Self(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// A unit without a recorded time sorts first.
    fn of(&self, label: &str) -> u64 {
        self.0.get(label).copied().unwrap_or(u64::MAX)
    }

    fn write(&mut self, file: &Path, ended: &[Ended]) -> Result<()> {
        for unit in ended.iter().filter(|unit| unit.end.is_ok()) {
            let milliseconds = u64::try_from(unit.took.as_millis()).unwrap_or(u64::MAX);
            self.0.insert(format!("{} {}", unit.stage, unit.name), milliseconds);
        }
        Ok(std::fs::write(file, serde_json::to_vec_pretty(&self.0)?)?)
    }
}

/// Waiting, running and ended units.
struct Queue {
    waiting: VecDeque<Unit>,
    running: Vec<(String, Instant)>,
    ended: Vec<Ended>,
}

/// Runs all units and returns their results. Prints a line per unit, and the whole log of a failed one. The units that
/// took longest last time start first, so that a long unit does not run alone at the end.
///
/// # Errors
/// The log folder cannot be written.
pub(crate) fn run(units: Vec<Unit>) -> Result<Vec<Ended>> {
    run_in(&logs(), units)
}

fn run_in(folder: &Path, mut units: Vec<Unit>) -> Result<Vec<Ended>> {
    std::fs::create_dir_all(folder)?;
    let times_file = folder.join("times.json");
    let mut times = Times::read(&times_file);
    units.sort_by_key(|unit| std::cmp::Reverse(times.of(&unit.label())));
    // One more than the number of processors: the end-to-end suites mostly wait for tokens to expire.
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .saturating_add(1)
        .min(MAX_WORKERS);
    let count = units.len();
    println!(
        "\n=== running {count} units, {workers} at a time; their output: {}",
        checkout::relative(folder)
    );
    let queue = Mutex::new(Queue { waiting: units.into(), running: Vec::new(), ended: Vec::new() });
    let one_ended = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(folder, &queue, &one_ended));
        }
        let mut guard = lock(&queue);
        while guard.ended.len() < count && !interrupt::requested() {
            let before = guard.ended.len();
            let waited = one_ended.wait_timeout(guard, STATUS_EVERY);
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
    let ended = std::mem::take(&mut lock(&queue).ended);
    times.write(&times_file, &ended)?;
    Ok(ended)
}

/// Runs units until the queue is empty.
fn work(folder: &Path, queue: &Mutex<Queue>, one_ended: &Condvar) {
    loop {
        let mut guard = lock(queue);
        let Some(unit) = guard.waiting.pop_front().filter(|_| !interrupt::requested()) else {
            return;
        };
        let (label, started) = (unit.label(), Instant::now());
        guard.running.push((label.clone(), started));
        drop(guard);
        let log = unit.log(folder);
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
    fn a_failing_unit_does_not_stop_the_others() {
        let shell = |name: &'static str, script: &str| {
            let step = Invocation::new("/bin/sh").args(["-c", script]);
            Unit::tests("runner-test", name, Format::Libtest, Vec::new(), step)
        };
        let folder = tempfile::tempdir().unwrap();
        let units = vec![
            shell("one", "echo 'test a ... ok'"),
            shell("two", "exit 1"),
            shell("three", "sleep 0.1; echo 'test b ... ok'; echo 'test c ... ok'"),
        ];
        let ended = run_in(folder.path(), units).unwrap();
        let of = |name| ended.iter().find(|it| it.name == name).unwrap();
        assert_eq!(of("one").end.as_ref().unwrap().tests(), 1);
        assert!(of("two").end.is_err());
        assert_eq!(of("three").end.as_ref().unwrap().tests(), 2);
        let times = Times::read(&folder.path().join("times.json"));
        assert!(times.of("runner-test three") >= 100 && times.of("runner-test one") < u64::MAX);
        assert_eq!(times.of("runner-test two"), u64::MAX);
    }
}
