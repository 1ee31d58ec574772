//! A client's tokens, without the JWT around them.

use regrant::identity::Lineage;
use regrant::session::{Minted, Presented, Record, TokenSecret};

/// A refresh token as whoever holds it sees it.
#[derive(Clone, Debug)]
pub struct Token {
    /// What the next token is derived from.
    pub secret: TokenSecret,
    /// What a store is shown of it.
    pub claims: Presented,
}

impl Token {
    /// The token of a login that made `record`.
    pub fn of_login(secret: TokenSecret, record: &Record) -> Self {
        let claims = Presented {
            generation: 0,
            branch: 0,
            id: secret.id(),
            parent: None,
            issued_at: record.created,
            expires_at: record.idle_deadline,
        };
        Self { secret, claims }
    }

    /// The child of this token that a store has handed out.
    pub fn child(&self, minted: &Minted) -> Self {
        let secret = self.secret.child(minted.lineage.branch, minted.minted);
        let claims = Presented {
            generation: minted.lineage.generation,
            branch: minted.lineage.branch,
            id: secret.id(),
            parent: Some(self.claims.id),
            issued_at: minted.minted,
            expires_at: minted.expires_at,
        };
        Self { secret, claims }
    }

    /// Its place in the chain, and that of the access token that came with it.
    pub fn lineage(&self) -> Lineage {
        Lineage { generation: self.claims.generation, branch: self.claims.branch }
    }
}
