//! What must be known of the old app.

use std::fmt;
use std::sync::Arc;

use super::{IdentityResolver, LegacyStore, TheValueItself};
use crate::error::Result;
use crate::keys::{Algorithm, Key, ShortSecret};
use crate::types::SecretBytes;

/// The refresh tokens of an app that was here before.
#[must_use]
pub struct LegacyRefreshTokens {
    pub(super) keys: Vec<Key>,
    pub(super) store: Arc<dyn LegacyStore>,
    pub(super) users: Arc<dyn IdentityResolver>,
}

impl LegacyRefreshTokens {
    /// Tokens that were signed with `secret` and that `store` knows.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid) for `secret` when it is empty or PEM.
    /// It may be short: without its key in the store no token passes.
    pub fn new(secret: &SecretBytes, store: impl LegacyStore + 'static) -> Result<Self> {
        Self::shared(secret, Arc::new(store))
    }

    pub(crate) fn shared(secret: &SecretBytes, store: Arc<dyn LegacyStore>) -> Result<Self> {
        let keys = vec![Key::hmac(Algorithm::HS256, secret, ShortSecret::Allow)?];
        Ok(Self { keys, store, users: Arc::new(TheValueItself) })
    }

    /// Accepts what `secret` signed as well.
    ///
    /// # Errors
    /// As [`LegacyRefreshTokens::new`].
    pub fn or_secret(mut self, secret: &SecretBytes) -> Result<Self> {
        self.keys.push(Key::hmac(Algorithm::HS256, secret, ShortSecret::Allow)?);
        Ok(self)
    }

    /// Who finds the user by the value in the store; by default the value is the user's id.
    pub fn users(mut self, users: impl IdentityResolver + 'static) -> Self {
        self.users = Arc::new(users);
        self
    }
}

impl fmt::Debug for LegacyRefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldRefreshTokens").field("store", &self.store).finish_non_exhaustive()
    }
}
