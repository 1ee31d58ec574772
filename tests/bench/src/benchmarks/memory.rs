//! The size of a session: in the memory of Redis, in a file, in PostgreSQL, and in the deny list of a process.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use regrant::revocation::{Revocation, RevocationTarget};
use regrant::store::StoreAddress;
use regrant::types::{Clock as _, SystemClock};

use crate::child;
use crate::context::Context;
use crate::population::{LABEL, Population, first_token, policy, refresh, session, user};
use crate::report::{Report, Table};
use crate::server::{Naming, Postgres, Redis, Server as _};
use crate::statistics::grouped;

/// The target: total bytes per session in Redis, with one session per user.
const TARGET: f64 = 200.0;

/// Sessions per user.
const EACH: [u64; 2] = [1, 5];

/// The number of revocations written to the feed to measure an entry.
const FEED_ENTRIES: u64 = 10_000;

/// In PostgreSQL, the days over which the ends of the sessions are spread.
const SPREAD_OVER_DAYS: u32 = 90;

/// In PostgreSQL, how many parts of the users are written one after the other, with a `VACUUM` in between.
const PARTS: u32 = 10;

/// How long the last transaction may take to reach the file.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

const HOW: &str = "\
Filled by `SessionStore::create`, users called `user-000000000042`. Redis: what `used_memory` grew by, so keys, expiries and the \
tables of the keyspace are in it; beside it `MEMORY USAGE` of one key, \
after the logins and after one refresh of each session. The tables of the keyspace double at powers of two \
(2²⁰ = 1,048,576 keys), so they are at their fullest, and cheapest per key, just below one. PostgreSQL: `pg_total_relation_size`, so the table \
and both indexes, with the rows in random order: after the logins, and after all rows were written several times more, each time by a tenth of the users at once and \
with a `VACUUM` in between, as autovacuum does.";

/// Runs the benchmark.
pub(crate) fn run(context: &Context) -> Result<Report> {
    let mut report = Report::new("Memory");
    report.text(HOW);
    let sessions = context.plan.memory_sessions;
    context.block_on(async {
        let mut table = Table::new([
            "",
            "sessions per user",
            "device label",
            "sessions",
            "bytes per session",
            "`MEMORY USAGE` of a user",
            "once refreshed",
        ]);
        for each in EACH {
            for device in ["", LABEL] {
                let all = Population { users: 0..sessions / each, sessions_each: each, device };
                let used = in_redis(context, &all).await?;
                if each == 1 {
                    report.check(
                        format!("bytes per session in Redis, label of {} bytes", device.len()),
                        format!("{used:.0}"),
                        format!("≤ {TARGET}"),
                        used <= TARGET,
                    );
                }
                let (fresh, refreshed) = of_a_user(context, &all).await?;
                table.row(row("Redis", &all, used, [&fresh.to_string(), &refreshed.to_string()]));
            }
        }
        for each in EACH {
            let all = Population { users: 0..sessions / each, sessions_each: each, device: LABEL };
            table.row(row("file", &all, in_a_file(context, &all).await?, ["–"; 2]));
        }
        report.table(&table);
        report.table(&in_postgres(context).await?);
        let mut others = Table::new(["", "entries", "bytes per entry"]);
        let feed = feed(context).await?;
        others.row([
            "feed of revocations in Redis",
            &grouped(FEED_ENTRIES as f64),
            &format!("{feed:.0}"),
        ]);
        let denied = child::denied::measure(context.plan.denied)?;
        let count = grouped(context.plan.denied as f64);
        others.row(["deny list of a process", &count, &format!("{denied:.0}")]);
        report.table(&others);
        Ok(report)
    })
}

fn row(backend: &str, all: &Population, per_session: f64, of_a_user: [&str; 2]) -> [String; 7] {
    [
        backend.to_owned(),
        all.sessions_each.to_string(),
        format!("{} bytes", all.device.len()),
        grouped(all.sessions() as f64),
        format!("{per_session:.0}"),
        of_a_user[0].to_owned(),
        of_a_user[1].to_owned(),
    ]
}

/// Bytes per session.
async fn in_redis(context: &Context, all: &Population) -> Result<f64> {
    let mut server = Redis::start()?;
    let store = server.store()?;
    // The connection and the scripts also take memory; exclude it.
    let first = Population { users: all.users.end..all.users.end + 1, ..all.clone() };
    first.fill(&store, &context.progress).await?;
    let before = server.number("used_memory")?;
    context.progress.say(format_args!(
        "Redis: {} sessions, {} per user, a label of {} bytes",
        all.sessions(),
        all.sessions_each,
        all.device.len()
    ));
    all.fill(&store, &context.progress).await?;
    Ok((server.number("used_memory")? - before) / all.sessions() as f64)
}

/// The bytes of the key of one user: after the logins, and after each session was refreshed.
async fn of_a_user(context: &Context, all: &Population) -> Result<(u64, u64)> {
    let mut server = Redis::start()?;
    let store = server.store()?;
    Population { users: 0..1, ..all.clone() }.fill(&store, &context.progress).await?;
    let fresh = server.memory_of_a_key()?;
    for number in 0..all.sessions_each {
        refresh(&*store, &user(0)?, &session(number)?, &first_token(), &policy()).await?;
    }
    Ok((fresh, server.memory_of_a_key()?))
}

async fn in_a_file(context: &Context, all: &Population) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sessions.db");
    let store = StoreAddress::new(format!("file:{}", path.display())).open(None)?;
    context.progress.say(format_args!("file: {} sessions", all.sessions()));
    all.fill(&store, &context.progress).await?;
    drop(store);
    let began = Instant::now();
    loop {
        // When the store's thread has closed it, the write-ahead log is merged into the file.
        let sizes: Vec<_> = std::fs::read_dir(folder.path())?
            .map(|entry| Ok(entry?.metadata()?.len()))
            .collect::<Result<_>>()?;
        if let [size] = sizes[..] {
            return Ok(size as f64 / all.sessions() as f64);
        }
        ensure!(began.elapsed() < CLOSED_WITHIN, "the store was not closed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Bytes per session in PostgreSQL.
async fn in_postgres(context: &Context) -> Result<Table> {
    let mut table = Table::new([
        "PostgreSQL",
        "device label",
        "sessions",
        "bytes per session",
        "of which indexes",
        "after refreshes",
        "of which indexes",
    ]);
    let server = Postgres::start().await?;
    for each in EACH {
        for device in ["", LABEL] {
            let users = context.plan.postgres_sessions / each;
            let all = Population { users: 0..users, sessions_each: each, device };
            context.progress.say(format_args!("PostgreSQL: {} sessions", all.sessions()));
            let database = server.another().await?;
            database.fill(&all, Naming::Users, SPREAD_OVER_DAYS, &context.progress).await?;
            let mut row = vec![
                format!("{each} per user"),
                format!("{} bytes", device.len()),
                grouped(all.sessions() as f64),
            ];
            for writes in [0, context.plan.postgres_writes] {
                for _ in 0..writes {
                    database.write_all(PARTS).await?;
                }
                for what in ["pg_total_relation_size", "pg_indexes_size"] {
                    let bytes: f64 =
                        database.number(&format!("SELECT {what}('regrant_users')")).await?;
                    row.push(format!("{:.0}", bytes / all.sessions() as f64));
                }
            }
            table.row(row);
        }
    }
    Ok(table)
}

/// Bytes per feed entry.
async fn feed(context: &Context) -> Result<f64> {
    let mut server = Redis::start()?;
    let store = server.store()?;
    let feed = store.feed().context("no feed")?;
    context.progress.say(format_args!("feed: {FEED_ENTRIES} entries"));
    let revocation = |number| -> Result<Revocation> {
        let target = RevocationTarget::Session { session: session(number)? };
        Ok(Revocation::new(target, SystemClock.now().plus(Duration::from_secs(900))))
    };
    feed.publish(&[revocation(0)?]).await?;
    let before = server.number("used_memory")?;
    for number in 0..FEED_ENTRIES {
        feed.publish(&[revocation(number)?]).await?;
    }
    Ok((server.number("used_memory")? - before) / FEED_ENTRIES as f64)
}
