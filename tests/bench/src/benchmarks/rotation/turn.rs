//! One turn: one contestant in one round.

use std::time::Duration;

use crate::server::Counters;
use crate::statistics::micros;

/// The results and costs of a turn.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// Refreshes per second.
    pub(super) rate: f64,
    /// In microseconds.
    pub(super) p50: f64,
    /// In microseconds.
    pub(super) p99: f64,
    pub(super) calls: u64,
    /// The client's processor time, if it can be measured.
    pub(super) client: Option<Duration>,
    pub(super) server: Counters,
}

/// Commands that are not part of a refresh: the query of these counters, and the reads of the feed of
/// revocations, which each process reads once a second.
const APART: [&str; 2] = ["info", "xread"];

/// Commands that the script calls inside the server.
const INSIDE: [&str; 3] = ["hget", "hset", "time"];

impl Turn {
    /// The server's processor time per call.
    pub(super) fn server_micros(&self) -> f64 {
        self.per_call(micros(self.server.processor))
    }

    /// The client's processor time per call.
    pub(super) fn client_micros(&self) -> Option<f64> {
        self.client.map(|client| self.per_call(micros(client)))
    }

    pub(super) fn bytes_in(&self) -> f64 {
        self.per_call(self.server.bytes_in as f64)
    }

    pub(super) fn bytes_out(&self) -> f64 {
        self.per_call(self.server.bytes_out as f64)
    }

    /// Commands that the server was asked for, per call.
    pub(super) fn round_trips(&self) -> f64 {
        let asked = self.server.calls.iter().filter(|(command, _)| {
            !APART.contains(&command.as_str()) && !INSIDE.contains(&command.as_str())
        });
        self.per_call(asked.map(|(_, count)| *count).sum::<u64>() as f64)
    }

    /// The share of the calls that wrote.
    pub(super) fn writes(&self) -> f64 {
        self.per_call(self.server.calls_of("hset") as f64)
    }

    fn per_call(&self, total: f64) -> f64 {
        total / self.calls as f64
    }
}
