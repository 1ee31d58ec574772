//! How a promise is broken.

use regrant::client::{SignOutReason, TransientError};
use regrant::session::Decision;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// 1: the server refused the user.
    Refused(Decision),
    /// 1: the server took the use of an access token for theft.
    Accused,
    /// 1: the user was told to sign in.
    SignedOut(SignOutReason),
    /// 1: when all was well again, a process did not get a token.
    NoToken(Option<TransientError>),
    /// 2: two refreshes were in flight.
    TwoRefreshes,
    /// 3: a caller was given a token that is not stored.
    GivenUnstored,
    /// 3: the server was asked with a token that is not the stored one.
    SentUnstored,
    /// 4: a caller was not answered.
    Unanswered,
}
