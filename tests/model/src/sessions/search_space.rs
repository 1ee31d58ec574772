//! The search spaces.

use std::time::Duration;

/// The histories that a search visits.
#[derive(Clone, Copy, Debug)]
pub struct SearchSpace {
    /// The name in the report.
    pub name: &'static str,
    /// The number of steps of a history.
    pub depth: usize,
    /// Whether there is a thief, which steals once.
    pub thief: bool,
    /// Whether the session is bound to a key that the thief does not have.
    pub bound: bool,
    /// Whether the store may roll back to any earlier record, any number of times.
    pub rollback: bool,
    /// Whether the store's clock may step back with it.
    pub clock_steps_back: bool,
    /// Whether the honest client may also refresh without rotation.
    pub rotation_off: bool,
    /// See [`regrant::session::SessionPolicy::idle_ttl`].
    pub idle_ttl: Duration,
    /// See [`regrant::session::SessionPolicy::absolute_ttl`].
    pub absolute_ttl: Duration,
}

const DAY: u64 = 86_400;

/// An honest client, whose responses may be lost and whose requests may be duplicated.
pub const HONEST: SearchSpace = SearchSpace {
    name: "honest",
    depth: 6,
    thief: false,
    bound: false,
    rollback: false,
    clock_steps_back: false,
    rotation_off: false,
    idle_ttl: Duration::from_secs(14 * DAY),
    absolute_ttl: Duration::from_secs(90 * DAY),
};

/// [`HONEST`] with rollbacks of the store.
pub const ROLLBACK: SearchSpace =
    SearchSpace { name: "honest, rollback", rollback: true, ..HONEST };

/// [`ROLLBACK`] with a clock that steps back.
pub const CLOCK: SearchSpace =
    SearchSpace { name: "honest, rollback, clock behind", clock_steps_back: true, ..ROLLBACK };

/// [`ROLLBACK`] with rotation on and off.
pub const ROTATION_OFF: SearchSpace = SearchSpace {
    name: "honest, rollback, rotation on and off",
    depth: 5,
    rotation_off: true,
    ..ROLLBACK
};

/// [`ROTATION_OFF`] with a clock that steps back.
pub const CLOCK_ROTATION_OFF: SearchSpace = SearchSpace {
    name: "honest, rollback, clock behind, rotation on and off",
    depth: 4,
    clock_steps_back: true,
    ..ROTATION_OFF
};

/// [`ROTATION_OFF`] with sessions that expire within the history.
pub const SHORT_LIVED: SearchSpace = SearchSpace {
    name: "honest, rollback, short lifetimes",
    idle_ttl: Duration::from_secs(25),
    absolute_ttl: Duration::from_secs(40),
    ..ROTATION_OFF
};

/// An honest client and a thief.
pub const THIEF: SearchSpace = SearchSpace { name: "thief", depth: 5, thief: true, ..HONEST };

/// [`THIEF`] with rollbacks of the store.
pub const THIEF_ROLLBACK: SearchSpace =
    SearchSpace { name: "thief, rollback", rollback: true, ..THIEF };

/// [`THIEF_ROLLBACK`] with rotation on and off.
pub const THIEF_ROTATION_OFF: SearchSpace = SearchSpace {
    name: "thief, rollback, rotation on and off",
    rotation_off: true,
    ..THIEF_ROLLBACK
};

/// [`THIEF_ROTATION_OFF`] with a session that is bound to a key of its client.
pub const THIEF_WITHOUT_KEY: SearchSpace =
    SearchSpace { name: "thief without the key", depth: 4, bound: true, ..THIEF_ROTATION_OFF };

/// All search spaces.
pub const ALL: [SearchSpace; 10] = [
    HONEST,
    ROLLBACK,
    CLOCK,
    ROTATION_OFF,
    CLOCK_ROTATION_OFF,
    SHORT_LIVED,
    THIEF,
    THIEF_ROLLBACK,
    THIEF_ROTATION_OFF,
    THIEF_WITHOUT_KEY,
];
