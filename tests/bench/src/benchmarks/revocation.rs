//! The delay between an acknowledged "log out everywhere" and the rejection in another process.

use std::time::Duration;

use anyhow::{Context as _, Result};
use regrant::Login;
use regrant::store::StoreAddress;

use crate::callers::auth::auth;
use crate::child::verifier::Verifier;
use crate::context::Context;
use crate::machine::monotonic;
use crate::population::user;
use crate::report::{Report, Table};
use crate::server::{Redis, Server as _};
use crate::statistics::Sample;

/// Lets the verifier's report of the token's use reach the store first, so that the verifier learns of
/// the revocation from the feed and not from the response to the report.
const SETTLE: Duration = Duration::from_millis(3);

const HOW: &str = "\
One process logs a user out everywhere; another one verifies that user's access token in a tight loop. The table shows the time from \
the acknowledgement in the first to the first rejection in the second, by their common clock: negative if the rejection \
came first. The loop occupies one core.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let mut report = Report::new("Revocation in another process");
    let mut table = Table::new(["", "trials", "p50 ms", "p99 ms", "slowest ms"]);
    context.block_on(async {
        let server = Redis::start()?;
        let redis = delays(context, "Redis", &server.url(), context.plan.trials_redis).await?;
        row(&mut table, "Redis", context.plan.trials_redis, &redis);
        let folder = tempfile::tempdir()?;
        let file = format!("file:{}", folder.path().join("sessions.db").display());
        let file = delays(context, "file", &file, context.plan.trials_file).await?;
        row(&mut table, "file", context.plan.trials_file, &file);
        anyhow::Ok(())
    })?;
    report.text(HOW).table(&table);
    Ok(report)
}

/// In milliseconds.
async fn delays(context: &Context, backend: &str, store: &str, trials: usize) -> Result<Sample> {
    context.progress.say(format_args!("{backend}: {trials} revocations"));
    let here = auth(StoreAddress::new(store))?;
    let mut there = Verifier::start(store)?;
    let mut step = context.progress.step(backend, trials as u64);
    let mut delays = Vec::new();
    for trial in 0..trials as u64 {
        // A new user for each trial: a user's earlier revocations would slow down the next one.
        let subject = user(trial)?;
        let pair = here.login(Login::new(subject.clone())).await?;
        there.accept(pair.access_token.expose())?;
        tokio::time::sleep(SETTLE).await;
        here.logout_everywhere(&subject).await?;
        let acknowledged = monotonic();
        let refused = there.refused()?;
        delays.push((refused.as_secs_f64() - acknowledged.as_secs_f64()) * 1e3);
        step.done(trial);
    }
    Sample::new(delays).context("not one trial")
}

fn row(table: &mut Table, backend: &str, trials: usize, delays: &Sample) {
    let percentile = |share| format!("{:.2}", delays.percentile(share));
    table.row([
        backend.to_owned(),
        trials.to_string(),
        percentile(0.5),
        percentile(0.99),
        format!("{:.2}", delays.greatest()),
    ]);
}
