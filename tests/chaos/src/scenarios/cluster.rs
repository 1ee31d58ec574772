//! A cluster of three masters and three replicas.

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
    about: "kill -9 of a master, which comes back as a replica of its successor",
    rounds: 6,
    quick_rounds: 1,
    run: kill,
};

pub(super) const SLOTS: Scenario = Scenario {
    name: "cluster-slots",
    about: "slots with keys are migrated from master to master",
    rounds: 10,
    quick_rounds: 1,
    run: slots,
};

fn any_master(cluster: &RedisCluster, run: &mut Run) -> Result<usize> {
    let masters = cluster.masters()?;
    run.random.choice(masters).context("there are masters")
}

fn failover(run: &mut Run) -> Result<Report> {
    let cluster = ClusterOptions::new().append_only().start()?;
    let load = run.load(&cluster.url(), true)?;
    for round in 0..run.rounds {
        let how = [Takeover::Agreed, Takeover::Force, Takeover::Alone][round as usize % 3];
        let master = any_master(&cluster, run)?;
        let next = cluster.failover(master, how)?;
        run.failovers += 1;
        for master in cluster.masters()? {
            cluster.nodes()[master].command::<()>(&["SCRIPT", "FLUSH"])?;
        }
        run.faults += 1;
        run.settle(round, || cluster.wait_until_settled())?;
        run.progress(round, &load, &format!("{how:?}: node {next} for node {master}"));
    }
    run.finish(load)
}

fn kill(run: &mut Run) -> Result<Report> {
    let mut cluster = ClusterOptions::new().append_only().start()?;
    let load = run.load(&cluster.url(), true)?;
    for round in 0..run.rounds {
        let master = any_master(&cluster, run)?;
        let replica = cluster.replica_of(master)?;
        cluster.node_mut(master).kill();
        cluster.wait_for_master(replica)?;
        run.failovers += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(..1000)));
        cluster.node_mut(master).restart()?;
        run.settle(round, || cluster.wait_until_settled())?;
        run.progress(round, &load, &format!("killed: node {replica} for node {master}"));
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
            let from = cluster.master_of(slot)?;
            let others: Vec<_> =
                cluster.masters()?.into_iter().filter(|&node| node != from).collect();
            let to = run.random.choice(others).context("there is another master")?;
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
