//! Rotation with the file store.

use anyhow::Result;

use crate::callers::auth::{AccessTokens, AuthCaller};
use crate::callers::store::Store;
use crate::context::Context;
use crate::load::Load;
use crate::machine::processor_time;
use crate::population::{LABEL, Population};
use crate::report::{Report, Table};
use crate::statistics::{Sample, grouped, micros};
use regrant::store::StoreAddress;

/// The numbers of concurrent callers.
const CONCURRENCY: [usize; 2] = [1, 50];

const HOW: &str = "\
The same calls as against Redis, on a file (SQLite in WAL mode) of this machine's disk and by one process. \
Rotations are acknowledged once they are safe from the death of the process.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    context.block_on(async {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("sessions.db");
        let address = StoreAddress::new(format!("file:{}", path.display()));
        let users = context.plan.rotation_users;
        context.progress.say(format_args!("{users} users in a file"));
        let store = address.open(None)?;
        let all = Population { users: 0..users, sessions_each: 1, device: LABEL };
        all.fill(&store, &context.progress).await?;
        let store = Store::new(store, users);
        let caller = AuthCaller::log_in(address, "auth", users, AccessTokens::Unused).await?;

        let mut report = Report::new("Rotation in a file");
        let mut table =
            Table::new(["", "at once", "refreshes/s", "p50 µs", "p99 µs", "CPU µs per refresh"]);
        for concurrency in CONCURRENCY {
            let (mut stores, mut callers) = (Turns::default(), Turns::default());
            for round in 0..context.plan.rounds {
                let before = processor_time();
                stores.add(store.run(concurrency, context.plan.turn).await?, before);
                let before = processor_time();
                callers.add(caller.run(concurrency, context.plan.turn).await?, before);
                context.progress.say(format_args!("{concurrency} at once, round {}", round + 1));
            }
            stores.report("store", concurrency, &mut table);
            callers.report("Auth", concurrency, &mut table);
        }
        report.text(HOW).table(&table);
        Ok(report)
    })
}

/// The turns of one contestant.
#[derive(Default)]
struct Turns(Vec<Turn>);

struct Turn {
    load: Load,
    /// Processor time per call, in microseconds.
    processor: f64,
}

impl Turns {
    fn add(&mut self, load: Load, before: std::time::Duration) {
        let used = processor_time().saturating_sub(before);
        let processor = micros(used) / load.calls as f64;
        self.0.push(Turn { load, processor });
    }

    fn report(&self, name: &str, concurrency: usize, table: &mut Table) {
        let median = |what: fn(&Turn) -> f64| {
            Sample::new(self.0.iter().map(what).collect()).map_or(f64::NAN, |all| all.median())
        };
        table.row([
            format!("`{name}`"),
            concurrency.to_string(),
            grouped(median(|turn| turn.load.rate())),
            format!("{:.0}", median(|turn| turn.load.latency.percentile(0.5))),
            format!("{:.0}", median(|turn| turn.load.latency.percentile(0.99))),
            format!("{:.1}", median(|turn| turn.processor)),
        ]);
    }
}
