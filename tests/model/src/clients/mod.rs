//! A model check of the client's and the server's state machines together: one session, one token
//! storage, one or two processes of the app over it, and a network that loses, delays and duplicates
//! requests. The search visits every schedule within a budget of calls, faults and waits, and each
//! state once. The machines are the real ones; only their driver can have a flaw, to see that the
//! check fails.
//!
//! The invariants:
//!
//! 1. No session is lost: the server never detects theft, no client asks for a sign-in, and after
//!    every schedule each process gets tokens once more.
//! 2. Where the storage has a lock, at most one refresh is in flight.
//! 3. No token is given to a caller or sent to the server that is not stored.
//! 4. Every caller that has not given up is answered.
//!
//! The assumptions about the network are those of the server (see [`sessions`](crate::sessions)): copies of requests carry
//! one of the last two tokens and arrive within the grace after the first response. Without a lock,
//! also no time passes during a refresh, and no other process runs between its last read and its
//! write.

mod driver;
mod final_phase;
mod network;
mod search;
pub mod search_space;
mod server;
mod step;
mod violation;
mod world;

pub use driver::Flaw;
pub use search::{Counterexample, Counts, search};
pub use search_space::SearchSpace;
pub use step::{OperationOutcome, ScheduleStep};
pub use violation::Violation;
