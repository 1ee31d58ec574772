//! Who holds tokens, and what is counted about them.

use regrant::session::RefreshAttempt;
use regrant::types::{FamilyPosition, Timestamp};

/// The 32 bytes of a refresh token's secret.
pub type Secret = [u8; 32];

/// A refresh token, as whoever holds it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub secret: Secret,
    pub claims: RefreshAttempt,
}

/// An access token.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub family_position: FamilyPosition,
    /// Its `iat`, in whole seconds as the wire has it.
    pub issued_at: Timestamp,
    /// The secret of the refresh token that it was got with, and when the child that came with
    /// it was minted; `None` for a login, with rotation off, and once the store has rolled back.
    pub came_with_child_of: Option<(Secret, Timestamp)>,
}

impl Access {
    /// An access token as issued at `now`: the wire has whole seconds.
    pub fn issued(
        family_position: FamilyPosition,
        now: Timestamp,
        came_with_child_of: Option<(Secret, Timestamp)>,
    ) -> Self {
        let issued_at = Timestamp::from_seconds(now.as_seconds());
        Self { family_position, issued_at, came_with_child_of }
    }
}

/// One who holds a pair.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub refresh: Token,
    pub access: Access,
    /// The one before.
    pub earlier_access: Option<Access>,
    /// When it last got tokens, since the two last held the same token or the store rolled back.
    pub granted: Option<Timestamp>,
    /// When the other last got tokens, of which it got a next refresh token more than the grace
    /// after `granted`.
    pub overtaken: Option<Timestamp>,
}

impl Holder {
    pub fn new(refresh: Token, access: Access) -> Self {
        Self { refresh, access, earlier_access: None, granted: None, overtaken: None }
    }

    /// Begins the count of the two-holder rule anew.
    pub fn forget_count(&mut self) {
        (self.granted, self.overtaken) = (None, None);
    }
}
