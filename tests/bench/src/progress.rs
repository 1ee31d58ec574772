//! Tells on standard error how far a long run is.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Between two lines about one step.
const SPEAK_EVERY: Duration = Duration::from_secs(5);

/// The time since a run began, in front of each line.
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

    /// A step of `total` parts, which says every few seconds how many are done.
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
