//! Verification in Node.js, compared with other libraries.

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

use crate::chart::Chart;
use crate::context::Context;
use crate::node;
use crate::report::{Report, Table};
use crate::statistics::Sample;

const HOW: &str = "\
One Node.js process, the contestants taking turns in each round; all check signature, `exp`, `iss` and `aud` of the same tokens, which regrant \
has issued, and give the claims. Each call gets a fresh string, as node:http makes one for each request. What stands here is the median over \
the rounds (and the least and the greatest), the ratio that of two turns of the same round. `jsonwebtoken` gets its secret as text, as most apps give it, or as a \
`KeyObject`; the caches hold all tokens; `regrant` without one checks each signature. Many tokens: more than the processor's caches hold.";

/// The targets: case, contestant, other contestant, and how many times as fast it must be.
const TARGETS: &[(&str, &str, &str, f64)] = &[
    ("HS256, many tokens", "regrant", "fast-jwt", 10.0),
    ("HS256, many tokens", "regrant", "jsonwebtoken", 300.0),
    ("HS256, one token", "regrant, cache", "fast-jwt, cache", 12.0),
    ("HS256, many tokens", "regrant, cache", "fast-jwt, cache", 8.0),
    ("HS256, expired", "regrant", "fast-jwt", 2.0),
    ("HS256, forged", "regrant", "fast-jwt", 2.0),
    ("RS256, 200 tokens", "regrant", "fast-jwt", 1.7),
    ("ES256, 200 tokens", "regrant", "fast-jwt", 1.3),
    ("EdDSA, 200 tokens", "regrant", "fast-jwt", 2.8),
    ("HS256, signing", "regrant/jsonwebtoken", "fast-jwt", 4.0),
    ("HS256, signing", "regrant/jsonwebtoken", "jsonwebtoken", 200.0),
];

/// A line of the script.
#[derive(Deserialize)]
struct Case {
    title: String,
    contestants: Vec<Contestant>,
}

#[derive(Deserialize)]
struct Contestant {
    name: String,
    /// Per call; one for each round.
    nanoseconds: Vec<f64>,
}

impl Case {
    fn of(&self, name: &str) -> Option<&[f64]> {
        self.contestants.iter().find(|one| one.name == name).map(|one| &*one.nanoseconds)
    }

    /// How many times as fast `name` is as `other`, for each round.
    fn ratio(&self, name: &str, other: &str) -> Option<Sample> {
        let (ours, theirs) = (self.of(name)?, self.of(other)?);
        Sample::new(ours.iter().zip(theirs).map(|(ours, theirs)| theirs / ours).collect())
    }
}

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let plan = &context.plan;
    let order = json!({
        "rounds": plan.rounds,
        "milliseconds": plan.verify_turn.as_millis(),
        "tokens": plan.verify_tokens,
    });
    let mut cases = Vec::new();
    node::run("verify/main.mjs", &order, |case: Case| {
        context.progress.say(format_args!("measured: {}", case.title));
        cases.push(case);
    })?;
    Ok(report(&cases, plan.verify_tokens))
}

fn report(cases: &[Case], tokens: u64) -> Report {
    let mut report = Report::new("Verification in Node.js");
    report.text(HOW);
    for case in cases {
        let title = case.title.replace("many tokens", &format!("{tokens} tokens"));
        report.text(format!("### {title}")).table(&table(case));
    }
    if let Some(case) = cases.first() {
        report.chart(chart(case));
    }
    for (title, ours, theirs, target) in TARGETS {
        let case = cases.iter().find(|case| case.title == *title);
        let Some(ratio) = case.and_then(|case| case.ratio(ours, theirs)) else {
            report.check(format!("{title}: {ours} to {theirs}"), "–", "measured", false);
            continue;
        };
        report.check(
            format!("{title}: {ours}, times as fast as {theirs}"),
            format!("{ratio:.1}"),
            format!("≥ {target}"),
            ratio.median() >= *target,
        );
    }
    report
}

fn chart(case: &Case) -> Chart {
    let median = |one: &Contestant| Some(Sample::new(one.nanoseconds.clone())?.median() / 1e3);
    let bar = |one: &Contestant| Some((one.name.clone(), median(one)?));
    Chart {
        name: "verify",
        title: format!(
            "Verifying {}: microseconds per call, logarithmic (less is better)",
            case.title
        ),
        bars: case.contestants.iter().filter_map(bar).collect(),
        logarithmic: true,
    }
}

fn table(case: &Case) -> Table {
    let rival = "fast-jwt";
    let mut table = Table::new(["", "µs per call", "times as fast as `fast-jwt`"]);
    for Contestant { name, nanoseconds } in &case.contestants {
        let micros = nanoseconds.iter().map(|nanoseconds| nanoseconds / 1e3).collect();
        let Some(micros) = Sample::new(micros) else { continue };
        let ratio = case.ratio(name, rival).filter(|_| name != rival);
        let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        table.row([format!("`{name}`"), format!("{micros:.2}"), ratio]);
    }
    table
}
