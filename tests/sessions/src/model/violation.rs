//! How a promise is broken.

use regrant::session::{Decision, Theft};

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// 1: the honest client was refused with its newest refresh token.
    HonestRefused(Decision),
    /// 1: the honest client was refused with its newest access token.
    HonestDenied,
    /// 1: a use by the honest client was taken for theft.
    HonestAccused,
    /// 1: a duplicate revoked the session of an honest client.
    DuplicateIsTheft(Theft),
    /// 2: one token had two children within the grace.
    TwoChildren,
    /// 2: one place in the chain was given to two tokens.
    SharedPlace,
    /// 3: two holders acted more than the grace apart, and the next act did not revoke.
    TwoHolders,
    /// 3: a token whose child had arrived came back after the grace, and nothing was revoked.
    SpentTolerated,
    /// 3: both holders can go on.
    BothContinue,
    /// 4: something succeeded after the revocation.
    AfterRevocation,
    /// 5: something succeeded past the end of the token or of the session.
    AfterExpiry,
    /// 5: `created` or `expires` moved.
    LifetimeMoved,
    /// 5: the idle deadline moved other than to `now + idle_ttl` when a child was issued.
    IdleMoved,
    /// 6: the record holds a part of a secret.
    SecretStored,
}
