//! Refreshes beside what people use today, end to end over HTTP: what happens to users and thieves, and the rates.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

use crate::context::Context;
use crate::node;
use crate::report::{Report, Table};
use crate::statistics::{Sample, grouped};

const HOW: &str = "\
Each peer is an app in two Node.js processes over a Redis of its own, in the best setting that its documentation describes. A client keeps the tokens of the last answer, \
repeats a refresh if the server asks for that or has failed, and is signed out by a final refusal. A thief has copied the tokens once. All waits are real, because several \
peers decide by the clock of Redis. A lost answer is one that the client does not use; `kill −9` meets a process that has written and holds back all its answers; the store is \
set back by killing Redis, which starts again with an earlier snapshot. A dash: the question does not arise.";

const HOW_FAST: &str = "\
One process, refreshed by a further process over 50 connections, each with sessions of its own; the peers take turns in each round. Servers, Redis and clients share the \
cores, so compare the processor time too, which is that of the server's process and that of Redis. What stands here is the median over the rounds (and the least and the greatest). \
better-auth does less: it has no refresh tokens, reads the session and signs a copy of it, and moves its expiry once a day.";

const OURS: &str = "regrant";
const TYPICAL: &str = "strict rotation";
/// The target: how many times as many refreshes per second as the typical strict rotation.
const TARGET: f64 = 4.0;
const CONNECTIONS: usize = 50;

/// A line of the script.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(String),
    Results(Results),
}

#[derive(Deserialize)]
struct Results {
    peers: Vec<Peer>,
    behaviours: Vec<Behaviour>,
}

#[derive(Deserialize)]
struct Peer {
    name: String,
    versions: Vec<String>,
    setting: String,
    /// One for each round.
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    /// Refreshes per second.
    rate: f64,
    /// Processor time per refresh in microseconds, of the server and of its Redis.
    server: f64,
    redis: f64,
}

#[derive(Deserialize)]
struct Behaviour {
    name: String,
    outcomes: Vec<Outcome>,
    /// For each peer and each outcome.
    counts: Vec<Vec<Count>>,
}

/// What can go wrong in a behaviour.
#[derive(Deserialize)]
struct Outcome {
    what: String,
    /// The sum that it belongs to.
    #[serde(rename = "in")]
    sum: Option<Sum>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
enum Sum {
    #[serde(rename = "signed out")]
    SignedOut,
    #[serde(rename = "undetected")]
    Undetected,
}

/// For how many users it went wrong, and of how many.
#[derive(Clone, Copy, Default, Deserialize)]
struct Count {
    bad: usize,
    of: usize,
}

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let plan = &context.plan;
    let order = json!({
        "users": plan.peer_users,
        "patience": plan.peer_patience,
        "rounds": plan.rounds,
        "milliseconds": plan.turn.as_millis(),
        "connections": CONNECTIONS,
        "sessions": plan.peer_sessions,
    });
    let mut results = None;
    node::run("peers/main.mjs", &order, |line| match line {
        Line::Progress(text) => context.progress.say(text),
        Line::Results(line) => results = Some(line),
    })?;
    report(&results.context("the script printed no results")?)
}

fn report(results: &Results) -> Result<Report> {
    let mut report = Report::new("Beside peers");
    report.text(HOW).text(settings(results)).text("### In sum").table(&summary(results)?);
    report.text("### Behaviours").table(&behaviours(results));
    report.text("### Refreshes per second").text(HOW_FAST).table(&rates(results)?);
    let ours = results.index(OURS)?;
    for (sum, what) in
        [(Sum::SignedOut, "users signed out"), (Sum::Undetected, "undetected thefts")]
    {
        let Count { bad, of } = results.sum(ours, sum);
        report.check(format!("{OURS}: {what}"), format!("{bad} of {of}"), "0", bad == 0);
    }
    let ratio = results.ratio(ours)?;
    report.check(
        format!("refreshes over HTTP, {OURS}, times the typical strict rotation's"),
        format!("{ratio:.2}"),
        format!("≥ {TARGET}"),
        ratio.median() >= TARGET,
    );
    Ok(report)
}

impl Results {
    fn index(&self, name: &str) -> Result<usize> {
        self.peers.iter().position(|peer| peer.name == name).with_context(|| format!("no {name}"))
    }

    /// All outcomes of one kind of one peer.
    fn sum(&self, peer: usize, sum: Sum) -> Count {
        let mut total = Count::default();
        for behaviour in &self.behaviours {
            let counts = behaviour.outcomes.iter().zip(&behaviour.counts[peer]);
            for (_, count) in counts.filter(|(outcome, _)| outcome.sum == Some(sum)) {
                total.bad += count.bad;
                total.of += count.of;
            }
        }
        total
    }

    /// The rate of a peer by that of the typical strict rotation in the same round.
    fn ratio(&self, peer: usize) -> Result<Sample> {
        let typical = &self.peers[self.index(TYPICAL)?].turns;
        let pairs = self.peers[peer].turns.iter().zip(typical);
        let ratios = pairs.map(|(turn, typical)| turn.rate / typical.rate).collect();
        Sample::new(ratios).with_context(|| format!("{} was not measured", self.peers[peer].name))
    }

    fn header(&self) -> Vec<String> {
        let names = self.peers.iter().map(|peer| peer.name.clone());
        std::iter::once(String::new()).chain(names).collect()
    }
}

impl Peer {
    fn sample(&self, what: impl Fn(&Turn) -> f64) -> Result<Sample> {
        let values = self.turns.iter().map(what).collect();
        Sample::new(values).with_context(|| format!("{} was not measured", self.name))
    }
}

/// A list of the peers with their settings and versions.
fn settings(results: &Results) -> String {
    let lines = results.peers.iter().map(|Peer { name, setting, versions, .. }| {
        format!("- **{name}**: {setting} ({})\n", versions.join(", "))
    });
    lines.collect()
}

fn summary(results: &Results) -> Result<Table> {
    let mut table = Table::new([
        "",
        "users signed out",
        "undetected thefts",
        "refreshes/s",
        "processor time per refresh, µs",
    ]);
    for (index, peer) in results.peers.iter().enumerate() {
        table.row([
            peer.name.clone(),
            count(results.sum(index, Sum::SignedOut)),
            count(results.sum(index, Sum::Undetected)),
            grouped(peer.sample(|turn| turn.rate)?.median()),
            grouped(peer.sample(|turn| turn.server + turn.redis)?.median()),
        ]);
    }
    Ok(table)
}

fn behaviours(results: &Results) -> Table {
    let mut table = Table::new(results.header());
    for Behaviour { name, outcomes, counts } in &results.behaviours {
        for (index, Outcome { what, .. }) in outcomes.iter().enumerate() {
            let cells = counts.iter().map(|counts| count(counts[index]));
            table.row(std::iter::once(format!("{name}: {what}")).chain(cells));
        }
    }
    table
}

fn rates(results: &Results) -> Result<Table> {
    let mut table = Table::new([
        "",
        "refreshes/s",
        "of the strict rotation's",
        "server CPU per refresh, µs",
        "Redis CPU per refresh, µs",
    ]);
    for (index, peer) in results.peers.iter().enumerate() {
        table.row([
            peer.name.clone(),
            format!("{:.0}", peer.sample(|turn| turn.rate)?),
            format!("{:.2}", results.ratio(index)?),
            format!("{:.0}", peer.sample(|turn| turn.server)?),
            format!("{:.0}", peer.sample(|turn| turn.redis)?),
        ]);
    }
    Ok(table)
}

fn count(Count { bad, of }: Count) -> String {
    if of == 0 { "–".to_owned() } else { format!("{bad} of {of}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let line = r#"{"results": {
            "peers": [
                {"name": "regrant", "versions": ["regrant 1"], "setting": "s", "turns": [{"rate": 900, "server": 80, "redis": 20}]},
                {"name": "strict rotation", "versions": [], "setting": "s", "turns": [{"rate": 300, "server": 300, "redis": 30}]}
            ],
            "behaviours": [
                {"name": "tabs", "outcomes": [{"what": "out", "in": "signed out"}, {"what": "lost"}],
                 "counts": [[{"bad": 0, "of": 2}, {"bad": 1, "of": 2}], [{"bad": 2, "of": 2}, {"bad": 0, "of": 0}]]},
                {"name": "kill", "outcomes": [{"what": "out", "in": "signed out"}], "counts": [[{"bad": 1, "of": 3}], [{"bad": 3, "of": 3}]]},
                {"name": "theft", "outcomes": [{"what": "stays", "in": "undetected"}], "counts": [[{"bad": 0, "of": 2}], [{"bad": 2, "of": 2}]]}
            ]
        }}"#;
        match serde_json::from_str(line).unwrap() {
            Line::Results(results) => results,
            Line::Progress(text) => panic!("{text}"),
        }
    }

    #[test]
    fn users_and_thefts_are_summed() {
        let text = summary(&results()).unwrap().to_string();
        assert!(text.contains("| regrant | 1 of 5 | 0 of 2 | 900 | 100 |"), "{text}");
        assert!(text.contains("| strict rotation | 5 of 5 | 2 of 2 | 300 | 330 |"), "{text}");
    }

    #[test]
    fn what_does_not_arise_is_a_dash() {
        let text = behaviours(&results()).to_string();
        assert!(text.contains("| tabs: lost | 1 of 2 | – |"), "{text}");
    }

    #[test]
    fn missed_targets_are_checked() {
        let report = report(&results()).unwrap();
        let met: Vec<_> = report.checks().iter().map(|check| check.met).collect();
        assert_eq!(met, [false, true, false]);
    }
}
