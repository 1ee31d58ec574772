//! The search spaces.

/// The schedules that a search visits.
#[derive(Clone, Copy, Debug)]
pub struct SearchSpace {
    /// The name in the report.
    pub name: &'static str,
    /// The seconds by which the wall clock of each process is ahead of the server's.
    pub clocks: &'static [i64],
    /// Whether the storage has a lock.
    pub lock: bool,
    /// Whether a refresh returns a new refresh token.
    pub rotate: bool,
    /// The maximum number of calls.
    pub wants: u8,
    /// The maximum number of faults: losses, failures, cancellations and kills.
    pub faults: u8,
    /// The maximum number of gaps, beside the waits of the processes.
    pub gaps: u8,
}

/// Two callers of one process.
pub const CALLERS: SearchSpace = SearchSpace {
    name: "one process, concurrent callers",
    clocks: &[0],
    lock: true,
    rotate: true,
    wants: 3,
    faults: 2,
    gaps: 1,
};

/// Two processes over one storage.
pub const PROCESSES: SearchSpace =
    SearchSpace { name: "two processes", clocks: &[0, 0], wants: 2, ..CALLERS };

/// Fewer faults, more calls.
pub const LONG: SearchSpace =
    SearchSpace { name: "two processes, longer", wants: 3, faults: 1, ..PROCESSES };

/// Processes whose clocks are ten minutes ahead and behind.
pub const CLOCKS: SearchSpace = SearchSpace {
    name: "two processes, clocks wrong",
    clocks: &[600, -600],
    wants: 3,
    faults: 1,
    ..PROCESSES
};

/// A storage without a lock.
pub const NO_LOCK: SearchSpace =
    SearchSpace { name: "two processes, no lock", lock: false, wants: 3, faults: 1, ..PROCESSES };

/// A server without rotation.
pub const NO_ROTATION: SearchSpace =
    SearchSpace { name: "two processes, no rotation", rotate: false, faults: 1, ..PROCESSES };

/// All search spaces.
pub const ALL: [SearchSpace; 6] = [CALLERS, PROCESSES, NO_LOCK, CLOCKS, NO_ROTATION, LONG];
