//! A model check of the state machine: one session, its honest client, at most one thief, and a
//! store that may roll back. The search visits every history up to a depth and checks the
//! invariants after each step. The rules are not repeated here: they are the functions of a
//! [`Machine`], the real ones or, to see that the check fails, mutants of them.
//!
//! The invariants, with `G` the grace and `U` the longer grace of a child that nobody has used:
//!
//! 1. A client that alone holds its newest tokens is never refused with them and never taken for
//!    a thief, whatever is lost, duplicated or rolled back, until the session expires. It may have to try again for
//!    `G` after an answer at the end of `U`, if that was lost too. A *duplicate* is a copy of one of its last two
//!    refresh requests that arrives within `G` of the answer to it and, if the store is rolled back, within `U` of
//!    the first answer with that token. A copy of an older request, or one that arrives later, counts as theft. Also when a
//!    response arrives late, up to `U` after it was first given, and replaces the pair that the client
//!    has got meanwhile, as long as the client has not refreshed with that pair.
//! 2. Within `U` after a child was issued its parent gets the same child, bit for bit, or none; and
//!    between two rollbacks a position (generation, branch) belongs to one token only.
//! 3. Two clients with tokens of one session, since their newest tokens last were the same and
//!    since the last rollback:
//!    - If A gets tokens at `t1` and B gets a next refresh token later than `t1 + G`, then A's
//!      next refresh leaves the session revoked if it comes more than `G` after B last got
//!      tokens or first used them. (Within `G` A may be superseded: it gets nothing, and is
//!      detected when it tries again.) The child that A has already got is no next refresh token: while
//!      it is unused, B shares it up to `t1 + U`. So does the next use of the access
//!      token that A got with a refresh token at `t1`, if its report arrives and the store never
//!      rolled back.
//!    - Use of a refresh token more than `G` after its child has arrived (the child was used, or
//!      use of its access token was reported) revokes the session at once.
//!    - From any state, three refreshes in turn, each more than `U` after the other, leave the
//!      session revoked; more than `G`, if the uses of their access tokens are reported. A renewal
//!      of a session that has never rotated does not count.
//! 4. Nothing succeeds in a revoked session, unless the store loses the revocation.
//! 5. `created_at` and `expires_at` never change; the idle deadline moves with a refresh only, never
//!    back and never past `expires_at`, until the session is revoked; nothing succeeds after either.
//! 6. The encoded record has no first half of any secret that was ever issued.
//! 7. After every granted refresh, with rotation or without, the idle deadline is `idle_ttl` later, less
//!    `U` for a repeated one, or `expires_at`.
//! 8. A child that is issued while the clock is behind expires `idle_ttl` after its parent was issued or
//!    later.
//! 9. A session that has rotated always rotates, whatever the honest client or the thief asks, unless the
//!    store loses the rotation and nobody presents a token of it.
//! 10. From the refresh on that discards a child, the access tokens that came with it are denied.
//! 11. Where the session is bound to a key of its client, a thief without the key gets nothing by refresh,
//!     logout or use of an access token, and the honest client is one that is alone (invariant 1), whatever
//!     the thief tries.

mod actions;
mod binding;
mod client;
mod final_phase;
mod ledger;
mod machine;
pub mod mutants;
pub mod realms;
mod search;
pub mod search_space;
mod step;
mod violation;
mod world;

pub use machine::Machine;
pub use search::{Counterexample, Counts, next_steps, search};
pub use search_space::SearchSpace;
pub use step::{Event, GRACE, Gap, HistoryStep, ResponseFate, UNUSED_GRACE};
pub use violation::Violation;
pub use world::{SharedChildren, World};
