//! The spaces that are walked.

use std::time::Duration;

/// Which histories are walked.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// What it is called in the report.
    pub name: &'static str,
    /// How many acts a history has.
    pub depth: usize,
    /// There is a thief, who steals once.
    pub thief: bool,
    /// The store may go back to any earlier record, any number of times.
    pub rollback: bool,
    /// Its clock may then be behind.
    pub clock_steps_back: bool,
    /// The honest client asks for rotation at times and at times not.
    pub rotation_off: bool,
    /// See [`regrant::session::SessionPolicy::idle_ttl`].
    pub idle_ttl: Duration,
    /// See [`regrant::session::SessionPolicy::absolute_ttl`].
    pub absolute_ttl: Duration,
}

const DAY: u64 = 86_400;

/// An honest client, whose answers may be lost and whose requests may be doubled.
pub const HONEST: Space = Space {
    name: "honest",
    depth: 6,
    thief: false,
    rollback: false,
    clock_steps_back: false,
    rotation_off: false,
    idle_ttl: Duration::from_secs(14 * DAY),
    absolute_ttl: Duration::from_secs(90 * DAY),
};

/// And a store that forgets.
pub const ROLLBACK: Space = Space { name: "honest, rollback", rollback: true, ..HONEST };

/// And whose clock is then behind.
pub const CLOCK: Space =
    Space { name: "honest, rollback, clock behind", clock_steps_back: true, ..ROLLBACK };

/// And a client that asks now with rotation and now without.
pub const ROTATION_OFF: Space = Space {
    name: "honest, rollback, rotation on and off",
    depth: 5,
    rotation_off: true,
    ..ROLLBACK
};

/// And lifetimes that end within the history.
pub const SHORT_LIVED: Space = Space {
    name: "honest, rollback, short lifetimes",
    idle_ttl: Duration::from_secs(25),
    absolute_ttl: Duration::from_secs(40),
    ..ROTATION_OFF
};

/// An honest client and a thief.
pub const THIEF: Space = Space { name: "thief", depth: 5, thief: true, ..HONEST };

/// And a store that forgets.
pub const THIEF_ROLLBACK: Space = Space { name: "thief, rollback", rollback: true, ..THIEF };

/// And a client that asks now with rotation and now without.
pub const THIEF_ROTATION_OFF: Space =
    Space { name: "thief, rollback, rotation on and off", rotation_off: true, ..THIEF_ROLLBACK };

/// All of them.
pub const ALL: [Space; 8] =
    [HONEST, ROLLBACK, CLOCK, ROTATION_OFF, SHORT_LIVED, THIEF, THIEF_ROLLBACK, THIEF_ROTATION_OFF];
