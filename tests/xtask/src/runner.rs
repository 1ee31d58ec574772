//! Runs the built tests: several units in parallel, each with its own log file. They begin while others are still being
//! compiled: a build leaves a processor idle for half of its time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::checkout;
use crate::interrupt;
use crate::process::{Invocation, Skip};
use crate::report::{self, Format, Report};

/// How often running units are printed while none ends.
const STATUS_EVERY: Duration = Duration::from_secs(30);
/// How often a worker without a unit looks whether the user interrupts.
const INTERRUPT_EVERY: Duration = Duration::from_millis(200);
/// Upper bound of concurrent units; beyond it they compete for memory and the disk.
const MAX_WORKERS: usize = 4;
/// How many units run while others are being compiled.
const BESIDE_COMPILER: usize = 2;
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
    /// What its output says about a failure.
    pub(crate) excerpt: String,
}

/// Units that wait to be run.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: Vec<Unit>,
    /// With their starts.
    running: Vec<(String, Instant)>,
    /// No more are added.
    complete: bool,
}

impl Queue {
    pub(crate) fn add(&self, units: Vec<Unit>) {
        self.lock().waiting.extend(units);
        self.changed.notify_all();
    }

    fn complete(&self) {
        self.lock().complete = true;
        self.changed.notify_all();
    }

    /// The next unit for the worker of this number, and its label; `None` once there are no more.
    fn next(&self, worker: usize) -> Option<(Unit, String)> {
        let mut state = self.lock();
        loop {
            if interrupt::requested() {
                return None;
            }
            if (state.complete || worker < BESIDE_COMPILER) && !state.waiting.is_empty() {
                let rank = |unit: &Unit| {
                    LONG.iter().position(|stage| *stage == unit.stage).unwrap_or(LONG.len())
                };
                let ranks = state.waiting.iter().map(rank).enumerate();
                let first = ranks.min_by_key(|(index, rank)| (*rank, *index))?.0;
                let unit = state.waiting.remove(first);
                let label = format!("{} {}", unit.stage, unit.name);
                state.running.push((label.clone(), Instant::now()));
                return Some((unit, label));
            }
            if state.complete {
                return None;
            }
            let waited = self.changed.wait_timeout(state, INTERRUPT_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn ended(&self, label: &str) {
        self.lock().running.retain(|(other, _)| other != label);
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs all units that `fill` adds to the queue, from the first one on, and returns what `fill` returns and their
/// results. Prints a line per unit, and the whole log of a failed one.
///
/// # Errors
/// That of `fill`; or the log folder cannot be written.
pub(crate) fn run<T>(fill: impl FnOnce(&Queue) -> Result<T>) -> Result<(T, Vec<Ended>)> {
    let folder = checkout::path("target/test-logs");
    fs::create_dir_all(&folder)?;
    // Twice the number of processors: most units wait for half of their time, for servers and for tokens to expire.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (2 * processors).min(MAX_WORKERS);
    let queue = Queue::default();
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (sender, queue, folder) = (sender.clone(), &queue, &folder);
            scope.spawn(move || {
                while let Some((unit, label)) = queue.next(worker) {
                    let end = run_unit(unit, folder);
                    queue.ended(&label);
                    // Nobody listens after an interrupt.
                    let _ = sender.send(end);
                }
            });
        }
        drop(sender);
        let printer = {
            let queue = &queue;
            scope.spawn(move || print_results(queue, results))
        };
        let filled = fill(&queue);
        if filled.is_err() {
            queue.lock().waiting.clear();
        }
        let (count, logs) = (queue.lock().waiting.len(), checkout::relative(&folder));
        println!("\n=== running {count} more units, {workers} at a time; their output: {logs}");
        queue.complete();
        let ended = printer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((filled?, ended))
    })
}

/// Prints what ends, and now and then what is running; returns the results.
fn print_results(queue: &Queue, results: Receiver<(Ended, PathBuf)>) -> Vec<Ended> {
    let mut ended = Vec::new();
    loop {
        match results.recv_timeout(STATUS_EVERY) {
            Ok((unit, log)) => {
                print(&unit, &log);
                ended.push(unit);
            }
            Err(RecvTimeoutError::Timeout) => {
                let state = queue.lock();
                let seconds = |(name, since): &(String, Instant)| {
                    format!("{name} ({} s)", since.elapsed().as_secs())
                };
                let running: Vec<_> = state.running.iter().map(seconds).collect();
                if !running.is_empty() {
                    println!("  ... running: {}", running.join(", "));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return ended,
        }
    }
}

/// Runs a unit; also returns its log.
fn run_unit(unit: Unit, folder: &Path) -> (Ended, PathBuf) {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let name = format!("{}-{}.log", unit.stage, unit.name);
    let log = folder.join(name.chars().map(plain).collect::<String>());
    let started = Instant::now();
    let end = (unit.work)(&log);
    let took = started.elapsed();
    let failed = end.as_ref().is_err_and(|error| !error.is::<Skip>());
    let excerpt = if failed { report::excerpt(&output(&log)) } else { String::new() };
    (Ended { stage: unit.stage, name: unit.name, took, end, excerpt }, log)
}

fn print(unit: &Ended, log: &Path) {
    let (label, seconds) = (format!("{} {}", unit.stage, unit.name), unit.took.as_secs_f64());
    match &unit.end {
        Ok(report) if report.tests() == 0 => println!("  ok      {seconds:>6.1} s  {label}"),
        Ok(report) => println!("  ok      {seconds:>6.1} s  {label}: {} tests", report.tests()),
        Err(skip) if skip.is::<Skip>() => println!("  SKIPPED {seconds:>6.1} s  {label}: {skip}"),
        Err(_) if interrupt::requested() => {}
        Err(error) => {
            let output = output(log);
            println!(
                "\n!!! FAILED {label}, {seconds:.1} s: {error:#}\n{output}\n!!! end of {label}\n"
            );
        }
    }
}

/// What a unit printed; empty if nothing.
fn output(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
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
        let add = |queue: &Queue| {
            queue.add(vec![shell("one", "echo 'test a ... ok'"), shell("two", "exit 1")]);
            queue.add(vec![shell("three", "echo 'test b ... ok'; echo 'test c ... ok'")]);
            Ok(())
        };
        let ((), ended) = run(add).unwrap();
        let of = |name| &ended.iter().find(|it| it.name == name).unwrap().end;
        assert_eq!(of("one").as_ref().unwrap().tests(), 1);
        assert!(of("two").is_err());
        assert_eq!(of("three").as_ref().unwrap().tests(), 2);
    }

    #[test]
    fn units_run_while_others_are_compiled_the_long_ones_first() {
        let (sender, done) = mpsc::channel();
        let unit = |stage: &'static str| {
            let sender = sender.clone();
            Unit::new(stage, "runner-test", move |_| {
                sender.send(stage).unwrap();
                Ok(Report::new(Format::Plain, Vec::new()))
            })
        };
        let add = |queue: &Queue| {
            queue.add(vec![unit("node")]);
            let first = done.recv_timeout(Duration::from_secs(60)).unwrap();
            let state =
                QueueState { waiting: vec![unit("node"), unit("rust")], ..QueueState::default() };
            let later = Queue { state: state.into(), changed: Condvar::new() };
            assert!(later.next(BESIDE_COMPILER - 1).is_some_and(|(unit, _)| unit.stage == "rust"));
            Ok(first)
        };
        assert_eq!(run(add).unwrap().0, "node");
    }

    #[test]
    fn what_is_left_when_compiling_is_interrupted_does_not_run() {
        let queue = Queue::default();
        queue.complete();
        assert!(queue.next(0).is_none());
        assert!(run::<()>(|_| anyhow::bail!("interrupted")).is_err());
    }
}
