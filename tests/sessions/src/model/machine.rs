//! What is under test: the functions of the session engine, as values.

use regrant::revocation::DiscardedChild;
use regrant::session::{
    AccessTokenUse, Confirmed, Record, RefreshAttempt, RefreshPolicy, Step, TokenId, TokenSecret,
};
use regrant::types::{FamilyPosition, Timestamp};

/// The functions of the session engine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// [`regrant::session::step`].
    pub step: fn(&Record, &RefreshAttempt, Timestamp, &RefreshPolicy) -> Step,
    /// [`regrant::session::confirm`].
    pub confirm: fn(&Record, &AccessTokenUse, Timestamp) -> Confirmed,
    /// [`DiscardedChild::covers`].
    pub covers: fn(&DiscardedChild, FamilyPosition, Timestamp) -> bool,
    /// [`TokenSecret::id`].
    pub id: fn(&TokenSecret) -> TokenId,
    /// [`TokenSecret::child`].
    pub child: fn(&TokenSecret, u32, Timestamp) -> TokenSecret,
}

impl Machine {
    /// The real ones.
    pub const REAL: Self = Self {
        step: regrant::session::step,
        confirm: regrant::session::confirm,
        covers: DiscardedChild::covers,
        id: TokenSecret::id,
        child: TokenSecret::child,
    };
}
