//! PostgreSQL.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use regrant_test_support::PostgresServer;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::{Counters, Server};
use crate::machine::processor_time_of_family;
use crate::population::{Population, user};
use crate::progress::Progress;

/// How long the server may take until a query returns what is expected.
const SO_WITHIN: Duration = Duration::from_secs(60);

/// A user beyond all others, whose row is copied.
const MODEL: u64 = 999_999_999_999;

/// A database of a PostgreSQL server.
pub(crate) struct Postgres {
    server: Arc<PostgresServer>,
    url: String,
    client: Client,
}

/// How the users of copied rows are called. Both names have 17 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Naming {
    /// As [`user`] does.
    Users,
    /// Numbers from [`Postgres::FIRST_NUMBER`] on, because `pgbench` can draw random numbers, but not put them
    /// into a longer name.
    Numbers,
}

impl Postgres {
    /// The name of the first user of [`Naming::Numbers`].
    pub(crate) const FIRST_NUMBER: u64 = 10_000_000_000_000_000;

    /// A server that does not wait for the disk.
    pub(crate) async fn start() -> Result<Self> {
        Self::of(Arc::new(PostgresServer::start()?)).await
    }

    /// A server with the settings of a new installation: a commit waits for the disk.
    pub(crate) async fn start_durable() -> Result<Self> {
        Self::of(Arc::new(PostgresServer::start_durable()?)).await
    }

    async fn of(server: Arc<PostgresServer>) -> Result<Self> {
        let url = server.url();
        Ok(Self { client: connect(&url).await?, url, server })
    }

    /// Another, empty database of the same server.
    pub(crate) async fn another(&self) -> Result<Self> {
        let count: u32 = self.number("SELECT count(*) FROM pg_database").await?;
        let name = format!("database_{count}");
        self.sql(&format!("CREATE DATABASE {name}")).await?;
        let (base, _) = self.url.rsplit_once('/').context("no database in the address")?;
        let url = format!("{base}/{name}");
        Ok(Self { client: connect(&url).await?, url, server: Arc::clone(&self.server) })
    }

    /// Runs SQL; returns the last row, its values separated by `|`.
    pub(crate) async fn sql(&self, sql: &str) -> Result<String> {
        let messages = self.client.simple_query(sql).await.with_context(|| sql.to_owned())?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let Some(row) = rows.last() else { return Ok(String::new()) };
        let values: Vec<_> = (0..row.len()).map(|column| row.get(column).unwrap_or("")).collect();
        Ok(values.join("|"))
    }

    /// A number that a query returns.
    pub(crate) async fn number<T: std::str::FromStr>(&self, sql: &str) -> Result<T> {
        self.sql(sql).await?.parse().ok().with_context(|| format!("no number: {sql}"))
    }

    /// A client program of PostgreSQL, such as `pgbench`.
    pub(crate) fn program(&self, name: &str) -> Command {
        self.server.client(name)
    }

    /// Changes a setting, for the open connections too.
    pub(crate) async fn set(&self, setting: &str, value: &str) -> Result<()> {
        self.sql(&format!("ALTER SYSTEM SET {setting} = {value}")).await?;
        self.sql("SELECT pg_reload_conf()").await?;
        let since = Instant::now();
        while self.sql(&format!("SHOW {setting}")).await? != value {
            ensure!(since.elapsed() < SO_WITHIN, "{setting} is not {value}");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Creates all sessions: those of one user by the store, whose row is then copied. The copies come in random
    /// order, as users do, and expire at random times of this many days.
    pub(crate) async fn fill(
        &self,
        all: &Population,
        naming: Naming,
        days: u32,
        progress: &Progress,
    ) -> Result<()> {
        let model = Population { users: MODEL..MODEL + 1, ..all.clone() };
        model.fill(&self.store()?, progress).await?;
        let model = user(MODEL)?;
        let model = model.as_str();
        let name = match naming {
            Naming::Users => "'user-' || lpad(number::text, 12, '0')".to_owned(),
            Naming::Numbers => format!("({} + number)::text", Self::FIRST_NUMBER),
        };
        let (first, end) = (all.users.start, all.users.end);
        self.sql(&format!(
            "INSERT INTO regrant_users
             SELECT {name}, sessions, 1, expires_at - (random() * 86400000 * {days})::int8
             FROM regrant_users, generate_series({first}, {end} - 1) AS number
             WHERE subject = '{model}' ORDER BY random()"
        ))
        .await?;
        self.sql(&format!("DELETE FROM regrant_users WHERE subject = '{model}'")).await?;
        self.settle().await
    }

    /// Does what the server would do in the background sooner or later.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.sql("VACUUM ANALYZE regrant_users").await?;
        self.sql("CHECKPOINT").await?;
        Ok(())
    }

    /// Writes each row once, as refreshes do, with another version, a part of the users at a time,
    /// and with a `VACUUM` after each part, as autovacuum does.
    pub(crate) async fn write_all(&self, parts: u32) -> Result<()> {
        for part in 0..parts {
            self.sql(&format!(
                "UPDATE regrant_users SET version = version + 1
                 WHERE abs(hashtext(subject)) % {parts} = {part}"
            ))
            .await?;
            self.sql("VACUUM regrant_users").await?;
        }
        Ok(())
    }
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

impl Server for Postgres {
    fn url(&self) -> String {
        self.url.clone()
    }

    /// Each writing transaction has a number. What else the server counts reaches its statistics too late.
    async fn counters(&mut self) -> Result<Counters> {
        let server = self.server.process_id().context("the server has ended")?;
        Ok(Counters {
            writes: self.number("SELECT pg_snapshot_xmax(pg_current_snapshot())").await?,
            processor: processor_time_of_family(server)?,
            ..Counters::default()
        })
    }
}
