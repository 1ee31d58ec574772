//! PostgreSQL: a server that is killed, also behind PgBouncer, and a standby that takes over.

use std::time::Duration;

use anyhow::Result;
use regrant_test_support::{PgBouncer, PostgresServer, TcpProxy};

use super::{APPS, Run, Scenario};
use crate::report::Report;

pub(super) const KILL: Scenario = Scenario {
    name: "postgres-kill",
    about: "a PostgreSQL server is killed and restarted",
    rounds: 24,
    quick_rounds: 2,
    run: kill,
};

pub(super) const POOLER: Scenario = Scenario {
    name: "postgres-pooler",
    about: "the same behind PgBouncer in transaction mode, with two connections for all processes",
    rounds: 24,
    quick_rounds: 1,
    run: pooler,
};

pub(super) const FAILOVER: Scenario = Scenario {
    name: "postgres-failover",
    about: "a PostgreSQL primary is killed, its synchronous standby takes over, and the address follows",
    rounds: 16,
    quick_rounds: 2,
    run: failover,
};

fn kill(run: &mut Run) -> Result<Report> {
    let mut server = PostgresServer::start()?;
    let url = server.url();
    kill_under_load(run, &mut server, &url)
}

fn pooler(run: &mut Run) -> Result<Report> {
    let mut server = PostgresServer::start()?;
    let pooler = PgBouncer::start(&server)?;
    kill_under_load(run, &mut server, &pooler.url())
}

fn kill_under_load(run: &mut Run, server: &mut PostgresServer, url: &str) -> Result<Report> {
    let load = run.load_alone(&vec![url.to_owned(); APPS], false)?;
    for round in 0..run.rounds {
        server.kill()?;
        std::thread::sleep(Duration::from_millis(run.random.u64(..800)));
        server.restart()?;
        run.failovers += 1;
        run.pause();
        run.progress(round, &load, "killed and restarted");
    }
    run.finish(load)
}

fn failover(run: &mut Run) -> Result<Report> {
    let mut primary = PostgresServer::start()?;
    let addresses = (0..APPS).map(|_| TcpProxy::to(primary.port())).collect::<Result<Vec<_>>>()?;
    let urls: Vec<_> = addresses.iter().map(|proxy| primary.url_through(proxy)).collect();
    let mut standby = primary.start_standby()?;
    primary.wait_for_standbys()?;
    let load = run.load_alone(&urls, false)?;
    for round in 0..run.rounds {
        primary.kill()?;
        std::thread::sleep(Duration::from_millis(run.random.u64(..500)));
        standby.promote()?;
        // The address follows late.
        std::thread::sleep(Duration::from_millis(run.random.u64(..300)));
        for address in &addresses {
            address.set_server(standby.port());
            address.close_all();
        }
        primary = standby;
        run.failovers += 1;
        run.pause();
        run.progress(round, &load, "failed over");
        // Commits that are acknowledged from now on survive the next round.
        standby = primary.start_standby()?;
        primary.wait_for_standbys()?;
    }
    run.finish(load)
}
