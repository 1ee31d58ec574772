//! The spaces that are walked.

/// Which schedules are walked.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// What it is called in the report.
    pub name: &'static str,
    /// By how many seconds the wall clock of each process is ahead of the server's.
    pub clocks: &'static [i64],
    /// The storage has a lock.
    pub lock: bool,
    /// The answer to a refresh has a next refresh token.
    pub rotate: bool,
    /// How many calls there are in all.
    pub wants: u8,
    /// How many faults there are in all: what is lost, fails, is cancelled or killed.
    pub faults: u8,
    /// How many spans of time pass in all, beside what is waited for.
    pub gaps: u8,
}

/// Two callers of one process.
pub const CALLERS: Space = Space {
    name: "one process, concurrent callers",
    clocks: &[0],
    lock: true,
    rotate: true,
    wants: 3,
    faults: 2,
    gaps: 1,
};

/// Two processes over one storage.
pub const PROCESSES: Space = Space { name: "two processes", clocks: &[0, 0], wants: 2, ..CALLERS };

/// Fewer faults, more calls.
pub const LONG: Space = Space { name: "two processes, longer", wants: 3, faults: 1, ..PROCESSES };

/// Processes whose clocks are ten minutes wrong, either way.
pub const CLOCKS: Space = Space {
    name: "two processes, clocks wrong",
    clocks: &[600, -600],
    wants: 3,
    faults: 1,
    ..PROCESSES
};

/// A storage without a lock.
pub const NO_LOCK: Space =
    Space { name: "two processes, no lock", lock: false, wants: 3, faults: 1, ..PROCESSES };

/// A server that does not rotate.
pub const NO_ROTATION: Space =
    Space { name: "two processes, no rotation", rotate: false, faults: 1, ..PROCESSES };

/// All of them.
pub const ALL: [Space; 6] = [CALLERS, PROCESSES, NO_LOCK, CLOCKS, NO_ROTATION, LONG];
