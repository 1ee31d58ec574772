//! The results of scenarios, as a table.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use crate::load::Tally;
use crate::peer::PeerCounts;

/// One line of the table.
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) took: Duration,
    /// Failovers and restarts of servers.
    pub(crate) failovers: u32,
    /// Other faults.
    pub(crate) faults: u32,
    pub(crate) tally: Arc<Tally>,
    /// The memory that repeated requests took.
    pub(crate) growth: Option<Growth>,
    /// The control, if it ran.
    pub(crate) peer: Option<PeerCounts>,
    pub(crate) finding: Finding,
}

/// What a scenario has found out.
pub(crate) enum Finding {
    /// Whether the store holds what it promises.
    Verdict,
    /// Nothing: this machine cannot run the scenario.
    Skipped,
    /// Whether the load notices stores that are broken on purpose. It did not notice these.
    Unnoticed(Vec<String>),
}

/// The memory that repeated requests took, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// Of the server.
    pub(crate) server: u64,
    /// Of the processes of the app.
    pub(crate) process: u64,
    /// Of the server of the control.
    pub(crate) peer: u64,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [server, process] = [self.server, self.process].map(megabytes);
        write!(f, "{server:.1} MB more in the server and {process:.1} MB in the app")
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Report {
    /// What failed, if anything.
    pub(crate) fn failure(&self) -> Option<String> {
        match &self.finding {
            Finding::Verdict => {}
            Finding::Skipped => return None,
            Finding::Unnoticed(stores) if stores.is_empty() => return None,
            Finding::Unnoticed(stores) => {
                let stores = stores.join(", ");
                return Some(format!("{}: the load did not notice: {stores}", self.scenario));
            }
        }
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
    aligned(&rows)
}

fn aligned(rows: &[Vec<String>]) -> String {
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
        growth: None,
        peer: None,
        finding: Finding::Verdict,
    }
}

fn row(report: &Report) -> Vec<String> {
    let tally = &report.tally;
    vec![
        match &report.finding {
            Finding::Verdict => report.scenario.to_owned(),
            Finding::Skipped => format!("{} (skipped)", report.scenario),
            Finding::Unnoticed(stores) => {
                format!("{} ({} unnoticed)", report.scenario, stores.len())
            }
        },
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

/// The zeros that a run is about, beside the numbers of the control.
pub(crate) fn summary(reports: &[Report]) -> String {
    let Report { tally, .. } = total(reports);
    let mut peer = PeerCounts::default();
    reports.iter().filter_map(|report| report.peer).for_each(|it| peer.include(&it));
    let undetected = tally.committed.get().saturating_sub(tally.detected.get());
    let mut text = String::new();
    let mut line = |what: String| {
        text.push_str(&what);
        text.push('\n');
    };
    line(format!(
        "honest clients signed out: {} of {} (control: {} of {})",
        tally.logged_out.get(),
        tally.honest.get(),
        peer.signed_out,
        peer.honest,
    ));
    line(format!(
        "acknowledged logouts forgotten: {} of {} (control: {} of {})",
        tally.returned_durable.get(),
        tally.revoked_durably.get(),
        peer.forgotten,
        peer.logouts,
    ));
    line(format!("thefts not detected: {undetected} of {}", tally.committed.get()));
    for report in reports {
        let Some(growth) = report.growth else { continue };
        let calls = report.tally.endless.get();
        let of_peer = report.peer.map_or(0, |peer| peer.endless);
        line(format!(
            "memory after {calls} repeated requests: {growth} (control: {:.1} MB after {of_peer})",
            megabytes(growth.peer)
        ));
    }
    let mut rows = vec![PEER_HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(reports.iter().filter_map(|report| Some((report, report.peer?))).map(
        |(report, peer)| {
            vec![
                report.scenario.to_owned(),
                format!("{} of {}", report.tally.logged_out.get(), report.tally.honest.get()),
                format!("{} of {}", peer.signed_out, peer.honest),
                report.tally.returned_durable.get().to_string(),
                format!("{} of {}", peer.forgotten, peer.logouts),
                format!("{} of {}", report.tally.unavailable.get(), report.tally.refreshes.get()),
                format!("{} of {}", peer.failed, peer.refreshes),
            ]
        },
    ));
    if rows.len() == 1 {
        line(
            "The control did not run: it needs Redis, Node.js and `npm ci` in tests/chaos/node."
                .to_owned(),
        );
        return text;
    }
    format!(
        "{text}\nControl: a strict rotation on ioredis under the same faults, whose clients lose no answers otherwise.\n\n{}",
        aligned(&rows)
    )
}

const PEER_HEADINGS: [&str; 7] = [
    "scenario",
    "signed out",
    "control",
    "forgotten",
    "control",
    "repeated per refreshes",
    "control",
];
