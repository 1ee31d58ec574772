//! From what the old app stored of a user to the user.

use async_trait::async_trait;

use crate::error::Result;
use crate::types::Subject;

/// Finds the user by the value that the old app stored with a token. Asked once per token.
#[async_trait]
pub trait IdentityResolver: Send + Sync {
    /// The user whom `value` names: an id or an e-mail address. `None` when there is no such user
    /// any more; the token is then unknown.
    ///
    /// # Errors
    /// What kept it from finding out. Nobody is signed out by that:
    /// [`Error::store`](crate::Error::store) is the right one.
    async fn subject(&self, value: &str) -> Result<Option<Subject>>;
}

/// The value is the user's id already.
#[derive(Clone, Copy, Debug, Default)]
pub struct TheValueItself;

#[async_trait]
impl IdentityResolver for TheValueItself {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        Ok(Subject::new(value).ok())
    }
}
