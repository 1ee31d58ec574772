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

impl Turn {
    /// The server's processor time per call.
    pub(super) fn server_micros(&self) -> f64 {
        self.per_call(micros(self.server.processor))
    }

    /// The client's processor time per call.
    pub(super) fn client_micros(&self) -> Option<f64> {
        self.client.map(|client| self.per_call(micros(client)))
    }

    pub(super) fn bytes_in(&self) -> Option<f64> {
        self.server.bytes_in.map(|bytes| self.per_call(bytes as f64))
    }

    pub(super) fn bytes_out(&self) -> Option<f64> {
        self.server.bytes_out.map(|bytes| self.per_call(bytes as f64))
    }

    /// Commands that the server was asked for, per call.
    pub(super) fn round_trips(&self) -> Option<f64> {
        self.server.commands.map(|commands| self.per_call(commands as f64))
    }

    /// The share of the calls that wrote.
    pub(super) fn writes(&self) -> f64 {
        self.per_call(self.server.writes as f64)
    }

    fn per_call(&self, total: f64) -> f64 {
        total / self.calls as f64
    }
}
