//! A primary with replicas under Sentinels.

use std::time::Duration;

use anyhow::{Context, Result};
use regrant_test_support::SentinelOptions;

use super::{Run, Scenario};
use crate::report::Report;

pub(super) const KILL: Scenario = Scenario {
    name: "sentinel-kill",
    about: "kill -9 of the primary, which comes back as a replica of its successor",
    rounds: 6,
    quick_rounds: 1,
    run: kill,
};

pub(super) const ORDERED: Scenario = Scenario {
    name: "sentinel-failover",
    about: "SENTINEL FAILOVER; the old primary remains one until a Sentinel reconfigures it",
    rounds: 6,
    quick_rounds: 1,
    run: ordered,
};

pub(super) const PARTITION: Scenario = Scenario {
    name: "sentinel-partition",
    about: "the primary is partitioned until it has a successor",
    rounds: 4,
    quick_rounds: 0,
    run: partition,
};

/// A revocation on the only replica cannot be lost, because no other replica can be
/// promoted.
fn setup() -> SentinelOptions {
    SentinelOptions::new().replicas(1).append_only()
}

fn kill(run: &mut Run) -> Result<Report> {
    let mut sentinels = setup().start()?;
    let load = run.load(&sentinels.url(), true)?;
    for round in 0..run.rounds {
        let primary = sentinels.primary()?;
        sentinels.server_mut(primary).kill();
        let next = sentinels.wait_for_another_primary(primary)?;
        run.failovers += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(..1000)));
        sentinels.server_mut(primary).restart()?;
        run.settle(round, || sentinels.wait_until_settled())?;
        run.progress(round, &load, &format!("killed, server {next} is primary"));
    }
    run.finish(load)
}

fn ordered(run: &mut Run) -> Result<Report> {
    let sentinels = setup().start()?;
    let load = run.load(&sentinels.url(), true)?;
    for round in 0..run.rounds {
        let next = sentinels.failover()?;
        run.failovers += 1;
        run.settle(round, || sentinels.wait_until_settled())?;
        run.progress(round, &load, &format!("server {next} is primary"));
    }
    run.finish(load)
}

fn partition(run: &mut Run) -> Result<Report> {
    let sentinels = setup().proxied().start()?;
    let load = run.load(&sentinels.url(), true)?;
    for round in 0..run.rounds {
        let primary = sentinels.primary()?;
        let proxy = sentinels.proxy(primary).context("every server has a proxy")?;
        proxy.hold();
        let next = sentinels.wait_for_another_primary(primary)?;
        run.failovers += 1;
        run.pause();
        proxy.heal();
        run.settle(round, || sentinels.wait_until_settled())?;
        run.progress(round, &load, &format!("partitioned, server {next} is primary"));
    }
    run.finish(load)
}
