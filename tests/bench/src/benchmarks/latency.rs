//! The latency of a refresh over the number of sessions: in the store, and of one user.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use regrant::store::{SessionStore, StoreAddress};

use crate::context::Context;
use crate::population::{Draw, LABEL, Population, first_token, policy, refresh, session, user};
use crate::report::{Report, Table};
use crate::server::{Naming, Postgres, Redis, Server as _};
use crate::statistics::{Sample, grouped, micros};

/// How much longer the median may be in the fullest store than in the emptiest.
const TARGET: f64 = 1.2;

/// Sessions of one user. More than the default cap: apps may lift it.
const OF_ONE_USER: [u64; 3] = [1, 50, 1_000];

/// Sessions of one user in PostgreSQL, where they are one value: up to the default cap. Without a target.
const IN_ONE_VALUE: [u64; 3] = [1, 5, 50];

const HOW: &str = "\
One refresh at a time, of a random session, by `SessionStore::refresh`. Each size is a server of its own (or file, or database of one PostgreSQL server); \
all are there at once and take turns, so that what else the machine does hits all of them alike. In PostgreSQL each turn begins with a new store \
and refreshes no user twice: it would remember that user's row and save a statement, which is likelier with few users. Its server does not wait for the disk.";

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
        let postgres = Postgres::start().await?;
        for backend in [Backend::Redis, Backend::File, Backend::Postgres] {
            let of_one_user = if backend == Backend::Postgres { IN_ONE_VALUE } else { OF_ONE_USER };
            let fields =
                [("in the store", sizes.map(by_size)), ("of one user", of_one_user.map(by_user))];
            for (of_what, populations) in fields {
                compare(context, &postgres, backend, of_what, &populations, &mut report).await?;
            }
        }
        Ok(report)
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Redis,
    File,
    Postgres,
}

/// A filled store, with its server or folder.
struct Filled {
    store: Arc<dyn SessionStore>,
    address: StoreAddress,
    backend: Backend,
    /// The server, the folder or the database.
    _home: Box<dyn Any>,
    population: Population,
    /// Of each refresh, in microseconds.
    latencies: Vec<f64>,
}

impl Filled {
    async fn new(
        context: &Context,
        postgres: &Postgres,
        backend: Backend,
        population: &Population,
    ) -> Result<Self> {
        context.progress.say(format_args!("{backend:?}: {} sessions", population.sessions()));
        let (address, home): (_, Box<dyn Any>) = match backend {
            Backend::Redis => {
                let server = Redis::start()?;
                (server.address(), Box::new(server))
            }
            Backend::File => {
                let folder = tempfile::tempdir()?;
                let path = folder.path().join("sessions.db");
                (StoreAddress::new(format!("file:{}", path.display())), Box::new(folder))
            }
            Backend::Postgres => {
                let database = postgres.another().await?;
                database.fill(population, Naming::Users, 0, &context.progress).await?;
                (database.address(), Box::new(database))
            }
        };
        let store = address.open(None)?;
        if backend != Backend::Postgres {
            population.fill(&store, &context.progress).await?;
        }
        let (population, latencies) = (population.clone(), Vec::new());
        Ok(Self { store, address, backend, _home: home, population, latencies })
    }

    /// Refreshes random sessions sequentially until the turn is over.
    async fn turn(&mut self, context: &Context, round: usize, counts: bool) -> Result<()> {
        let (token, policy) = (first_token(), policy());
        let mut draw = Draw::new(round as u64, self.population.sessions());
        let users = self.population.users.end - self.population.users.start;
        let mut refreshed = BTreeSet::new();
        if self.backend == Backend::Postgres {
            self.store = self.address.open(None)?;
            // Connects.
            self.store.list(&user(0)?).await?;
        }
        let began = Instant::now();
        while began.elapsed() < context.plan.turn / 2 {
            let number = draw.number();
            if self.backend == Backend::Postgres {
                if refreshed.len() as u64 == users {
                    break;
                }
                if !refreshed.insert(number / self.population.sessions_each) {
                    continue;
                }
            }
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
    postgres: &Postgres,
    backend: Backend,
    of_what: &str,
    populations: &[Population],
    report: &mut Report,
) -> Result<()> {
    let mut all = Vec::new();
    for population in populations {
        all.push(Filled::new(context, postgres, backend, population).await?);
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
    if backend == Backend::Postgres && of_what == "of one user" {
        return Ok(());
    }
    report.check(
        format!("latency, {backend:?}, over sessions {of_what}"),
        format!("{worst:.2}×"),
        format!("≤ {TARGET}×"),
        worst <= TARGET,
    );
    Ok(())
}
