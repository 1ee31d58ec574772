//! The measured Redis server and its own counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use redis::Connection;
use regrant::store::{SessionStore, StoreAddress};
use regrant_test_support::RedisServer;

/// The timeout of one operation: other load on the machine distorts the results, but should
/// not abort the run.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `redis-server` of its own, with the settings that the page on sizing advises except for
/// persistence: nothing is written to disk.
pub(crate) struct Server {
    server: RedisServer,
    connection: Connection,
}

/// The server's counters; the difference of two snapshots is the cost of a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// Calls by command, including those from scripts.
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) processor: Duration,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        let server = RedisServer::start()?;
        let connection = redis::Client::open(server.url())?.get_connection()?;
        Ok(Self { server, connection })
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn address(&self) -> StoreAddress {
        StoreAddress::new(self.url()).timeout(PATIENCE)
    }

    /// A store with a connection of its own.
    pub(crate) fn store(&self) -> Result<Arc<dyn SessionStore>> {
        Ok(self.address().open(None)?)
    }

    /// One field of `INFO`, a number.
    pub(crate) fn number(&mut self, field: &str) -> Result<f64> {
        let info = self.info()?;
        info.get(field).and_then(|text| text.parse().ok()).with_context(|| format!("no {field}"))
    }

    /// The memory of one key with all of its fields, in bytes.
    pub(crate) fn memory_of_a_key(&mut self) -> Result<u64> {
        let key: Option<Vec<u8>> = redis::cmd("RANDOMKEY").query(&mut self.connection)?;
        let key = key.context("there is no key")?;
        let bytes: Option<u64> = redis::cmd("MEMORY")
            .arg("USAGE")
            .arg(key)
            .arg("SAMPLES")
            .arg(0)
            .query(&mut self.connection)?;
        bytes.context("the key does not exist")
    }

    pub(crate) fn counters(&mut self) -> Result<Counters> {
        let info = self.info()?;
        let number = |field: &str| -> Result<f64> {
            let text = info.get(field).with_context(|| format!("no {field}"))?;
            Ok(text.parse()?)
        };
        let mut calls = BTreeMap::new();
        for (field, text) in &info {
            if let Some(command) = field.strip_prefix("cmdstat_") {
                let count = text.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
                calls.insert(command.to_owned(), count.context("calls")?.parse()?);
            }
        }
        Ok(Counters {
            calls,
            bytes_in: number("total_net_input_bytes")? as u64,
            bytes_out: number("total_net_output_bytes")? as u64,
            processor: Duration::from_secs_f64(number("used_cpu_user")? + number("used_cpu_sys")?),
        })
    }

    fn info(&mut self) -> Result<BTreeMap<String, String>> {
        let text: String = redis::cmd("INFO").arg("everything").query(&mut self.connection)?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Ok(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Counters {
    /// The difference since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let grown = |(command, count): (&String, &u64)| {
            let grown = count - earlier.calls.get(command).unwrap_or(&0);
            (grown > 0).then(|| (command.clone(), grown))
        };
        Self {
            calls: self.calls.iter().filter_map(grown).collect(),
            bytes_in: self.bytes_in - earlier.bytes_in,
            bytes_out: self.bytes_out - earlier.bytes_out,
            processor: self.processor.saturating_sub(earlier.processor),
        }
    }

    pub(crate) fn calls_of(&self, command: &str) -> u64 {
        self.calls.get(command).copied().unwrap_or(0)
    }
}
