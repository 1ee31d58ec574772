//! The sizes and durations of a run.

use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Rounds; the contestants take turns in each.
    pub(crate) rounds: usize,
    /// How long one contestant runs in one round.
    pub(crate) turn: Duration,
    /// How long one contestant verifies in one round.
    pub(crate) verify_turn: Duration,
    /// The number of tokens in cases with many tokens.
    pub(crate) verify_tokens: u64,
    /// How long one Express app is under load in one round, in whole seconds.
    pub(crate) express_turn: Duration,
    /// Users of each behaviour that is compared with peers.
    pub(crate) peer_users: usize,
    /// What the waits in these behaviours are multiplied by.
    pub(crate) peer_patience: f64,
    /// Sessions that are refreshed while the rates of the peers are measured.
    pub(crate) peer_sessions: usize,
    /// Users in the store while rotation is measured.
    pub(crate) rotation_users: u64,
    /// The same in PostgreSQL.
    pub(crate) postgres_users: u64,
    /// The store sizes in sessions over which latency must not differ, ascending.
    pub(crate) store_sizes: [u64; 3],
    /// Sessions in each of the stores with different numbers of sessions per user.
    pub(crate) shared_out: u64,
    /// Sessions in the store whose size is measured.
    pub(crate) memory_sessions: u64,
    /// The same in PostgreSQL.
    pub(crate) postgres_sessions: u64,
    /// How often each of these is refreshed before their size is measured again.
    pub(crate) postgres_writes: u32,
    /// Revocations timed over Redis.
    pub(crate) trials_redis: usize,
    /// Revocations timed over a file, whose feed is polled five times a second.
    pub(crate) trials_file: usize,
    /// Entries in the deny list whose size is measured.
    pub(crate) denied: u64,
    /// Whether a missed target fails the run.
    pub(crate) targets: bool,
}

impl Plan {
    /// A full run, for published results.
    pub(crate) const FULL: Self = Self {
        rounds: 7,
        turn: Duration::from_millis(1500),
        verify_turn: Duration::from_millis(60),
        verify_tokens: 10_000,
        express_turn: Duration::from_secs(2),
        peer_users: 20,
        peer_patience: 1.0,
        peer_sessions: 200,
        rotation_users: 100_000,
        postgres_users: 100_000,
        store_sizes: [1_000, 100_000, 1_000_000],
        shared_out: 20_000,
        memory_sessions: 1_000_000,
        postgres_sessions: 200_000,
        postgres_writes: 10,
        trials_redis: 1_000,
        trials_file: 100,
        denied: 1_000_000,
        targets: true,
    };

    /// Runs everything briefly, to check that it works; the results are meaningless.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        turn: Duration::from_millis(100),
        verify_turn: Duration::from_millis(5),
        verify_tokens: 300,
        express_turn: Duration::from_secs(1),
        peer_users: 2,
        peer_patience: 0.0,
        peer_sessions: 50,
        rotation_users: 1_000,
        postgres_users: 1_000,
        store_sizes: [100, 1_000, 2_000],
        shared_out: 2_000,
        memory_sessions: 2_000,
        postgres_sessions: 500,
        postgres_writes: 1,
        trials_redis: 10,
        trials_file: 3,
        denied: 10_000,
        targets: false,
    };
}
