//! The results of scenarios, as a table.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::load::Tally;

/// One line of the table.
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) took: Duration,
    /// Failovers and restarts of servers.
    pub(crate) failovers: u32,
    /// Other faults.
    pub(crate) faults: u32,
    pub(crate) tally: Arc<Tally>,
}

impl Report {
    /// What failed, if anything.
    pub(crate) fn failure(&self) -> Option<String> {
        let tally = &self.tally;
        let mut wrong = Vec::new();
        let mut require = |holds: bool, what: &str| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        require(tally.logged_out.get() == 0, "honest clients were signed out");
        require(tally.returned_durable.get() == 0, "revoked sessions were accepted again");
        require(tally.detected.get() == tally.committed.get(), "thefts were not detected");
        require(tally.refreshes.get() > 0, "there was no refresh");
        require(tally.committed.get() > 0, "no theft was committed");
        require(self.failovers + self.faults > 0, "there was no fault");
        (!wrong.is_empty()).then(|| format!("{}: {}", self.scenario, wrong.join(", ")))
    }
}

const HEADINGS: [&str; 14] = [
    "scenario",
    "seconds",
    "failovers",
    "other faults",
    "refreshes",
    "503",
    "409",
    "honest",
    "signed out",
    "logouts",
    "accepted again",
    "unreplicated",
    "of these",
    "thefts detected",
];

/// The table of all reports, as Markdown.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows[0].push("to detect".to_owned());
    rows[0].push("slowest recovery".to_owned());
    rows.extend(reports.iter().map(row));
    if reports.len() > 1 {
        rows.push(row(&total(reports)));
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing into a String cannot fail.
            let _ = write!(text, "| {cell:>width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

fn total(reports: &[Report]) -> Report {
    let tally = Tally::default();
    reports.iter().for_each(|report| tally.include(&report.tally));
    Report {
        scenario: "all",
        took: reports.iter().map(|report| report.took).sum(),
        failovers: reports.iter().map(|report| report.failovers).sum(),
        faults: reports.iter().map(|report| report.faults).sum(),
        tally: Arc::new(tally),
    }
}

fn row(report: &Report) -> Vec<String> {
    let tally = &report.tally;
    vec![
        report.scenario.to_owned(),
        report.took.as_secs().to_string(),
        report.failovers.to_string(),
        report.faults.to_string(),
        tally.refreshes.get().to_string(),
        tally.unavailable.get().to_string(),
        tally.superseded.get().to_string(),
        tally.honest.get().to_string(),
        tally.logged_out.get().to_string(),
        tally.revoked_durably.get().to_string(),
        tally.returned_durable.get().to_string(),
        tally.revoked_unreplicated.get().to_string(),
        tally.returned_unreplicated.get().to_string(),
        format!("{} of {}", tally.detected.get(), tally.committed.get()),
        tally.most_refreshes().to_string(),
        format!("{:.1} s", tally.slowest_recovery().as_secs_f64()),
    ]
}

/// What the columns mean.
pub(crate) const LEGEND: &str = "\
503: answered \"try again\"; 409: \"try again with your newest token\". logouts: acknowledged and on
replicas (or on the disk of the only server); `accepted again` counts those whose tokens
worked later: must be 0. unreplicated: acknowledged and reported as not on enough replicas;
`of these` were accepted again. to detect: the most refreshes of both clients until a theft was
detected: 3, and more where the store was rolled back meanwhile. slowest recovery: the longest time
that a client had to retry until it got an answer.";
