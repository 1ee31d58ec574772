//! What is under test: the functions of the session engine, as values.

use regrant::identity::Lineage;
use regrant::revocation::Abandoned;
use regrant::session::{
    Confirmed, Presented, Record, RefreshPolicy, Sighting, Step, TokenId, TokenSecret,
};
use regrant::time::Timestamp;

/// The functions of the session engine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// [`regrant::session::step`].
    pub step: fn(&Record, &Presented, Timestamp, &RefreshPolicy) -> Step,
    /// [`regrant::session::confirm`].
    pub confirm: fn(&Record, &Sighting, Timestamp) -> Confirmed,
    /// [`Abandoned::covers`].
    pub covers: fn(&Abandoned, Lineage, Timestamp) -> bool,
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
        covers: Abandoned::covers,
        id: TokenSecret::id,
        child: TokenSecret::child,
    };
}
