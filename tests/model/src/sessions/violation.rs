//! Violations of the invariants.

use regrant::session::{Decision, ReuseEvidence};

/// A violation, with the number of the invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// 1: the honest client's newest refresh token was rejected.
    HonestRefused(Decision),
    /// 1: the honest client's newest access token was rejected.
    HonestDenied,
    /// 1: a use by the honest client counted as theft.
    HonestAccused,
    /// 1: a duplicate revoked the session of an honest client.
    DuplicateIsTheft(ReuseEvidence),
    /// 2: one token had two children within the grace of unused children.
    TwoChildren,
    /// 2: two tokens had the same position in the family.
    SharedPosition,
    /// 3: two clients refreshed more than the grace apart, and the next refresh did not revoke.
    TwoHolders,
    /// 3: a token whose child had arrived was used after the grace, and nothing was revoked.
    SpentTolerated,
    /// 3: both clients can continue.
    BothContinue,
    /// 4: something succeeded after the revocation.
    AfterRevocation,
    /// 5: something succeeded after the token or the session had expired.
    AfterExpiry,
    /// 5: `created_at` or `expires_at` changed.
    LifetimeMoved,
    /// 5: the idle deadline changed other than by a refresh, or past its bounds.
    IdleMoved,
    /// 7: a refresh did not move the idle deadline, or moved it back.
    IdleStands,
    /// 8: a child expires too early, because the clock was behind when it was issued.
    EarlyExpiry,
    /// 9: a session that had rotated was renewed without rotation.
    NotRotated,
    /// 10: a child was discarded, and the access token that came with it is still accepted.
    AccessOutlivesChild,
    /// 11: the honest client was refused although it proved its key.
    OwnKeyRefused,
    /// 11: a thief was granted something without the key of the session.
    GrantedWithoutKey,
    /// 6: the record holds a part of a secret.
    SecretStored,
}
