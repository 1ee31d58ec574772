//! Verification in Rust, compared with the crate `jsonwebtoken` and with the signature check alone.

mod contestants;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use regrant::keys::Algorithm;

use self::contestants::{BARE, CRATE, Contestant, REGRANT, contestants};
use crate::context::Context;
use crate::plan::Plan;
use crate::report::{Report, Table};
use crate::statistics::Sample;

const HOW: &str = "\
One thread, the same token with every call, the contestants taking turns of a tenth of a round; keys are prepared beforehand. regrant and \
the crate `jsonwebtoken` (over AWS-LC) check signature, `exp`, `iss` and `aud` and read the claims. *Signature alone* is what cannot be done \
without: HMAC by the crate `hmac` with its key prepared, or AWS-LC with a parsed key, of the signature's bytes, as regrant does it.";

/// The targets: at most this many times the time of the signature check alone, and at least this many
/// times as fast as the crate.
const TARGETS: [(Algorithm, f64, Option<f64>); 4] = [
    (Algorithm::HS256, 2.2, Some(3.5)),
    (Algorithm::RS256, 1.08, None),
    (Algorithm::ES256, 1.08, None),
    (Algorithm::EdDSA, 1.08, None),
];

/// How many turns each contestant has in a round.
const TURNS: u32 = 10;

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let mut report = Report::new("Verification in Rust");
    report.text(HOW);
    let mut table = Table::new([
        "",
        "ns per call",
        "times the signature alone",
        "times as fast as `jsonwebtoken`",
    ]);
    for (algorithm, most, least) in TARGETS {
        let case = measure(algorithm, &context.plan)?;
        context.progress.say(format_args!("measured: {algorithm}"));
        case.rows(algorithm, &mut table);
        let (Some(over), Some(faster)) = (case.ratio(REGRANT, BARE), case.ratio(CRATE, REGRANT))
        else {
            continue;
        };
        report.check(
            format!("{algorithm} in Rust: regrant, times the signature alone"),
            format!("{over:.2}"),
            format!("≤ {most}"),
            over.median() <= most,
        );
        if let Some(least) = least {
            report.check(
                format!("{algorithm} in Rust: regrant, times as fast as the crate jsonwebtoken"),
                format!("{faster:.1}"),
                format!("≥ {least}"),
                faster.median() >= least,
            );
        }
    }
    report.table(&table);
    Ok(report)
}

/// Nanoseconds per call of each contestant, one for each round.
struct Case(Vec<(&'static str, Vec<f64>)>);

fn measure(algorithm: Algorithm, plan: &Plan) -> Result<Case> {
    let contestants = contestants(algorithm)?;
    let turn = plan.verify_turn / TURNS;
    let mut case = Case(contestants.iter().map(|one| (one.name, Vec::new())).collect());
    for one in &contestants {
        time(one, turn)?;
    }
    for _ in 0..plan.rounds {
        let mut sums = vec![(Duration::ZERO, 0_u64); contestants.len()];
        for _ in 0..TURNS {
            for (one, (spent, calls)) in contestants.iter().zip(&mut sums) {
                let (took, made) = time(one, turn)?;
                *spent += took;
                *calls += made;
            }
        }
        for ((_, rounds), (spent, calls)) in case.0.iter_mut().zip(sums) {
            ensure!(calls > 0, "nothing was measured");
            rounds.push(spent.as_secs_f64() * 1e9 / calls as f64);
        }
    }
    Ok(case)
}

/// Calls for about one turn; returns the exact time and the number of calls.
fn time(one: &Contestant, turn: Duration) -> Result<(Duration, u64)> {
    /// Calls between two reads of the clock.
    const BATCH: u64 = 16;
    let (began, mut calls) = (Instant::now(), 0);
    loop {
        for _ in 0..BATCH {
            (one.verify)()?;
        }
        calls += BATCH;
        let spent = began.elapsed();
        if spent >= turn {
            return Ok((spent, calls));
        }
    }
}

impl Case {
    fn of(&self, name: &str) -> Option<&[f64]> {
        self.0.iter().find(|(one, _)| *one == name).map(|(_, rounds)| &**rounds)
    }

    /// The time of `name` divided by that of `other`, for each round.
    fn ratio(&self, name: &str, other: &str) -> Option<Sample> {
        let (ours, theirs) = (self.of(name)?, self.of(other)?);
        Sample::new(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
    }

    fn rows(&self, algorithm: Algorithm, table: &mut Table) {
        let shown = |ratio: Option<Sample>| ratio.map_or("–".to_owned(), |r| format!("{r:.2}"));
        for (name, rounds) in &self.0 {
            let Some(nanoseconds) = Sample::new(rounds.clone()) else { continue };
            table.row([
                format!("{algorithm}, {name}"),
                format!("{nanoseconds:.0}"),
                shown(self.ratio(name, BARE).filter(|_| *name != BARE)),
                shown(self.ratio(CRATE, name).filter(|_| *name == REGRANT)),
            ]);
        }
    }
}
