//! The functions under test, as values.

use regrant::session::{
    AccessTokenUse, DiscardedChild, PresentedToken, Record, RefreshPolicy, RefreshTransition,
    TokenId, TokenSecret, UseTransition,
};
use regrant::types::{FamilyPosition, Timestamp};

use super::binding::BindingChecks;

/// The functions of the state machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// [`regrant::session::decide_refresh`].
    pub decide_refresh:
        fn(&Record, &PresentedToken, Timestamp, &RefreshPolicy) -> RefreshTransition,
    /// [`regrant::session::decide_use`].
    pub decide_use: fn(&Record, &AccessTokenUse, Timestamp) -> UseTransition,
    /// [`DiscardedChild::was_issued_with`].
    pub was_issued_with: fn(&DiscardedChild, FamilyPosition, Timestamp) -> bool,
    /// [`TokenSecret::id`].
    pub id: fn(&TokenSecret) -> TokenId,
    /// [`TokenSecret::child`].
    pub child: fn(&TokenSecret, u32, Timestamp) -> TokenSecret,
    /// [`regrant::internal::check_binding`], as each operation asks it.
    pub bindings: BindingChecks,
}

impl Machine {
    /// The real functions.
    pub const REAL: Self = Self {
        decide_refresh: regrant::session::decide_refresh,
        decide_use: regrant::session::decide_use,
        was_issued_with: DiscardedChild::was_issued_with,
        id: TokenSecret::id,
        child: TokenSecret::child,
        bindings: BindingChecks::REAL,
    };
}
