//! Redis, against `redis-benchmark` with the same script.

use anyhow::Result;

use super::CONCURRENCY;
use super::contest::Contest;
use super::contestants::Contestant;
use super::redis_benchmark::RedisBenchmark;
use crate::context::Context;
use crate::population::{LABEL, Population};
use crate::report::Report;
use crate::server::{Redis, Server as _};

const HOW: &str = "\
`redis-benchmark` sends exactly the command that the store sends (taken from `MONITOR`, the user's number replaced by a random one), \
so script, arguments and records are the same; every call writes. The contestants take turns in each round; each ratio is of two \
turns of the same round, and the table shows the median over the rounds (and the minimum and maximum). \
`store` is `SessionStore::refresh` with the same first token presented again without a grace, as the raw calls do. `Auth` is \
`Auth::refresh`: the newest token of a random user is verified, exchanged, and the next pair is signed; `then verify` also verifies the new access token, \
and its use is reported to the store in the background. \
Server and clients share the cores. All of regrant's callers share one connection, as they do in an app: \
so 50 callers are compared with 50 connections of one call each, and with one connection that has 50 calls in flight.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    context.block_on(async {
        let mut server = Redis::start()?;
        let users = context.plan.rotation_users;
        context.progress.say(format_args!("{users} users"));
        let all = Population { users: 0..users, sessions_each: 1, device: LABEL };
        all.fill(&server.store()?, &context.progress).await?;
        let raw = RedisBenchmark::overhear(&server, users).await?;
        let mut contestants = vec![Contestant::raw(raw.clone()), Contestant::raw(raw.pipelined())];
        let (address, url) = (server.address(), server.url());
        contestants.extend(Contestant::of_regrant(context, &address, &url, users).await?);
        let mut report = Report::new("Rotation");
        report.text(HOW);
        for concurrency in CONCURRENCY {
            let contest = Contest::run(context, &mut server, &contestants, "", concurrency).await?;
            super::add(&mut report, &contest, contest.baseline());
            if let Some(trips) = contest.round_trips("Auth") {
                report.check(
                    format!("round trips per refresh, {}", contest.title()),
                    format!("{trips:.3}"),
                    "1",
                    (0.999..1.001).contains(&trips),
                );
            }
        }
        Ok(report)
    })
}
