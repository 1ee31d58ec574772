//! How many refreshes may fail before further ones are not looked at for a while.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::Error;

/// How many refreshes of one client, and how many with tokens of one user, may fail in a while.
///
/// A failure is counted in one of two ways:
/// - with a token that nobody here has signed, for the *address* that it came from, where the caller
///   says one ([`RefreshRequest::address`](crate::RefreshRequest::address));
/// - with a token that was signed here and is refused (its session is over, or not known; it was
///   used before; it is of another user than the client says), for its *subject*.
///
/// Beyond the limit the answer is [`Error::TooManyAttempts`](crate::Error::TooManyAttempts). It only
/// ever takes the place of another refusal: what would be granted is granted. So nobody can lock out
/// anybody else, neither from behind the same address nor with an old token of the same user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// So many failures are answered with their own reason. Default 30.
    pub failures: NonZeroU32,
    /// For so long they are counted, from the first one on. Default one minute.
    pub window: Duration,
}

impl Default for FailureLimit {
    fn default() -> Self {
        let failures = NonZeroU32::MIN.saturating_add(29);
        Self { failures, window: Duration::from_secs(60) }
    }
}

impl FailureLimit {
    /// The longest window: a client that was told to come back later must be able to.
    pub const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);

    /// # Errors
    /// [`Error::ConfigInvalid`] for `refresh.limiter.window`: less than one second, or more than
    /// [`LONGEST_WINDOW`](Self::LONGEST_WINDOW).
    pub(super) fn check(self) -> Result<(), Error> {
        if (Duration::from_secs(1)..=Self::LONGEST_WINDOW).contains(&self.window) {
            return Ok(());
        }
        Err(Error::config("refresh.limiter.window", "expected 1 second to 1 day"))
    }
}
