//! How fast refresh tokens rotate, against the raw limit: the server's own benchmark program with the
//! same statements.

mod contest;
mod contestants;
mod node;
mod pgbench;
pub(super) mod postgres;
pub(super) mod redis;
mod redis_benchmark;
mod turn;

use self::contest::Contest;
use self::turn::Turn;
use crate::report::{Report, Table};
use crate::statistics::grouped;

/// The numbers of concurrent callers.
const CONCURRENCY: [usize; 2] = [1, 50];

/// The targets: shares of the raw rate.
const TARGETS: [(&str, f64); 2] = [("Auth", 0.85), ("Node", 0.6)];

/// Adds a contest; its targets are shares of the rate of `baseline`.
fn add(report: &mut Report, contest: &Contest, baseline: &str) {
    report.text(format!("### {}", contest.title())).table(&table(contest));
    for (name, target) in TARGETS {
        let Some(ratio) = contest.ratio(name, baseline) else { continue };
        report.check(
            format!("rotations, {name}, {}, of {baseline}", contest.title()),
            format!("{ratio:.2}"),
            format!("≥ {target}"),
            ratio.median() >= target,
        );
    }
}

/// A column of medians.
struct Column {
    name: &'static str,
    value: fn(&Turn) -> Option<f64>,
    /// The number of decimals.
    places: usize,
}

const COLUMNS: [Column; 7] = [
    Column { name: "p50 µs", value: |turn| Some(turn.p50), places: 0 },
    Column { name: "p99 µs", value: |turn| Some(turn.p99), places: 0 },
    Column { name: "commands", value: Turn::round_trips, places: 2 },
    Column { name: "server CPU µs", value: |turn| Some(turn.server_micros()), places: 1 },
    Column { name: "client CPU µs", value: Turn::client_micros, places: 1 },
    Column { name: "bytes to server", value: Turn::bytes_in, places: 0 },
    Column { name: "bytes back", value: Turn::bytes_out, places: 0 },
];

impl Column {
    fn is_known(&self, contest: &Contest) -> bool {
        contest.names().iter().any(|name| contest.median(name, self.value).is_some())
    }
}

fn table(contest: &Contest) -> Table {
    let baselines = contest.baselines();
    let columns: Vec<_> = COLUMNS.iter().filter(|column| column.is_known(contest)).collect();
    let mut header = vec!["".to_owned(), "refreshes/s".to_owned()];
    header.extend(baselines.iter().map(|name| format!("of `{name}`")));
    header.extend(columns.iter().map(|column| column.name.to_owned()));
    let mut table = Table::new(header);
    for name in contest.names() {
        let Some(rate) = contest.median(name, |turn| Some(turn.rate)) else { continue };
        let mut row = vec![format!("`{name}`"), grouped(rate)];
        for baseline in baselines {
            let ratio = contest.ratio(name, baseline).filter(|_| name != baseline);
            row.push(ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
        }
        row.extend(columns.iter().map(|Column { value, places, .. }| {
            let value = contest.median(name, *value);
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.places$}"))
        }));
        table.row(row);
    }
    table
}
