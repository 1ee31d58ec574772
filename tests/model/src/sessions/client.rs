//! A client: its tokens, and what the checker tracks about it.

use regrant::session::PresentedToken;
use regrant::types::{FamilyPosition, Timestamp};

/// The 32 bytes of a refresh token's secret.
pub type Secret = [u8; 32];

/// A refresh token as its client has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub secret: Secret,
    pub claims: PresentedToken,
}

/// An access token.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub family_position: FamilyPosition,
    /// Its `iat`, in whole seconds as the wire has it.
    pub issued_at: Timestamp,
    /// The secret of the refresh token that was exchanged for this one, and when the child was
    /// issued; `None` for a login, with rotation off, and after a rollback.
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

/// The honest client or the thief.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub refresh: Token,
    pub access: Access,
    /// The access token before this one.
    pub earlier_access: Option<Access>,
    /// When it last got tokens, since both last had the same token or the store rolled back.
    pub granted: Option<Timestamp>,
    /// When the other client last got tokens, once it got a refresh token more than the grace after
    /// `granted`.
    pub overtaken: Option<Timestamp>,
}

impl Client {
    pub fn new(refresh: Token, access: Access) -> Self {
        Self { refresh, access, earlier_access: None, granted: None, overtaken: None }
    }

    /// Starts over with the two-client invariant.
    pub fn forget_count(&mut self) {
        (self.granted, self.overtaken) = (None, None);
    }
}
