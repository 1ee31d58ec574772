//! A client's tokens, without the JWT around them.

use regrant::session::{IssuedChild, Record, RefreshAttempt, TokenSecret};
use regrant::types::FamilyPosition;

/// A refresh token as whoever holds it sees it.
#[derive(Clone, Debug)]
pub struct Token {
    /// What the next token is derived from.
    pub secret: TokenSecret,
    /// What a store is shown of it.
    pub claims: RefreshAttempt,
}

impl Token {
    /// The token of a login that made `record`.
    pub fn of_login(secret: TokenSecret, record: &Record) -> Self {
        let claims = RefreshAttempt {
            generation: 0,
            branch: 0,
            id: secret.id(),
            parent: None,
            issued_at: record.created_at,
            expires_at: record.idle_deadline,
        };
        Self { secret, claims }
    }

    /// The child of this token that a store has handed out.
    pub fn child(&self, minted: &IssuedChild) -> Self {
        let secret = self.secret.child(minted.family_position.branch, minted.issued_at);
        let claims = RefreshAttempt {
            generation: minted.family_position.generation,
            branch: minted.family_position.branch,
            id: secret.id(),
            parent: Some(self.claims.id),
            issued_at: minted.issued_at,
            expires_at: minted.expires_at,
        };
        Self { secret, claims }
    }

    /// Its place in the chain, and that of the access token that came with it.
    pub fn family_position(&self) -> FamilyPosition {
        FamilyPosition { generation: self.claims.generation, branch: self.claims.branch }
    }
}
