//! An Express app end to end.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

use crate::chart::Chart;
use crate::context::Context;
use crate::node;
use crate::report::{Report, Table};
use crate::statistics::{Sample, grouped};

const HOW: &str = "\
An Express 5 app with one route that answers a few bytes of JSON, alone and with each guard in front of it, each in a process of its own; `autocannon` from a \
further process asks over 20 connections, with the tokens of 1,000 users in turn (HS256; `exp`, `iss` and `aud` are checked). They take turns in each round. \
The share of the rate without auth is that of the processor time per request, of the server's process in the same round: other programs on the machine change it less \
than the requests per second. `jsonwebtoken` gets its secret as text, as most apps give it, or as a `KeyObject`.";

const ALONE: &str = "no auth";
const OURS: &str = "regrant, cache";
/// The target: the share of the rate without auth that remains.
const TARGET: f64 = 0.97;

#[derive(Deserialize)]
struct Contest {
    contestants: Vec<Contestant>,
}

#[derive(Deserialize)]
struct Contestant {
    name: String,
    /// Requests per second; one for each round.
    rates: Vec<f64>,
    /// Processor time per request in microseconds; one for each round.
    costs: Vec<f64>,
}

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let plan = &context.plan;
    let order = json!({
        "rounds": plan.rounds,
        "milliseconds": plan.express_turn.as_millis(),
        "tokens": 1_000,
        "connections": 20,
    });
    let mut contest = None;
    node::run("express/main.mjs", &order, |line: Contest| contest = Some(line))?;
    report(&contest.context("the script printed nothing")?)
}

fn report(Contest { contestants }: &Contest) -> Result<Report> {
    let alone =
        contestants.iter().find(|one| one.name == ALONE).context("no contestant without auth")?;
    let mut report = Report::new("Express, end to end");
    let mut table =
        Table::new(["", "requests/s", "processor time, µs", "of the rate without auth"]);
    let mut bars = Vec::new();
    report.text(HOW);
    for Contestant { name, rates, costs } in contestants {
        let shares = costs.iter().zip(&alone.costs).map(|(cost, alone)| alone / cost).collect();
        let sample =
            |values| Sample::new(values).with_context(|| format!("{name} was not measured"));
        let (rate, cost, share) = (sample(rates.clone())?, sample(costs.clone())?, sample(shares)?);
        bars.push((name.clone(), rate.median()));
        table.row([
            format!("`{name}`"),
            grouped(rate.median()),
            format!("{cost:.1}"),
            format!("{share:.2}"),
        ]);
        if name == OURS {
            report.check(
                "Express with regrant, of the rate without auth",
                format!("{share:.2}"),
                format!("≥ {TARGET}"),
                share.median() >= TARGET,
            );
        }
    }
    report.table(&table).chart(Chart {
        name: "express",
        title: "An Express app end to end: requests per second (more is better)".to_owned(),
        bars,
        logarithmic: false,
    });
    Ok(report)
}
