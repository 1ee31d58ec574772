//! The latency of a refresh over the number of sessions: in the store, and of one user.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use regrant::store::{SessionStore, StoreAddress};

use crate::context::Context;
use crate::population::{Draw, LABEL, Population, first_token, policy, refresh, session, user};
use crate::report::{Report, Table};
use crate::server::Server;
use crate::statistics::{Sample, grouped, micros};

/// How much longer the median may be in the fullest store than in the emptiest.
const TARGET: f64 = 1.2;

/// Sessions of one user. More than the default cap: apps may lift it.
const OF_ONE_USER: [u64; 3] = [1, 50, 1_000];

const HOW: &str = "\
One refresh at a time, of a random session, by `SessionStore::refresh`. Each size is a server (or file) of its own; \
all are there at once and take turns, so that what else the machine does hits all of them alike.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let mut report = Report::new("Latency over the number of sessions");
    report.text(HOW);
    context.block_on(async {
        let by_size = |size| Population { users: 0..size, sessions_each: 1, device: LABEL };
        let by_user = |each| Population {
            users: 0..context.plan.shared_out / each,
            sessions_each: each,
            device: LABEL,
        };
        let sizes = context.plan.store_sizes;
        for backend in [Backend::Redis, Backend::File] {
            let fields =
                [("in the store", sizes.map(by_size)), ("of one user", OF_ONE_USER.map(by_user))];
            for (of_what, populations) in fields {
                compare(context, backend, of_what, &populations, &mut report).await?;
            }
        }
        Ok(report)
    })
}

#[derive(Clone, Copy, Debug)]
enum Backend {
    Redis,
    File,
}

/// A filled store, with its server or folder.
struct Filled {
    store: Arc<dyn SessionStore>,
    _server: Option<Server>,
    _folder: Option<tempfile::TempDir>,
    population: Population,
    /// Of each refresh, in microseconds.
    latencies: Vec<f64>,
}

impl Filled {
    async fn new(context: &Context, backend: Backend, population: &Population) -> Result<Self> {
        let (store, server, folder) = match backend {
            Backend::Redis => {
                let server = Server::start()?;
                (server.store()?, Some(server), None)
            }
            Backend::File => {
                let folder = tempfile::tempdir()?;
                let path = folder.path().join("sessions.db");
                let address = StoreAddress::new(format!("file:{}", path.display()));
                (address.open(None)?, None, Some(folder))
            }
        };
        context.progress.say(format_args!("{backend:?}: {} sessions", population.sessions()));
        population.fill(&store, &context.progress).await?;
        let (population, latencies) = (population.clone(), Vec::new());
        Ok(Self { store, _server: server, _folder: folder, population, latencies })
    }

    /// Refreshes random sessions sequentially until the turn is over.
    async fn turn(&mut self, context: &Context, round: usize, counts: bool) -> Result<()> {
        let (token, policy) = (first_token(), policy());
        let mut draw = Draw::new(round as u64, self.population.sessions());
        let began = Instant::now();
        while began.elapsed() < context.plan.turn / 2 {
            let number = draw.number();
            let subject = user(number / self.population.sessions_each)?;
            let session = session(number % self.population.sessions_each)?;
            let before = Instant::now();
            refresh(&*self.store, &subject, &session, &token, &policy).await?;
            if counts {
                self.latencies.push(micros(before.elapsed()));
            }
        }
        Ok(())
    }
}

async fn compare(
    context: &Context,
    backend: Backend,
    of_what: &str,
    populations: &[Population],
    report: &mut Report,
) -> Result<()> {
    let mut all = Vec::new();
    for population in populations {
        all.push(Filled::new(context, backend, population).await?);
    }
    for round in 0..=context.plan.rounds {
        for filled in &mut all {
            // The first round warms up.
            filled.turn(context, round, round > 0).await?;
        }
        context.progress.say(format_args!("{backend:?}, sessions {of_what}: round {round}"));
    }
    let mut table = Table::new([
        &format!("{backend:?}: sessions {of_what}"),
        "p50 µs",
        "p99 µs",
        "ratio of p50",
    ]);
    let mut first = None;
    let mut worst = 0_f64;
    for filled in all {
        let latency = Sample::new(filled.latencies).context("not one refresh")?;
        let ratio = latency.median() / *first.get_or_insert(latency.median());
        worst = worst.max(ratio);
        let Population { users, sessions_each, .. } = filled.population;
        let size = if of_what == "of one user" { sessions_each } else { users.end };
        table.row([
            grouped(size as f64),
            format!("{:.1}", latency.median()),
            format!("{:.1}", latency.percentile(0.99)),
            format!("{ratio:.2}"),
        ]);
    }
    report.table(&table);
    report.check(
        format!("latency, {backend:?}, over sessions {of_what}"),
        format!("{worst:.2}×"),
        format!("≤ {TARGET}×"),
        worst <= TARGET,
    );
    Ok(())
}
