//! How fast refresh tokens rotate, against the raw limit: `redis-benchmark` with the same script.

mod contest;
mod contestants;
mod node;
mod raw;
mod turn;

use anyhow::Result;

use self::contest::Contest;
use self::contestants::Contestant;
use self::turn::Turn;
use crate::context::Context;
use crate::population::{LABEL, Population};
use crate::report::{Report, Table};
use crate::server::Server;
use crate::statistics::grouped;

/// The numbers of concurrent callers.
const CONCURRENCY: [usize; 2] = [1, 50];

/// The targets: shares of the raw rate.
const TARGET_RUST: f64 = 0.85;
const TARGET_NODE: f64 = 0.6;

const HOW: &str = "\
`redis-benchmark` sends exactly the command that the store sends (taken from `MONITOR`, the user's number replaced by a random one), \
so script, arguments and records are the same; every call writes. The contestants take turns in each round; each ratio is of two \
turns of the same round, and the table shows the median over the rounds (and the minimum and maximum). \
`store` is `SessionStore::refresh` with the same first token presented again without a grace, as the raw calls do. `Auth` is \
`Auth::refresh`: the newest token of a random user is verified, exchanged, and the next pair is signed; `then verify` also verifies the new access token, \
and its use is reported to the store in the background. \
Server and clients share the cores. All of regrant's callers share one connection, as they do in an app: \
so 50 callers are compared with 50 connections of one call each, and with one connection that has 50 calls in flight.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    context.block_on(async {
        let mut server = Server::start()?;
        let users = context.plan.rotation_users;
        context.progress.say(format_args!("{users} users"));
        let all = Population { users: 0..users, sessions_each: 1, device: LABEL };
        all.fill(&server.store()?, &context.progress).await?;
        let contestants = Contestant::all(context, &server).await?;
        let mut contests = Vec::new();
        for concurrency in CONCURRENCY {
            contests.push(Contest::run(context, &mut server, &contestants, concurrency).await?);
        }
        Ok(report(&contests))
    })
}

fn report(contests: &[Contest]) -> Report {
    let mut report = Report::new("Rotation");
    report.text(HOW);
    for contest in contests {
        report.text(format!("### {} at once", contest.concurrency)).table(&table(contest));
        for (name, target) in [("Auth", TARGET_RUST), ("Node", TARGET_NODE)] {
            let Some(ratio) = contest.ratio(name, contest.baseline()) else { continue };
            report.check(
                format!("rotations, {name}, {} at once, of redis-benchmark's", contest.concurrency),
                format!("{ratio:.2}"),
                format!("≥ {target}"),
                ratio.median() >= target,
            );
        }
        if let Some(trips) = contest.round_trips("Auth") {
            report.check(
                format!("round trips per refresh, {} at once", contest.concurrency),
                format!("{trips:.3}"),
                "1",
                (0.999..1.001).contains(&trips),
            );
        }
    }
    report
}

fn table(contest: &Contest) -> Table {
    let baselines = contest.baselines();
    let mut header = vec!["".to_owned(), "refreshes/s".to_owned()];
    header.extend(baselines.iter().map(|name| format!("of `{name}`")));
    header.extend(
        [
            "p50 µs",
            "p99 µs",
            "commands",
            "server CPU µs",
            "client CPU µs",
            "bytes to server",
            "bytes back",
        ]
        .map(str::to_owned),
    );
    let mut table = Table::new(header);
    for name in contest.names() {
        let Some(rate) = contest.median(name, |turn| Some(turn.rate)) else { continue };
        let mut row = vec![format!("`{name}`"), grouped(rate)];
        for baseline in baselines {
            let ratio = contest.ratio(name, baseline).filter(|_| name != baseline);
            row.push(ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
        }
        let median = |what: fn(&Turn) -> Option<f64>, places| {
            let value = contest.median(name, what);
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.places$}"))
        };
        row.extend([
            median(|turn| Some(turn.p50), 0),
            median(|turn| Some(turn.p99), 0),
            median(|turn| Some(turn.round_trips()), 2),
            median(|turn| Some(turn.server_micros()), 1),
            median(Turn::client_micros, 1),
            median(|turn| Some(turn.bytes_in()), 0),
            median(|turn| Some(turn.bytes_out()), 0),
        ]);
        table.row(row);
    }
    table
}
