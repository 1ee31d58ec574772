//! The rounds: all contestants take turns in every round, so that other load on the
//! machine affects all of them alike.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::contestants::Contestant;
use super::turn::Turn;
use crate::context::Context;
use crate::server::Server;
use crate::statistics::{Sample, grouped};

/// The turns of all contestants at one concurrency.
pub(super) struct Contest {
    /// What distinguishes it from others at the same concurrency; may be empty.
    title: &'static str,
    pub(super) concurrency: usize,
    names: Vec<String>,
    baselines: Vec<String>,
    /// By name, one per round.
    turns: BTreeMap<String, Vec<Turn>>,
}

/// The share of the calls that must write: some calls fall into the same millisecond as the user's
/// previous call and are answered without a write.
const WRITES: f64 = 0.97;

impl Contest {
    pub(super) async fn run(
        context: &Context,
        server: &mut impl Server,
        contestants: &[Contestant],
        title: &'static str,
        concurrency: usize,
    ) -> Result<Self> {
        let fits = |one: &&Contestant| one.is_for(concurrency);
        let contestants: Vec<_> = contestants.iter().filter(fits).collect();
        let name = |one: &&Contestant| one.name(concurrency);
        let is_raw = |one: &&&Contestant| one.is_raw();
        let mut contest = Self {
            title,
            concurrency,
            names: contestants.iter().map(name).collect(),
            baselines: contestants.iter().filter(is_raw).map(|&one| name(&one)).collect(),
            turns: BTreeMap::new(),
        };
        // Warm up connections, caches and the just-in-time compiler before the rounds.
        let mut pace = BTreeMap::new();
        for contestant in &contestants {
            let turn = contestant.turn(server, concurrency, context.plan.turn / 4, 5_000.0).await?;
            pace.insert(name(contestant), turn.rate);
        }
        for round in 0..context.plan.rounds {
            for contestant in &contestants {
                let name = name(contestant);
                let turn =
                    contestant.turn(server, concurrency, context.plan.turn, pace[&name]).await?;
                ensure!(turn.writes() > WRITES, "{name} wrote only {:.3} times", turn.writes());
                context.progress.say(format_args!(
                    "{}, round {}: {name} {}/s",
                    contest.title(),
                    round + 1,
                    grouped(turn.rate)
                ));
                contest.turns.entry(name).or_default().push(turn);
            }
        }
        Ok(contest)
    }

    /// Such as `50 at once`.
    pub(super) fn title(&self) -> String {
        format!("{} at once{}", self.concurrency, self.title)
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The raw contestants.
    pub(super) fn baselines(&self) -> &[String] {
        &self.baselines
    }

    /// The raw contestant with one connection per caller of the others.
    pub(super) fn baseline(&self) -> &str {
        self.baselines.first().map_or("", String::as_str)
    }

    /// The ratio of one contestant's rate to another's, for each round.
    pub(super) fn ratio(&self, name: &str, baseline: &str) -> Option<Sample> {
        let (ours, theirs) = (self.turns.get(name)?, self.turns.get(baseline)?);
        Sample::new(ours.iter().zip(theirs).map(|(a, b)| a.rate / b.rate).collect())
    }

    pub(super) fn median(&self, name: &str, what: fn(&Turn) -> Option<f64>) -> Option<f64> {
        let turns = self.turns.get(name)?;
        Some(Sample::new(turns.iter().filter_map(what).collect())?.median())
    }

    /// Over all rounds.
    pub(super) fn round_trips(&self, name: &str) -> Option<f64> {
        self.median(name, Turn::round_trips)
    }
}

/// The number of calls that take about this time at this rate.
pub(super) fn calls_within(time: Duration, rate: f64) -> u64 {
    ((time.as_secs_f64() * rate) as u64).max(100)
}
