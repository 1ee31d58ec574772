//! Refresh tokens without the JWT around them.

use regrant::session::{IssuedChild, PresentedToken, Record, TokenSecret};
use regrant::types::FamilyPosition;

/// A refresh token as its client has it.
#[derive(Clone, Debug)]
pub struct Token {
    /// The secret from which the child's is derived.
    pub secret: TokenSecret,
    /// What a store gets of the token.
    pub claims: PresentedToken,
}

impl Token {
    /// The token of a login that made `record`.
    pub fn of_login(secret: TokenSecret, record: &Record) -> Self {
        let claims = PresentedToken {
            generation: 0,
            branch: 0,
            id: secret.id(),
            parent: None,
            issued_at: record.created_at,
            expires_at: record.idle_deadline,
        };
        Self { secret, claims }
    }

    /// The child of this token that a store has issued.
    pub fn child(&self, issued_child: &IssuedChild) -> Self {
        let secret = self.secret.child(issued_child.family_position.branch, issued_child.issued_at);
        let claims = PresentedToken {
            generation: issued_child.family_position.generation,
            branch: issued_child.family_position.branch,
            id: secret.id(),
            parent: Some(self.claims.id),
            issued_at: issued_child.issued_at,
            expires_at: issued_child.expires_at,
        };
        Self { secret, claims }
    }

    /// Its position in the token family, and that of the access token issued with it.
    pub fn family_position(&self) -> FamilyPosition {
        FamilyPosition { generation: self.claims.generation, branch: self.claims.branch }
    }
}
