//! The measured servers and their own counters.

mod postgres;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use regrant::store::{SessionStore, StoreAddress};

pub(crate) use self::postgres::{Naming, Postgres};
pub(crate) use self::redis::Redis;

/// The timeout of one operation: other load on the machine distorts the results, but should
/// not abort the run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own on loopback.
pub(crate) trait Server {
    fn url(&self) -> String;

    /// What it has done so far.
    async fn counters(&mut self) -> Result<Counters>;

    fn address(&self) -> StoreAddress {
        StoreAddress::new(self.url()).timeout(PATIENCE)
    }

    /// A store with connections of its own.
    fn store(&self) -> Result<Arc<dyn SessionStore>> {
        Ok(self.address().open(None)?)
    }
}

/// The server's counters; the difference of two snapshots is the cost of a turn. `None` for what a server
/// does not count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// What clients asked for, one round trip each.
    pub(crate) commands: Option<u64>,
    /// Refreshes that were written.
    pub(crate) writes: u64,
    pub(crate) bytes_in: Option<u64>,
    pub(crate) bytes_out: Option<u64>,
    pub(crate) processor: Duration,
}

impl Counters {
    /// The difference since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let grown = |now: Option<u64>, then: Option<u64>| Some(now? - then?);
        Self {
            commands: grown(self.commands, earlier.commands),
            writes: self.writes - earlier.writes,
            bytes_in: grown(self.bytes_in, earlier.bytes_in),
            bytes_out: grown(self.bytes_out, earlier.bytes_out),
            processor: self.processor.saturating_sub(earlier.processor),
        }
    }
}
