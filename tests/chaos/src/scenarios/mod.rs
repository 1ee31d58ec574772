//! The scenarios: servers, and the faults that they have under load.

mod address;
mod cluster;
mod custom;
mod file;
mod postgres;
mod sentinel;
mod standalone;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use regrant::store::StoreAddress;

use crate::load::Load;
use crate::peer::Peer;
use crate::report::{Finding, Growth, Report};

/// Processes of the app in every scenario.
const APPS: usize = 3;

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The rounds of a long run. A quick run has `quick_rounds`; scenarios with 0 are only in it if they are named,
    /// and have one round.
    rounds: u32,
    quick_rounds: u32,
    run: fn(&mut Run) -> Result<Report>,
}

/// All scenarios.
pub(crate) const ALL: &[Scenario] = &[
    standalone::KILL,
    standalone::LINK,
    standalone::ENDLESS,
    standalone::FEED,
    standalone::REPLACED,
    file::FULL,
    file::CLOCK,
    address::FULL,
    address::REPLICA,
    address::SWITCH,
    address::SILENCE,
    sentinel::KILL,
    sentinel::ORDERED,
    sentinel::PARTITION,
    cluster::FAILOVER,
    cluster::KILL,
    cluster::SLOTS,
    postgres::KILL,
    postgres::POOLER,
    postgres::FAILOVER,
    custom::MARIADB,
    custom::SQLITE,
    custom::DEFECTS,
];

/// The scenarios with these names; without names, all scenarios of a quick or long run.
pub(crate) fn selected(only: &[String], quick: bool) -> impl Iterator<Item = &'static Scenario> {
    ALL.iter().filter(move |scenario| match only {
        [] => !quick || scenario.quick_rounds > 0,
        names => names.iter().any(|name| name == scenario.name),
    })
}

impl Scenario {
    /// Runs the scenario.
    pub(crate) fn run(&self, seed: u64, quick: bool) -> Result<Report> {
        let rounds = if quick { self.quick_rounds.max(1) } else { self.rounds };
        let random = Rng::with_seed(seed);
        let name = self.name;
        (self.run)(&mut Run {
            name,
            seed,
            rounds,
            random,
            failovers: 0,
            faults: 0,
            growth: None,
            peer: None,
        })
    }
}

/// A running scenario.
struct Run {
    name: &'static str,
    seed: u64,
    rounds: u32,
    random: Rng,
    failovers: u32,
    faults: u32,
    growth: Option<Growth>,
    peer: Option<Peer>,
}

impl Run {
    /// Starts the load over processes with the same address.
    fn load(&mut self, url: &str, on_replicas: bool) -> Result<Load> {
        self.load_over(&vec![url.to_owned(); APPS], on_replicas)
    }

    /// Starts the load over processes with these addresses, and the control beside it.
    fn load_over(&mut self, urls: &[String], on_replicas: bool) -> Result<Load> {
        self.peer = Peer::start(urls, false)?;
        self.load_alone(urls, on_replicas)
    }

    /// As [`load_over`](Self::load_over), without the control.
    fn load_alone(&self, urls: &[String], on_replicas: bool) -> Result<Load> {
        let addresses: Vec<_> = urls.iter().map(StoreAddress::new).collect();
        let load = Load::start(self.name, self.seed, &addresses, on_replicas, None)?;
        self.pause();
        Ok(load)
    }

    /// Lets the load run undisturbed for a while.
    fn pause(&self) {
        std::thread::sleep(Duration::from_millis(1500));
    }

    /// Prints the progress.
    fn progress(&self, round: u32, load: &Load, what: &str) {
        let tally = load.tally();
        println!(
            "  {:>5.1} s  round {} of {}: {what}; {} refreshes, {} answers 503, {} logged out",
            load.elapsed().as_secs_f64(),
            round + 1,
            self.rounds,
            tally.refreshes.get(),
            tally.unavailable.get(),
            tally.logged_out.get(),
        );
    }

    /// Waits until the servers are ready for the next round, and then for a while. Not after the
    /// last round, because clients must cope without.
    fn settle(&self, round: u32, settled: impl FnOnce() -> Result<()>) -> Result<()> {
        if round + 1 < self.rounds {
            settled()?;
        }
        self.pause();
        Ok(())
    }

    /// Ends the load and sums up.
    fn finish(&mut self, load: Load) -> Result<Report> {
        self.pause();
        let took = load.elapsed();
        let tally = load.finish()?;
        let peer = self.peer.take().map(Peer::finish).transpose()?;
        let Self { name: scenario, failovers, faults, growth, .. } = *self;
        let finding = Finding::Verdict;
        Ok(Report { scenario, took, failovers, faults, tally, growth, peer, finding })
    }

    /// The report of a scenario that this machine cannot run.
    fn skip(&self, why: &str) -> Report {
        println!("  skipped: {why}");
        let (scenario, took) = (self.name, Duration::ZERO);
        Report {
            scenario,
            took,
            failovers: 0,
            faults: 0,
            tally: Arc::default(),
            growth: None,
            peer: None,
            finding: Finding::Skipped,
        }
    }
}
