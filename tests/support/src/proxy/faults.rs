//! What the proxy does to what passes.

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

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

/// What becomes of a piece of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on, so long after it came.
    Pass(Duration),
    /// It waits until that changes.
    Hold,
    /// It vanishes.
    Lose,
    /// It vanishes and takes the connection with it.
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
