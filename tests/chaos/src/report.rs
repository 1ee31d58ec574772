//! What a scenario ends with.

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
    /// What is wrong, if something is.
    pub(crate) fn failure(&self) -> Option<String> {
        let tally = &self.tally;
        let mut wrong = Vec::new();
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        demand(tally.logged_out.get() == 0, "honest clients were logged out");
        demand(tally.back_from_good.get() == 0, "ended sessions were accepted again");
        demand(tally.caught.get() == tally.planted.get(), "thefts were not seen");
        demand(tally.refreshes.get() > 0, "nobody refreshed");
        demand(tally.planted.get() > 0, "no theft was planted");
        demand(self.failovers + self.faults > 0, "there was no fault");
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
    "logged out",
    "logouts",
    "back",
    "unsure",
    "back of these",
    "thefts caught",
];

/// The table of all reports, as Markdown.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows[0].push("acts".to_owned());
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
        tally.ended_for_good.get().to_string(),
        tally.back_from_good.get().to_string(),
        tally.ended_unsurely.get().to_string(),
        tally.back_from_unsure.get().to_string(),
        format!("{} of {}", tally.caught.get(), tally.planted.get()),
        tally.most_acts().to_string(),
        format!("{:.1} s", tally.slowest_recovery().as_secs_f64()),
    ]
}

/// What the columns mean.
pub(crate) const LEGEND: &str = "\
503: answered \"try again\"; 409: \"try again with your newest token\". logouts: acknowledged and on
replicas (or on the disk of the only server), of which `back` were accepted again later: must be 0.
unsure: acknowledged while too few replicas had it, which the caller is told. acts: the most acts of
both holders that it took to catch a theft: 3, and more where the store was rolled back meanwhile.
slowest recovery: the longest that any client had to try until it had an answer.";
