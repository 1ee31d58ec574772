//! A cluster of three primaries and three replicas.

use std::time::Duration;

use anyhow::{Context, Result};
use regrant_test_support::{ClusterOptions, RedisCluster, Takeover};

use super::{Run, Scenario};
use crate::report::Report;

pub(super) const FAILOVER: Scenario = Scenario {
    name: "cluster-failover",
    about: "CLUSTER FAILOVER, plain, FORCE and TAKEOVER; SCRIPT FLUSH",
    rounds: 12,
    quick_rounds: 3,
    run: failover,
};

pub(super) const KILL: Scenario = Scenario {
    name: "cluster-kill",
    about: "kill -9 of a primary, which comes back as a replica of its successor",
    rounds: 6,
    quick_rounds: 1,
    run: kill,
};

pub(super) const SLOTS: Scenario = Scenario {
    name: "cluster-slots",
    about: "slots with keys are migrated from primary to primary",
    rounds: 10,
    quick_rounds: 1,
    run: slots,
};

fn any_primary(cluster: &RedisCluster, run: &mut Run) -> Result<usize> {
    let primaries = cluster.primaries()?;
    run.random.choice(primaries).context("there are primaries")
}

fn failover(run: &mut Run) -> Result<Report> {
    let cluster = ClusterOptions::new().append_only().start()?;
    let load = run.load(&cluster.url(), true)?;
    for round in 0..run.rounds {
        let how = [Takeover::Agreed, Takeover::Force, Takeover::Alone][round as usize % 3];
        let primary = any_primary(&cluster, run)?;
        let next = cluster.failover(primary, how)?;
        run.failovers += 1;
        for primary in cluster.primaries()? {
            cluster.nodes()[primary].command::<()>(&["SCRIPT", "FLUSH"])?;
        }
        run.faults += 1;
        run.settle(round, || cluster.wait_until_settled())?;
        run.progress(round, &load, &format!("{how:?}: node {next} for node {primary}"));
    }
    run.finish(load)
}

fn kill(run: &mut Run) -> Result<Report> {
    let mut cluster = ClusterOptions::new().append_only().start()?;
    let load = run.load(&cluster.url(), true)?;
    for round in 0..run.rounds {
        let primary = any_primary(&cluster, run)?;
        let replica = cluster.replica_of(primary)?;
        cluster.node_mut(primary).kill();
        cluster.wait_for_primary(replica)?;
        run.failovers += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(..1000)));
        cluster.node_mut(primary).restart()?;
        run.settle(round, || cluster.wait_until_settled())?;
        run.progress(round, &load, &format!("killed: node {replica} for node {primary}"));
    }
    run.finish(load)
}

/// The slots of the users that log in first and so have the longest sessions.
const USERS: u32 = 8;

fn slots(run: &mut Run) -> Result<Report> {
    let cluster = ClusterOptions::new().append_only().start()?;
    let load = run.load(&cluster.url(), true)?;
    for round in 0..run.rounds {
        for user in 0..USERS {
            let slot = cluster.slot_of(&format!("regrant:u:{}-{user}", run.name))?;
            let from = cluster.primary_of(slot)?;
            let others: Vec<_> =
                cluster.primaries()?.into_iter().filter(|&node| node != from).collect();
            let to = run.random.choice(others).context("there is another primary")?;
            let migration = cluster.begin_migration(slot, to)?;
            // For a while the slot's keys are on both nodes.
            std::thread::sleep(Duration::from_millis(run.random.u64(..100)));
            migration.move_some()?;
            std::thread::sleep(Duration::from_millis(run.random.u64(..100)));
            migration.finish()?;
            run.faults += 1;
            cluster.wait_until_settled()?;
        }
        run.progress(round, &load, &format!("{USERS} slots moved"));
    }
    run.finish(load)
}
