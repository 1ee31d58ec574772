//! The machine of the clients together with the machine of the server, in a small world: one
//! session, one storage of tokens, one or two processes of the app over it, and a network that
//! loses, delays and doubles. Every schedule is walked that stays within a budget of calls,
//! faults and spans of time; worlds that were seen before are not walked twice. No rule is written
//! down here a second time: the machines are the real ones, and what can be broken on purpose is
//! what drives them.
//!
//! What is promised:
//!
//! 1. Nobody is signed out: the server never takes the user for a thief, no machine says that a
//!    sign-in is needed, and after every schedule each process gets tokens once more.
//! 2. Where the storage has a lock, one refresh is in flight at most.
//! 3. No token is given to a caller or sent to the server that is not stored.
//! 4. Every caller that has not given up is answered.
//!
//! What is assumed of a network is what the server assumes (see `model`): a copy of a request, of
//! the last token that was sent or of the one before, arrives no later than the grace after the
//! answer. Without a lock more is assumed: no time passes while a process is at it, and nobody else
//! is between its last read and its write.

mod act;
mod closing;
mod driver;
mod network;
mod search;
mod server;
pub mod spaces;
mod violation;
mod world;

pub use act::{Act, Outcome};
pub use driver::Flaw;
pub use search::{Counts, Found, search};
pub use spaces::Space;
pub use violation::Violation;
