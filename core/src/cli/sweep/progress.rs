//! How far a sweep is, on stderr: one line that is rewritten on a terminal, a line every few
//! seconds elsewhere.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use crate::cli::output;
use crate::migration::SweepReport;

const ON_TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    began: Instant,
    told: Instant,
    report: SweepReport,
    terminal: bool,
    /// Whether a line is on the terminal that the next one replaces.
    open: bool,
}

impl Progress {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        let report = SweepReport::default();
        Self { began: now, told: now, report, terminal: stderr().is_terminal(), open: false }
    }

    pub(super) fn tell(&mut self, report: &SweepReport) {
        self.report = *report;
        let every = if self.terminal { ON_TERMINAL } else { ELSEWHERE };
        if self.told.elapsed() >= every {
            self.told = Instant::now();
            self.write();
        }
    }

    /// The last line, with what has been met altogether.
    pub(super) fn end(&mut self) {
        self.write();
        if self.open {
            output::message("\n");
        }
    }

    pub(super) const fn last(&self) -> SweepReport {
        self.report
    }

    fn write(&mut self) {
        let line = line(&self.report, self.began.elapsed());
        if self.terminal {
            // To the beginning of the line, and clear what was there.
            output::message(&format!("\r\x1b[K{line}"));
            self.open = true;
        } else {
            output::message(&format!("{line}\n"));
        }
    }
}

fn line(report: &SweepReport, taken: Duration) -> String {
    let rate = u128::from(report.scanned) * 1000 / taken.as_millis().max(1);
    let SweepReport { scanned, converted, logged_out, .. } = report;
    format!("{scanned} keys seen, {converted} taken over, {logged_out} logged out, {rate} keys/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_whole_run() {
        let mut report = SweepReport::default();
        (report.scanned, report.converted) = (5_000, 4_000);
        let told = line(&report, Duration::from_secs(2));
        assert_eq!(told, "5000 keys seen, 4000 taken over, 0 logged out, 2500 keys/s");
        assert!(line(&report, Duration::ZERO).ends_with("5000000 keys/s"));
    }
}
