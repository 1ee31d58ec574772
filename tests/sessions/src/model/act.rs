//! What can happen in the world, one act at a time.

use std::fmt;
use std::time::Duration;

/// The grace of every session here.
pub const GRACE: Duration = Duration::from_secs(10);

/// How far a clock steps back at a failover: well beyond the grace.
pub const STEP_BACK: Duration = Duration::from_secs(45);

/// The time between an act and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// None: the act's own instant does not matter.
    None,
    /// Half the grace: two of them are the grace exactly, three are more.
    Short,
    /// One millisecond more than the grace.
    Long,
}

impl Gap {
    /// How long it is.
    pub const fn span(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Short => Duration::from_secs(5),
            Self::Long => Duration::from_millis(10_001),
        }
    }
}

/// What becomes of the answer to the honest client's refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It arrives.
    Arrives,
    /// It is lost on the way.
    Lost,
    /// It is lost to the honest client, and the thief has it.
    Stolen,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The honest client refreshes.
    Refresh(Answer),
    /// The honest client asks for an access token only (rotation off).
    Keep,
    /// A delayed copy of one of the honest client's requests arrives; 0 is its last one.
    Duplicate(usize),
    /// The honest client uses its access token; the report to the store arrives or is lost.
    Use {
        /// The report arrives.
        delivered: bool,
    },
    /// The honest client uses the access token that it had before its last refresh, as a request
    /// does that was on its way meanwhile; the report arrives.
    UseEarlier,
    /// The thief copies the pair that the honest client holds.
    Steal,
    /// The thief refreshes.
    ThiefRefreshes,
    /// The thief uses its access token; the report to the store arrives or is lost.
    ThiefUses {
        /// The report arrives.
        delivered: bool,
    },
    /// The store goes back to an earlier record; its clock may be behind afterwards.
    Rollback {
        /// Which of the records that it ever held.
        to: usize,
        /// Its clock is behind by 45 seconds more.
        clock_steps_back: bool,
    },
}

/// A deed and the time before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// The time since the act before.
    pub gap: Gap,
    /// What happens then.
    pub deed: Deed,
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gap {
            Gap::None => {}
            Gap::Short => f.write_str("short ")?,
            Gap::Long => f.write_str("long ")?,
        }
        write!(f, "{:?}", self.deed)
    }
}
