//! PostgreSQL, against `pgbench` with the same statements.

use anyhow::Result;

use super::CONCURRENCY;
use super::contest::Contest;
use super::contestants::Contestant;
use super::pgbench::{Pgbench, Statements};
use crate::callers::auth::{AccessTokens, AuthCaller};
use crate::context::Context;
use crate::population::{LABEL, Population};
use crate::report::Report;
use crate::server::{Naming, Postgres, Server as _};

/// So few users that a process remembers the rows of all.
const FEW: u64 = 1_000;

const HOW: &str = "\
`pgbench` sends exactly the statements that the store sends (taken from `pg_stat_activity`), on records of the same size: for a random user, \
read the row by its key, then write it if its version is still the same. Every call writes and is committed. The contestants take turns \
in each round; each ratio is of two turns of the same round, and the tables show the median over the rounds (and the minimum and maximum). \
The server has the settings of a new installation, and a folder on this machine's disk, for which each commit waits; with `synchronous_commit = off` it does not wait, \
so that what regrant itself costs shows. \
The statements of the store have no names, which some poolers require, so the server plans them each time: `pgbench -M extended` does the same, and \
`-M prepared` shows what named ones would give. A store has ten connections, so 50 callers are compared with ten connections of one call each, and with 50. \
`only UPDATE` does not read the row first: so does a process that has written the row last and remembers it, and `Auth, remembered` refreshes only \
such users. What is not the same: `pgbench` sends parameters as text, writes the same version each time, and does not compare the estimated time with the \
server's. `store`, `Auth`, `then verify` and `Node` are as with Redis. Server and clients share the cores; the processor time of the server is that of all its processes, with that of opening the connections of `pgbench` for each turn.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    context.block_on(async {
        let mut server = Postgres::start_durable().await?;
        server.set("synchronous_commit", "off").await?;
        let users = context.plan.postgres_users;
        context.progress.say(format_args!("{users} users in PostgreSQL"));
        let all = Population { users: 0..users, sessions_each: 1, device: LABEL };
        for naming in [Naming::Users, Naming::Numbers] {
            server.fill(&all, naming, 0, &context.progress).await?;
        }
        let statements = Statements::overhear(&server).await?;
        let mut report = Report::new("Rotation in PostgreSQL");
        report.text(HOW);
        let raw = Pgbench::new(&server, statements, users);
        let mut contestants = vec![
            Contestant::raw(raw.clone()),
            Contestant::raw(raw.on_all_connections()),
            Contestant::raw(raw.prepared()),
            Contestant::raw(raw.only_update()),
        ];
        let (address, url) = (server.address(), server.url());
        contestants.extend(Contestant::of_regrant(context, &address, &url, users).await?);
        let few = AuthCaller::log_in(address, "few", FEW.min(users), AccessTokens::Unused).await?;
        contestants.push(Contestant::Auth { name: "Auth, remembered", caller: few });
        for (value, title) in [("on", ""), ("off", ", synchronous_commit = off")] {
            server.settle().await?;
            server.set("synchronous_commit", value).await?;
            for concurrency in CONCURRENCY {
                let contest =
                    Contest::run(context, &mut server, &contestants, title, concurrency).await?;
                super::add(&mut report, &contest, contest.baseline());
            }
        }
        Ok(report)
    })
}
