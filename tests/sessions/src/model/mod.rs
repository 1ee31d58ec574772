//! The state machine in a small world: one session, its honest client, at most one thief, and a
//! store that may forget. Every history up to some depth is walked, and after each act the
//! promises are checked. The rules are not written down here a second time: they are the
//! functions of a [`Machine`], the real ones or, to see the check fail, broken ones.
//!
//! What is promised exactly, with `G` the grace:
//!
//! 1. A client that alone holds its newest tokens is never refused with them and never accused,
//!    whatever is lost, doubled or rolled back, until a lifetime ends. A *duplicate* is a copy of
//!    one of its last two refresh requests that arrives within `G` of the first answer to it. A
//!    copy of an older request, or a later one, looks like a thief and is taken for one.
//! 2. Within `G` after a child was minted its parent gets the same child, bit for bit; and
//!    between two rollbacks a place (generation, branch) belongs to one token only.
//! 3. Two holders, counted from when their newest tokens last were the same and from the last
//!    rollback:
//!    - If A gets tokens at `t1` and B gets a next refresh token later than `t1 + G`, then A's
//!      next refresh leaves the session revoked if it comes more than `G` after B last got
//!      tokens. (Within `G` of B's last refresh A may be told that it is superseded: it gets
//!      nothing, and is found out when it asks again.) So does the next use of the access
//!      token that A got with a refresh token at `t1`, if its report arrives and the store never
//!      rolled back.
//!    - A refresh token whose child has arrived (it was taken in exchange, or its access token's
//!      use was reported) reveals whoever comes back with it more than `G` later, at once.
//!    - From wherever they are, three refreshes in turn, each more than `G` after the other,
//!      leave the session revoked: both cannot go on.
//! 4. In a revoked session nothing succeeds, unless the store loses the revocation.
//! 5. `created` and `expires` never move; the idle deadline moves when a child is issued, and
//!    only to `now + idle_ttl` or `expires`; past either nothing succeeds.
//! 6. The packed record holds no first half of any secret that was ever minted.

mod act;
mod book;
mod closing;
mod holder;
mod machine;
pub mod mutants;
mod refreshes;
mod search;
pub mod spaces;
mod uses;
mod violation;
mod world;

pub use act::{Act, Answer, Deed, GRACE, Gap};
pub use machine::Machine;
pub use search::{Counts, Found, acts, search};
pub use spaces::Space;
pub use violation::Violation;
pub use world::World;
