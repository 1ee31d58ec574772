//! Prints the progress of a long run to standard error.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// The time between two lines about one step.
const SPEAK_EVERY: Duration = Duration::from_secs(5);

/// Prints lines prefixed with the time since the run began.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now() }
    }

    pub(crate) fn say(&self, line: impl Display) {
        let seconds = self.began.elapsed().as_secs();
        eprintln!("[{}:{:02}] {line}", seconds / 60, seconds % 60);
    }

    /// A step of `total` parts, which prints every few seconds how many are done.
    pub(crate) fn step(&self, name: impl Into<String>, total: u64) -> Step<'_> {
        Step { progress: self, name: name.into(), total, spoke: Instant::now() }
    }
}

/// See [`Progress::step`].
#[derive(Debug)]
pub(crate) struct Step<'a> {
    progress: &'a Progress,
    name: String,
    total: u64,
    spoke: Instant,
}

impl Step<'_> {
    pub(crate) fn done(&mut self, parts: u64) {
        if self.spoke.elapsed() >= SPEAK_EVERY {
            self.spoke = Instant::now();
            self.progress.say(format_args!("  {}: {parts} of {}", self.name, self.total));
        }
    }
}
