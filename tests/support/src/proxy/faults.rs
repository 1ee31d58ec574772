//! The faults that the proxy applies.

use std::time::Duration;

/// The faults in force.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// By [`Way`].
    pub(super) delay: [Duration; 2],
    pub(super) cut: bool,
    pub(super) held: bool,
    pub(super) answers_lost: bool,
    pub(super) answers_cut: bool,
}

/// The direction of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

/// How the proxy treats a chunk of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Forwarded after this delay.
    Pass(Duration),
    /// Held until the faults change.
    Hold,
    /// Dropped.
    Lose,
    /// Dropped, and the connection is closed.
    Cut,
}

impl Faults {
    pub(super) fn fate(&self, way: Way) -> Fate {
        let answer = way == Way::ToClient;
        if self.held {
            Fate::Hold
        } else if answer && self.answers_lost {
            Fate::Lose
        } else if answer && self.answers_cut {
            Fate::Cut
        } else {
            Fate::Pass(self.delay[way as usize])
        }
    }
}
