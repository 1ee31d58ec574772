//! The steps of a history: an event, and the time before it.

use std::fmt;
use std::time::Duration;

/// The grace of every session here.
pub const GRACE: Duration = Duration::from_secs(10);

/// The grace of unused children: exactly two [`Gap::Long`].
pub const UNUSED_GRACE: Duration = Duration::from_millis(20_002);

/// How far a clock steps back at a failover: much more than either grace.
pub const STEP_BACK: Duration = Duration::from_secs(45);

/// The time between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// None: the instant of the event does not matter.
    None,
    /// Half the grace: two of them are exactly the grace.
    Short,
    /// One millisecond more than the grace.
    Long,
    /// One millisecond more than the grace of unused children.
    Longer,
}

impl Gap {
    /// How long it is.
    pub const fn span(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Short => Duration::from_secs(5),
            Self::Long => Duration::from_millis(10_001),
            Self::Longer => Duration::from_millis(20_003),
        }
    }
}

/// What becomes of the response to the honest client's refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFate {
    /// It arrives.
    Arrives,
    /// It is lost on the way, or arrives later: see [`Event::Lands`].
    Lost,
    /// The honest client does not get it, the thief does.
    Stolen,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The honest client refreshes.
    Refresh(ResponseFate),
    /// The honest client refreshes and asks for no rotation.
    Renew,
    /// The response to a refresh of the honest client arrives late, and its pair replaces the one that
    /// the client has, as in the cookies of a browser with several tabs.
    Lands,
    /// A delayed copy of one of the honest client's requests arrives; 0 is the last request.
    Duplicate(usize),
    /// The honest client uses its access token; the report to the store arrives or is lost.
    Use {
        /// The report arrives.
        delivered: bool,
    },
    /// The honest client uses the access token from before its last refresh, as a request in
    /// flight does; the report arrives.
    UseEarlier,
    /// The thief copies the pair that the honest client holds.
    Steal,
    /// The thief refreshes.
    ThiefRefreshes,
    /// The thief refreshes and asks for no rotation.
    ThiefRenews,
    /// The thief uses its access token; the report to the store arrives or is lost.
    ThiefUses {
        /// The report arrives.
        delivered: bool,
    },
    /// The thief logs out. Only in a session that is bound to a key: else it may.
    ThiefLogsOut,
    /// The store rolls back to an earlier record; its clock may step back too.
    Rollback {
        /// Which of the records that the store ever had.
        to: usize,
        /// The clock steps back by `STEP_BACK`.
        clock_steps_back: bool,
    },
}

/// An event and the time before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HistoryStep {
    /// The time since the previous event.
    pub gap: Gap,
    /// What happens then.
    pub event: Event,
}

impl fmt::Debug for HistoryStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gap {
            Gap::None => {}
            Gap::Short => f.write_str("short ")?,
            Gap::Long => f.write_str("long ")?,
            Gap::Longer => f.write_str("longer ")?,
        }
        write!(f, "{:?}", self.event)
    }
}
