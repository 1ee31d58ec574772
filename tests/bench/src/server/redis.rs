//! Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use redis::Connection;
use regrant_test_support::RedisServer;

use super::{Counters, Server};

/// Commands that are not part of a refresh: the query of these counters, and the reads of the feed of
/// revocations, which each process reads once a second.
const APART: [&str; 2] = ["info", "xread"];

/// Commands that the script calls inside the server.
const INSIDE: [&str; 3] = ["hget", "hset", "time"];

/// A `redis-server` of its own, with the settings that the page on sizing advises except for
/// persistence: nothing is written to disk.
pub(crate) struct Redis {
    server: RedisServer,
    connection: Connection,
}

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let server = RedisServer::start()?;
        let connection = redis::Client::open(server.url())?.get_connection()?;
        Ok(Self { server, connection })
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
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

    fn info(&mut self) -> Result<BTreeMap<String, String>> {
        let text: String = redis::cmd("INFO").arg("everything").query(&mut self.connection)?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Ok(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Server for Redis {
    fn url(&self) -> String {
        self.server.url()
    }

    async fn counters(&mut self) -> Result<Counters> {
        let info = self.info()?;
        let number = |field: &str| -> Result<f64> {
            let text = info.get(field).with_context(|| format!("no {field}"))?;
            Ok(text.parse()?)
        };
        let (mut commands, mut writes) = (0, 0);
        for (field, text) in &info {
            let Some(command) = field.strip_prefix("cmdstat_") else { continue };
            let count = text.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
            let count: u64 = count.context("calls")?.parse()?;
            if command == "hset" {
                writes = count;
            }
            if !APART.contains(&command) && !INSIDE.contains(&command) {
                commands += count;
            }
        }
        Ok(Counters {
            commands: Some(commands),
            writes,
            bytes_in: Some(number("total_net_input_bytes")? as u64),
            bytes_out: Some(number("total_net_output_bytes")? as u64),
            processor: Duration::from_secs_f64(number("used_cpu_user")? + number("used_cpu_sys")?),
        })
    }
}
