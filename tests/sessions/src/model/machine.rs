//! The functions under test, as values.

use regrant::session::{
    AccessTokenUse, DiscardedChild, Record, RefreshAttempt, RefreshPolicy, RefreshTransition,
    TokenId, TokenSecret, UseTransition,
};
use regrant::types::{FamilyPosition, Timestamp};

/// The functions of the state machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// [`regrant::session::step`].
    pub step: fn(&Record, &RefreshAttempt, Timestamp, &RefreshPolicy) -> RefreshTransition,
    /// [`regrant::session::record_use`].
    pub record_use: fn(&Record, &AccessTokenUse, Timestamp) -> UseTransition,
    /// [`DiscardedChild::covers`].
    pub covers: fn(&DiscardedChild, FamilyPosition, Timestamp) -> bool,
    /// [`TokenSecret::id`].
    pub id: fn(&TokenSecret) -> TokenId,
    /// [`TokenSecret::child`].
    pub child: fn(&TokenSecret, u32, Timestamp) -> TokenSecret,
}

impl Machine {
    /// The real functions.
    pub const REAL: Self = Self {
        step: regrant::session::step,
        record_use: regrant::session::record_use,
        covers: DiscardedChild::covers,
        id: TokenSecret::id,
        child: TokenSecret::child,
    };
}
