//! The secret of a refresh token, the id that a record keeps of it, and how a child's secret
//! follows from its parent's: so the same child can be minted again, bit for bit, while
//! nothing of it is stored.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::error::Error;
use crate::types::Timestamp;

const CHILD_LABEL: &[u8] = b"regrant refresh child v1";

/// The `jti` of a refresh token: 256 bits that only its holder knows.
#[derive(Clone)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// The secret with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new random secret, for a login.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system has no randomness to give.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        Ok(Self(bytes))
    }

    /// The bytes themselves. Every call is a place where a secret may leak.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The secret of the child that was minted from this token at `minted` on `branch`.
    pub fn child(&self, branch: u32, issued_at: Timestamp) -> Self {
        let mut hash = Sha256::new();
        hash.update(CHILD_LABEL);
        hash.update(self.0);
        hash.update(branch.to_be_bytes());
        hash.update(issued_at.as_millis().to_be_bytes());
        Self(hash.finalize().into())
    }

    /// What a record keeps of this token: the first 128 bits of its SHA-256.
    pub fn id(&self) -> TokenId {
        let hash = Sha256::digest(self.0);
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        TokenId(id)
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret([redacted])")
    }
}

impl Drop for TokenSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What a record keeps of a refresh token. From it no token can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 16]);

impl TokenId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}
