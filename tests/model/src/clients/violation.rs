//! Violations of the invariants.

use regrant::client::{SignOutReason, TransientError};
use regrant::session::Decision;

/// A violation, with the number of the invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// 1: the server rejected the refresh token.
    Refused(Decision),
    /// 1: a use of an access token counted as theft.
    Accused,
    /// 1: the client asked for a sign-in.
    SignedOut(SignOutReason),
    /// 1: a process did not get a token in the final phase.
    NoToken(Option<TransientError>),
    /// 2: two refreshes were in flight.
    TwoRefreshes,
    /// 3: a caller was given a token that is not stored.
    GivenUnstored,
    /// 3: a token was sent that is not the stored one.
    SentUnstored,
    /// 4: a caller was not answered.
    Unanswered,
}
