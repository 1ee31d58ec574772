//! Sessions in a database of the app, through the recipes of `bindings-node/docs/custom-stores.md`: processes of
//! Node.js are killed, and so is the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use regrant_test_support::{Flush, MariadbServer};

use super::{APPS, Run, Scenario};
use crate::load::{Load, NodeStore};
use crate::report::{Finding, Report};

pub(super) const MARIADB: Scenario = Scenario {
    name: "custom-mariadb-kill",
    about: "a MariaDB server and Node.js processes with their sessions in it are killed and restarted",
    rounds: 24,
    quick_rounds: 2,
    run: mariadb,
};

pub(super) const SQLITE: Scenario = Scenario {
    name: "custom-sqlite-kill",
    about: "Node.js processes with their sessions in one SQLite file are killed and restarted",
    rounds: 16,
    quick_rounds: 0,
    run: sqlite,
};

pub(super) const DEFECTS: Scenario = Scenario {
    name: "custom-defects",
    about: "the same with stores that lose writes, which the load must notice",
    rounds: 3,
    quick_rounds: 0,
    run: defects,
};

/// A recipe for each process. They share a table.
const RECIPES: [&str; APPS] = ["mysql2, MariaDB", "Sequelize, MariaDB", "Knex, MariaDB"];

fn stores(
    recipes: [&'static str; APPS],
    url: &str,
    defect: Option<&'static str>,
) -> Vec<NodeStore> {
    recipes.map(|recipe| NodeStore { recipe, url: url.to_owned(), defect }).to_vec()
}

fn mariadb(run: &mut Run) -> Result<Report> {
    let mut server = MariadbServer::start(Flush::AtCommit)?;
    let load = Load::start_node(run.name, run.seed, &stores(RECIPES, &server.url(), None))?;
    kill_under_load(run, &mut server, &load)?;
    run.finish(load)
}

fn kill_under_load(run: &mut Run, server: &mut MariadbServer, load: &Load) -> Result<()> {
    run.pause();
    for round in 0..run.rounds {
        let app = run.random.usize(..APPS);
        load.kill_app(app)?;
        std::thread::sleep(Duration::from_millis(run.random.u64(..300)));
        server.kill()?;
        std::thread::sleep(Duration::from_millis(run.random.u64(..500)));
        // An app may start before its database.
        let app_first = run.random.bool();
        if app_first {
            load.restart_app(app)?;
        }
        server.restart()?;
        if !app_first {
            load.restart_app(app)?;
        }
        run.failovers += 1;
        run.faults += 1;
        run.pause();
        run.progress(round, load, "the server and a process were killed and restarted");
    }
    Ok(())
}

fn sqlite(run: &mut Run) -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("regrant-chaos-").tempdir()?;
    let url = folder.path().join("app.db").display().to_string();
    let load = Load::start_node(run.name, run.seed, &stores(["Knex, SQLite"; APPS], &url, None))?;
    run.pause();
    for round in 0..run.rounds {
        let app = run.random.usize(..APPS);
        load.kill_app(app)?;
        std::thread::sleep(Duration::from_millis(run.random.u64(..800)));
        load.restart_app(app)?;
        run.faults += 1;
        run.pause();
        run.progress(round, &load, "a process was killed and restarted");
    }
    run.finish(load)
}

fn defects(run: &mut Run) -> Result<Report> {
    let since = Instant::now();
    let mut unnoticed = Vec::new();
    for (what, defect, flush) in [
        ("ignores the version", Some("ignores the version"), Flush::AtCommit),
        ("acknowledges early", Some("acknowledges early"), Flush::AtCommit),
        ("a server that writes its log once a second", None, Flush::EverySecond),
    ] {
        println!("  {what}:");
        let mut server = MariadbServer::start(flush)?;
        let load = Load::start_node(run.name, run.seed, &stores(RECIPES, &server.url(), defect))?;
        load.expect_complaints();
        kill_under_load(run, &mut server, &load)?;
        match run.finish(load)?.failure() {
            Some(failure) => println!("  noticed: {failure}"),
            None => unnoticed.push(what.to_owned()),
        }
    }
    let Run { name: scenario, failovers, faults, .. } = *run;
    let (took, tally, finding) = (since.elapsed(), Arc::default(), Finding::Unnoticed(unnoticed));
    // Without the counts, which would spoil the sums.
    Ok(Report { scenario, took, failovers, faults, tally, growth: None, peer: None, finding })
}
