//! What fails on the other side of the boundary.

/// What a part of the app that is called back (transport, storage, listener, logger) fails with.
/// It need not be this: whatever is thrown counts the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum CallbackError {
    /// It failed.
    #[error("{reason}")]
    Failed {
        /// Why, for a developer who reads the log. It must hold no token.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackError {
    fn from(thrown: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: thrown.reason }
    }
}
